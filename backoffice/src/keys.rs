//! The keys that seal what a dump must not tell: which of them a database belongs to.

use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    Fault,
    kernel::seal::{self, COLUMNS, DataKey, Keyring},
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
    for column in COLUMNS {
        // A row that is written to meanwhile may lie before where we are.
        loop {
            let sealed = reseal(pool, keys, column, &seal::like(None), &mut |_| {}).await?;
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
    let current = seal::like(Some(keys.current()));
    let mut sizes = Vec::new();
    for (table, _) in COLUMNS.into_iter().filter_map(|column| column.split_once('.')) {
        let pages = sqlx::query_scalar!(
            r#"select (pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint) as "pages!""#,
            table
        )
        .fetch_one(pool)
        .await?;
        sizes.push(u64::try_from(pages).unwrap_or_default());
    }
    let of = sizes.iter().sum();
    let mut sealed = 0;
    loop {
        let (mut before, mut in_this_turn) = (0, 0);
        for (column, size) in COLUMNS.into_iter().zip(&sizes) {
            let mut at = |page: u64| progress(Rotated { pages: (before + page).min(of), of });
            in_this_turn += reseal(pool, keys, column, &current, &mut at).await?;
            before += size;
        }
        // A process that still has the old key may have written behind our back.
        if in_this_turn == 0 {
            return Ok(sealed);
        }
        sealed += in_this_turn;
    }
}

/// Seals every value of a column that is not like `done`, in the order in which they lie.
async fn reseal(
    pool: &PgPool,
    keys: &Keyring,
    context: &str,
    done: &str,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, Fault> {
    let (table, column) =
        context.split_once('.').ok_or_else(|| Fault::Inconsistent(format!("{context} is no column")))?;
    let select = format!(
        "select ctid::text, {column} from {table}
         where ctid > $1::text::tid and {column} is not null and {column} not like $2 order by ctid limit {AT_ONCE}"
    );
    let update = format!(
        "update {table} t set {column} = x.sealed from unnest($1::text[], $2::text[], $3::text[]) as x(at, old, sealed)
         where t.ctid = x.at::tid and t.{column} = x.old"
    );
    let (mut last, mut count) = ("(0,0)".to_owned(), 0);
    loop {
        let old: Vec<(String, String)> =
            sqlx::query_as(AssertSqlSafe(select.clone())).bind(&last).bind(done).fetch_all(pool).await?;
        let Some((at, _)) = old.last() else { return Ok(count) };
        last.clone_from(at);
        let seal = |text: &String| match seal::key_id(text) {
            Some(_) => keys.seal(context, &keys.open(context, text)?),
            None => keys.seal(context, text),
        };
        let sealed = old.iter().map(|(_, text)| seal(text)).collect::<Result<Vec<_>, Fault>>()?;
        let (at, texts): (Vec<String>, Vec<String>) = old.into_iter().unzip();
        // A row that has moved meanwhile is met again, here or in the next turn.
        let written = sqlx::query(AssertSqlSafe(update.clone()))
            .bind(&at)
            .bind(&texts)
            .bind(sealed)
            .execute(pool)
            .await?;
        count += written.rows_affected();
        let page = last.trim_start_matches('(').split(',').next().and_then(|page| page.parse().ok());
        progress(page.unwrap_or_default());
    }
}
