//! The keys that seal what a dump must not tell: which of them a database belongs to.

use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    Fault,
    kernel::seal::{self, DataKey, Keyring},
};

/// Every column that is sealed: `(table, column)`. What is sealed knows its column as `table.column`.
const COLUMNS: [(&str, &str); 3] = [
    ("payments", "refund_receive_account"),
    ("refunds", "refund_account"),
    ("refund_batch_lines", "account"),
];

/// Rows sealed in one transaction.
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

/// Seals what versions before this one have kept in the clear. Nothing is left to do the next time.
pub async fn seal_clear(pool: &PgPool, keys: &Keyring) -> Result<(), Fault> {
    for (table, column) in COLUMNS {
        let context = format!("{table}.{column}");
        let select = format!(
            "select ctid::text, {column} from {table} where {column} is not null and {column} not like 'v1.%' limit {AT_ONCE}"
        );
        let update = format!(
            "update {table} t set {column} = x.sealed from unnest($1::text[], $2::text[], $3::text[]) as x(at, clear, sealed)
             where t.ctid = x.at::tid and t.{column} = x.clear"
        );
        loop {
            let clear: Vec<(String, String)> =
                sqlx::query_as(AssertSqlSafe(select.clone())).fetch_all(pool).await?;
            if clear.is_empty() {
                break;
            }
            let sealed: Result<Vec<String>, Fault> =
                clear.iter().map(|(_, text)| keys.seal(&context, text)).collect();
            let (at, texts): (Vec<String>, Vec<String>) = clear.into_iter().unzip();
            // A row that has moved meanwhile is found again.
            sqlx::query(AssertSqlSafe(update.clone()))
                .bind(&at)
                .bind(&texts)
                .bind(sealed?)
                .execute(pool)
                .await?;
            tracing::info!(rows = at.len(), column = context, "sealed what was in the clear");
        }
    }
    Ok(())
}
