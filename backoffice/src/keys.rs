//! The keys that seal what a dump must not tell: which of them a database belongs to.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Decode, Encode, PgPool, Postgres, Type, postgres::PgHasArrayType};

use crate::{
    Fault,
    kernel::seal::{self, COLUMNS, DataKey, Form, Keyring},
};

/// Rows sealed in one statement.
const AT_ONCE: i64 = 500;

/// Why a database and a key do not belong together. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the database is sealed with the key {sealed_with}, and this is {given}")]
    Other { sealed_with: String, given: String },
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// The id of the key that the database is sealed with; nothing for one that has never been.
pub async fn sealed_with(pool: &PgPool) -> Result<Option<String>, Fault> {
    let index = sqlx::query_scalar!("select index_key from data_keys").fetch_optional(pool).await?;
    Ok(index.and_then(|index| seal::key_id(&index).map(str::to_owned)))
}

/// The ring for this database. A database that has no keys yet gets them.
pub async fn ring(pool: &PgPool, current: DataKey, previous: Vec<DataKey>) -> Result<Keyring, KeyError> {
    let index = Keyring::new_index(&current)?;
    sqlx::query!("insert into data_keys (index_key) values ($1) on conflict do nothing", index)
        .execute(pool)
        .await?;
    let index = sqlx::query_scalar!("select index_key from data_keys").fetch_one(pool).await?;
    let sealed_with = seal::key_id(&index).unwrap_or("?").to_owned();
    if current.id() != sealed_with && previous.iter().all(|key| key.id() != sealed_with) {
        return Err(KeyError::Other { sealed_with, given: current.id().to_owned() });
    }
    Ok(Keyring::of(current, previous, &index)?)
}

/// Seals what versions before this one have kept in the clear. Once done it is not looked for again.
pub async fn seal_clear(pool: &PgPool, keys: &Keyring) -> Result<(), Fault> {
    let done = sqlx::query_scalar!(r#"select sealed_at is not null as "done!" from data_keys"#);
    if done.fetch_one(pool).await? {
        return Ok(());
    }
    for (column, form) in COLUMNS {
        // A row that is written to meanwhile may lie before where we are.
        loop {
            let mut sealed = 0;
            for table in tables(pool, column).await? {
                sealed += reseal(pool, keys, &Place { table, column, form, key: None }, &mut |_| {}).await?;
            }
            if sealed == 0 {
                break;
            }
            tracing::info!(rows = sealed, column, "sealed what was in the clear");
        }
    }
    sqlx::query!("update data_keys set sealed_at = now()").execute(pool).await?;
    Ok(())
}

/// How far a rotation is, in pages of PostgreSQL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    pub pages: u64,
    pub of: u64,
}

/// Seals with the current key whatever is sealed with another one. Stopped at any moment, it goes on where it was: every
/// value says which key it has. Gives the number of values that were sealed anew.
pub async fn rotate(
    pool: &PgPool,
    keys: &Keyring,
    mut progress: impl FnMut(Rotated) + Send,
) -> Result<u64, Fault> {
    let index = sqlx::query_scalar!("select index_key from data_keys").fetch_one(pool).await?;
    sqlx::query!("update data_keys set index_key = $1", keys.reseal_index(&index)?).execute(pool).await?;
    let mut places = Vec::new();
    for (column, form) in COLUMNS {
        for table in tables(pool, column).await? {
            let pages = sqlx::query_scalar!(
                r#"select (pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint) as "pages!""#,
                table
            )
            .fetch_one(pool)
            .await?;
            let key = Some(keys.current());
            places.push((Place { table, column, form, key }, u64::try_from(pages).unwrap_or_default()));
        }
    }
    let of = places.iter().map(|(_, pages)| pages).sum();
    let mut sealed = 0;
    loop {
        let (mut before, mut in_this_turn) = (0, 0);
        for (place, pages) in &places {
            let mut at = |page: u64| progress(Rotated { pages: (before + page).min(of), of });
            in_this_turn += reseal(pool, keys, place, &mut at).await?;
            before += pages;
        }
        // A process that still has the old key may have written behind our back.
        if in_this_turn == 0 {
            return Ok(sealed);
        }
        sealed += in_this_turn;
    }
}

/// A sealed column in one table, and the key that its values are to have: nothing for any.
struct Place<'a> {
    table: String,
    column: &'static str,
    form: Form,
    key: Option<&'a str>,
}

/// The table that a sealed column is in: its months, where it is cut into months.
async fn tables(pool: &PgPool, column: &str) -> Result<Vec<String>, Fault> {
    let (table, _) = column.split_once('.').ok_or_else(|| no_column(column))?;
    let months = sqlx::query_scalar!(
        r#"select inhrelid::regclass::text as "month!" from pg_inherits where inhparent = $1::text::regclass order by 1"#,
        table
    )
    .fetch_all(pool)
    .await?;
    Ok(if months.is_empty() { vec![table.to_owned()] } else { months })
}

fn no_column(context: &str) -> Fault {
    Fault::Inconsistent(format!("{context} is no column"))
}

/// Seals every value of a place that is not sealed as it is to be.
async fn reseal(
    pool: &PgPool,
    keys: &Keyring,
    place: &Place<'_>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, Fault> {
    let context = place.column;
    match place.form {
        Form::Text => {
            reseal_as(pool, place, progress, |old: &String| Ok((keys.reseal(context, old)?, None))).await
        }
        Form::Indexed(_, normal) => {
            let new = |old: &String| {
                // What is sealed has its hash, which does not change with the key.
                let clear = seal::key_id(old).is_none().then(|| normal(old)).flatten();
                Ok((keys.reseal(context, old)?, clear.map(|clear| keys.index(context, clear))))
            };
            reseal_as(pool, place, progress, new).await
        }
        Form::Bytes => {
            reseal_as(pool, place, progress, |old: &Vec<u8>| Ok((keys.reseal_bytes(context, old)?, None)))
                .await
        }
        Form::Json => {
            let new = |old: &Value| Ok((keys.reseal_json(context, old.clone())?, None));
            reseal_as(pool, place, progress, new).await
        }
    }
}

/// In the order in which the values lie; `new` gives the sealed value, and its hash where it is found by one.
async fn reseal_as<T>(
    pool: &PgPool,
    place: &Place<'_>,
    progress: &mut (dyn FnMut(u64) + Send),
    new: impl Fn(&T) -> Result<(T, Option<String>), Fault>,
) -> Result<u64, Fault>
where
    T: PartialEq + PgHasArrayType + Type<Postgres> + Unpin + Send + Sync,
    T: for<'r> Decode<'r, Postgres> + for<'r> Encode<'r, Postgres>,
{
    let (_, column) = place.column.split_once('.').ok_or_else(|| no_column(place.column))?;
    let (table, form) = (&place.table, place.form);
    let kind = match form {
        Form::Text | Form::Indexed(..) => "text",
        Form::Bytes => "bytea",
        Form::Json => "jsonb",
    };
    let select = format!(
        "select ctid::text, {column} from {table} where ctid > $1::text::tid and {column} is not null and {}
         order by ctid limit {AT_ONCE}",
        seal::not_sealed(form, column, place.key)
    );
    let set_hash = match form {
        Form::Indexed(hash, _) => format!(", {hash} = coalesce(x.hash, t.{hash})"),
        _ => String::new(),
    };
    let update = format!(
        "update {table} t set {column} = x.sealed{set_hash}
         from unnest($1::text[], $2::{kind}[], $3::{kind}[], $4::text[]) as x(at, old, sealed, hash)
         where t.ctid = x.at::tid and t.{column} = x.old"
    );
    let (mut last, mut count) = ("(0,0)".to_owned(), 0);
    loop {
        let rows: Vec<(String, T)> =
            sqlx::query_as(AssertSqlSafe(select.clone())).bind(&last).fetch_all(pool).await?;
        let Some((at, _)) = rows.last() else { return Ok(count) };
        last.clone_from(at);
        let (mut at, mut olds, mut sealed, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (place, old) in rows {
            let (value, hash) = new(&old)?;
            if value != old {
                at.push(place);
                olds.push(old);
                sealed.push(value);
                hashes.push(hash);
            }
        }
        // A row that has moved meanwhile is met again, here or in the next turn.
        let written = sqlx::query(AssertSqlSafe(update.clone()))
            .bind(at)
            .bind(olds)
            .bind(sealed)
            .bind(hashes)
            .execute(pool)
            .await?;
        count += written.rows_affected();
        let page = last.trim_start_matches('(').split(',').next().and_then(|page| page.parse().ok());
        progress(page.unwrap_or_default());
    }
}
