//! The six digits of an authenticator app (RFC 6238): SHA-1, every thirty seconds, because every app knows that and some
//! nothing else.

use std::ops::RangeInclusive;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qrcode::{QrCode, render::svg};
use time::{Duration, OffsetDateTime};
use totp_rs::{Algorithm, Builder, Totp};
use uuid::Uuid;

use super::{FactorError, FactorRefused, Kind, after_adding, lock};
use crate::{
    Backoffice, Fault,
    kernel::seal::{self, FACTOR},
    staff::{Caller, Staff, accounts::valid_name, sessions::SessionKey},
};

/// Seconds that a code is shown for.
const STEP: u64 = 30;
/// A code of the step before or behind is right: people need time to type, and clocks are a little off.
const SKEW: u16 = 1;
/// Within ten minutes a wrong clock is told from a wrong code.
const TELLS: RangeInclusive<i64> = -20..=20;
/// RFC 4226 asks for 160 bits.
const SECRET_LEN: usize = 20;
/// An app that has not shown a code by then is begun again.
const BEGUN_FOR: Duration = Duration::minutes(15);

/// An app that is being set up.
#[derive(Debug)]
pub struct Begun {
    /// For those who type it: base32, in fours.
    pub secret: String,
    /// The picture to point the app at, as SVG.
    pub qr: String,
    pub begun_at: OffsetDateTime,
}

fn library(error: impl std::fmt::Display) -> Fault {
    Fault::Inconsistent(format!("one-time codes: {error}"))
}

fn generator(secret: &[u8], account: &str) -> Result<Totp, Fault> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(STEP)
        .with_secret(secret.to_vec())
        .with_issuer(Some("Jangbu"))
        // The library takes no colon: it parts the issuer from the account.
        .with_account_name(account.replace(':', " "))
        .build()
        .map_err(library)
}

/// What a code is at a time.
#[derive(Debug, PartialEq, Eq)]
enum Code {
    /// Of this step.
    Right(i64),
    /// Of a clock that is so many minutes off.
    Off(i64),
    Wrong,
}

fn check(totp: &Totp, code: &str, now: u64) -> Code {
    if let Some(step) = totp.check(code, now) {
        return i64::try_from(step).map_or(Code::Wrong, Code::Right);
    }
    let at = |steps: i64| now.checked_add_signed(steps * 30).and_then(|then| totp.check(code, then));
    // The nearest first: a code may be that of two times by chance.
    let mut steps: Vec<i64> = TELLS.collect();
    steps.sort_by_key(|steps| steps.abs());
    match steps.into_iter().find(|steps| at(*steps).is_some()) {
        // Rounded up: a minute and a half is not one.
        Some(steps) => Code::Off((steps.abs() + 1) / 2 * steps.signum()),
        None => Code::Wrong,
    }
}

fn secret_of(backoffice: &Backoffice, sealed: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(backoffice.keys.open(FACTOR, sealed)?).map_err(library)
}

/// Makes a secret that waits for its first code. One that was begun before is forgotten.
pub async fn begin(backoffice: &Backoffice, staff: &Staff) -> Result<(), Fault> {
    let secret = &seal::random()?[..SECRET_LEN];
    let sealed = backoffice.keys.seal(FACTOR, &STANDARD.encode(secret))?;
    let mut tx = backoffice.pool.begin().await?;
    lock(&mut tx, staff.id).await?;
    sqlx::query!("delete from staff_factors where staff_id = $1 and confirmed_at is null", staff.id)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into staff_factors (id, staff_id, kind, name, secret, added_at) values ($1, $2, 'totp', '-', $3, $4)",
        Uuid::now_v7(),
        staff.id,
        sealed,
        backoffice.clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The one that waits for its first code.
pub async fn begun(backoffice: &Backoffice, staff: &Staff) -> Result<Option<Begun>, Fault> {
    let waits = sqlx::query!(
        "select secret, added_at from staff_factors where staff_id = $1 and confirmed_at is null and added_at > $2",
        staff.id,
        backoffice.clock.now() - BEGUN_FOR,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let Some(waits) = waits else { return Ok(None) };
    let totp = generator(&secret_of(backoffice, &waits.secret)?, &staff.email)?;
    let address = totp.to_url().map_err(library)?;
    let parameters = address.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let secret = parameters.split('&').find_map(|pair| pair.strip_prefix("secret=")).unwrap_or_default();
    let fours: Vec<&str> =
        (0..secret.len()).step_by(4).filter_map(|at| secret.get(at..secret.len().min(at + 4))).collect();
    let picture = QrCode::new(&address).map_err(library)?;
    let qr = picture.render::<svg::Color<'_>>().min_dimensions(208, 208).build();
    // A page is no file: what stands in front of the picture does not belong into it.
    let qr = qr.find("<svg").map_or_else(String::new, |at| qr[at..].to_owned());
    Ok(Some(Begun { secret: fours.join(" "), qr, begun_at: waits.added_at }))
}

/// The first code of an app makes it a factor. Codes for bad days, where it is the first one.
pub async fn confirm(
    backoffice: &Backoffice,
    staff: &Staff,
    name: &str,
    code: &str,
    caller: &Caller<'_>,
    here: &SessionKey,
) -> Result<Vec<String>, FactorError> {
    let name = valid_name(name).map_err(|_| FactorRefused::Name)?;
    let mut tx = backoffice.pool.begin().await?;
    lock(&mut tx, staff.id).await?;
    let waits = sqlx::query!(
        "select id, secret from staff_factors where staff_id = $1 and confirmed_at is null and added_at > $2 for update",
        staff.id,
        backoffice.clock.now() - BEGUN_FOR,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let waits = waits.ok_or(FactorRefused::NotBegun)?;
    let totp = generator(&secret_of(backoffice, &waits.secret)?, &staff.email)?;
    let step = match check(&totp, &digits(code), now(&mut tx).await?) {
        Code::Right(step) => step,
        Code::Off(minutes) => return Err(FactorRefused::ClockOff(minutes).into()),
        Code::Wrong => return Err(FactorRefused::Wrong.into()),
    };
    sqlx::query!(
        "update staff_factors set name = $2, confirmed_at = $3, last_step = $4 where id = $1",
        waits.id,
        name,
        backoffice.clock.now(),
        step,
    )
    .execute(&mut *tx)
    .await?;
    let codes = after_adding(backoffice, &mut tx, staff, (Kind::Totp, &name), caller, here).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Only what may be digits: people type spaces between them.
pub(super) fn digits(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace()).take(7).collect()
}

/// Whether one of somebody's apps shows this code now. It is used up.
pub(super) async fn redeem(backoffice: &Backoffice, staff: &Staff, code: &str) -> Result<(), FactorError> {
    let mut tx = backoffice.pool.begin().await?;
    let apps = sqlx::query!(
        "select id, secret, last_step from staff_factors
         where staff_id = $1 and kind = 'totp' and confirmed_at is not null order by added_at for update",
        staff.id,
    )
    .fetch_all(&mut *tx)
    .await?;
    let now = now(&mut tx).await?;
    let mut refused = FactorRefused::Wrong;
    for app in apps {
        let totp = generator(&secret_of(backoffice, &app.secret)?, &staff.email)?;
        match check(&totp, code, now) {
            Code::Right(step) if app.last_step.is_none_or(|last| last < step) => {
                sqlx::query!(
                    "update staff_factors set last_step = $2, last_used_at = $3 where id = $1",
                    app.id,
                    step,
                    backoffice.clock.now(),
                )
                .execute(&mut *tx)
                .await?;
                tx.commit().await?;
                return Ok(());
            }
            Code::Right(_) => refused = FactorRefused::Used,
            Code::Off(minutes) => refused = FactorRefused::ClockOff(minutes),
            Code::Wrong => {}
        }
    }
    Err(refused.into())
}

/// Real time, by the database, also where the clock of a rehearsal is turned: an app knows no other.
async fn now(connection: &mut sqlx::PgConnection) -> Result<u64, Fault> {
    let seconds = sqlx::query_scalar!(r#"select floor(extract(epoch from now()))::bigint as "now!""#)
        .fetch_one(connection)
        .await?;
    u64::try_from(seconds).map_err(|_| Fault::Inconsistent("the database lives before 1970".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 6238, appendix B, SHA-1: eight digits there, of which six are the last six.
    const VECTORS: [(u64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let totp = generator(SECRET, "a@example.com").unwrap();
        for (time, code) in VECTORS {
            let step = i64::try_from(time / 30).unwrap();
            assert_eq!(check(&totp, &code[2..], time), Code::Right(step), "{time}");
            assert_eq!(check(&totp, &code[2..], time + 30), Code::Right(step), "a step later");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_told_from_a_wrong_code() {
        let totp = generator(SECRET, "a@example.com").unwrap();
        let (time, code) = VECTORS[3];
        let code = &code[2..];
        assert_eq!(check(&totp, code, time + 120), Code::Off(-2));
        assert_eq!(check(&totp, code, time - 120), Code::Off(2));
        assert_eq!(check(&totp, code, time + 3600), Code::Wrong);
        for wrong in ["", "12345", "1234567", "abcdef", "００５９２４", "89005924"] {
            assert_eq!(check(&totp, wrong, time), Code::Wrong, "{wrong}");
        }
        assert_eq!(digits(" 005 924 "), "005924");
    }
}
