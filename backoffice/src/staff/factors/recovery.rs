//! Codes for the day on which the key is lost: ten, each works once, shown once.

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::note;
use crate::{
    Backoffice, Fault,
    kernel::seal,
    staff::{
        Caller, Staff,
        sessions::{self, SessionKey},
    },
};

const CODES: usize = 10;
/// 120 bits: enough that a plain hash of it cannot be guessed (OWASP ASVS 5.0, 6.5.2 asks for 112).
const CHARACTERS: usize = 24;
/// 32 characters that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

fn new() -> Result<String, Fault> {
    let mut code = String::with_capacity(CHARACTERS + 3);
    for (at, byte) in seal::random()?.into_iter().take(CHARACTERS).enumerate() {
        if at > 0 && at % 6 == 0 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok(code)
}

/// The code as it was made, however it was typed; nothing where it cannot be one.
fn typed(text: &str) -> Option<String> {
    let code: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_lowercase())
        .take(CHARACTERS + 1)
        .collect();
    (code.len() == CHARACTERS && code.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(code)
}

fn hash(code: &str) -> Vec<u8> {
    Sha256::digest(code.replace('-', "").as_bytes()).to_vec()
}

/// New ones in the place of all before. To be shown once.
pub(super) async fn make(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    staff: Uuid,
) -> Result<Vec<String>, Fault> {
    forget(tx, staff).await?;
    let codes = (0..CODES).map(|_| new()).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash(code)).collect();
    sqlx::query!(
        "insert into staff_recovery_codes (staff_id, code_hash, made_at) select $1, unnest($2::bytea[]), $3",
        staff,
        &hashes,
        backoffice.clock.now(),
    )
    .execute(tx)
    .await?;
    Ok(codes)
}

pub(super) async fn forget(tx: &mut PgConnection, staff: Uuid) -> Result<(), Fault> {
    sqlx::query!("delete from staff_recovery_codes where staff_id = $1", staff).execute(tx).await?;
    Ok(())
}

/// Uses a code up. Nothing where it is none of theirs; false where it was used before.
pub(super) async fn redeem(
    backoffice: &Backoffice,
    staff: &Staff,
    text: &str,
    caller: &Caller<'_>,
) -> Result<Option<bool>, Fault> {
    let Some(code) = typed(text) else { return Ok(None) };
    let hash = hash(&code);
    let mut tx = backoffice.pool.begin().await?;
    let used = sqlx::query!(
        "update staff_recovery_codes set used_at = $3 where staff_id = $1 and code_hash = $2 and used_at is null",
        staff.id,
        hash,
        backoffice.clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    if used.rows_affected() == 1 {
        let left = count(&mut tx, staff.id).await?;
        let action = "staff.recovery_code_used";
        note(backoffice, &mut tx, &staff.actor(caller), action, staff.id, json!({ "left": left })).await?;
        tx.commit().await?;
        return Ok(Some(true));
    }
    let known = sqlx::query_scalar!(
        r#"select exists(select 1 from staff_recovery_codes where staff_id = $1 and code_hash = $2) as "known!""#,
        staff.id,
        hash,
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(known.then_some(false))
}

async fn count(connection: &mut PgConnection, staff: Uuid) -> Result<i64, Fault> {
    let left = sqlx::query_scalar!(
        r#"select count(*) as "left!" from staff_recovery_codes where staff_id = $1 and used_at is null"#,
        staff,
    )
    .fetch_one(connection)
    .await?;
    Ok(left)
}

/// How many are left.
pub async fn left(backoffice: &Backoffice, staff: Uuid) -> Result<i64, Fault> {
    count(&mut *backoffice.pool.acquire().await?, staff).await
}

/// Somebody asks for new ones. To be shown once.
pub async fn renew(
    backoffice: &Backoffice,
    staff: &Staff,
    caller: &Caller<'_>,
    here: &SessionKey,
) -> Result<Vec<String>, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    super::lock(&mut tx, staff.id).await?;
    let codes = make(backoffice, &mut tx, staff.id).await?;
    // One of the codes before may have let somebody else in.
    sessions::end_others(&mut tx, staff.id, Some(here)).await?;
    let action = "staff.recovery_codes_made";
    note(backoffice, &mut tx, &staff.actor(caller), action, staff.id, json!({})).await?;
    tx.commit().await?;
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = new().unwrap();
        assert_eq!((code.len(), code.matches('-').count()), (27, 3), "{code}");
        let plain = code.replace('-', "");
        for text in
            [code.clone(), plain.clone(), format!(" {} ", code.to_uppercase()), code.replace('-', " ")]
        {
            assert_eq!(typed(&text).as_deref(), Some(plain.as_str()), "{text}");
        }
        for text in ["", "123456", &plain[1..], &format!("{plain}a"), &plain.replace(&plain[..1], "0")] {
            assert_eq!(typed(text), None, "{text}");
        }
        assert_ne!(new().unwrap(), code);
        assert_eq!(hash(&code), hash(&plain));
    }
}
