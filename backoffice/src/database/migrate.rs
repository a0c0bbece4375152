//! The tables and their versions. Only their owner brings them up to date; whoever else connects looks whether they are.

use sqlx::{PgPool, Row};

use super::connect;
use crate::queue;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("the tables could not be brought up to date: {0}")]
    Tables(#[from] sqlx::migrate::MigrateError),
    #[error("the job tables could not be brought up to date: {0}")]
    Jobs(#[from] graphile_worker::WorkerBuildError),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Only whoever owns the tables may make them what this program needs.
    #[error(
        "the tables are of version {found}, this program needs {needed}, and {role} does not own them: run `jangbu migrate` as their owner"
    )]
    Behind { role: String, found: i64, needed: i64 },
    #[error("{role} may not read all tables, or there are none: run `jangbu migrate` as their owner")]
    Closed { role: String },
}

/// Whose the tables are that a process works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tables {
    /// Its own: it has brought them up to date.
    Own,
    /// Somebody else's: they are up to date, and this role changes nothing about them.
    Lent { role: String },
}

/// Creates the schema and brings it up to date; safe to run from several processes at once.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    // Fails when two processes create it at the same moment: the second then finds it there.
    if let Err(error) = sqlx::query("create schema if not exists jangbu").execute(pool).await {
        tracing::debug!(%error, "create schema");
    }
    MIGRATOR.run(pool).await?;
    queue::migrate(pool).await?;
    Ok(())
}

/// What a process does before it works: the owner brings the tables up to date, everybody else looks whether they are.
pub async fn prepare(pool: &PgPool) -> Result<Tables, MigrateError> {
    let (role, owns): (String, bool) = sqlx::query_as(
        "select current_user::text,
                coalesce((select pg_has_role(nspowner, 'usage') from pg_namespace where nspname = 'jangbu'),
                         has_database_privilege(current_database(), 'create'))",
    )
    .fetch_one(pool)
    .await?;
    if owns {
        migrate(pool).await?;
        return Ok(Tables::Own);
    }
    let applied = match sqlx::query("select version, checksum from _sqlx_migrations order by version")
        .fetch_all(pool)
        .await
    {
        Ok(rows) => rows,
        // undefined_table, insufficient_privilege
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "42501")) => {
            return Err(MigrateError::Closed { role });
        }
        Err(error) => return Err(error.into()),
    };
    let mut found = 0;
    for row in applied {
        let (version, checksum): (i64, Vec<u8>) = (row.try_get("version")?, row.try_get("checksum")?);
        match MIGRATOR.iter().find(|ours| ours.version == version) {
            Some(ours) if *ours.checksum == *checksum => found = version,
            Some(_) => return Err(sqlx::migrate::MigrateError::VersionMismatch(version).into()),
            None => return Err(sqlx::migrate::MigrateError::VersionMissing(version).into()),
        }
    }
    let needed = MIGRATOR.iter().map(|ours| ours.version).max().unwrap_or_default();
    if found < needed {
        return Err(MigrateError::Behind { role, found, needed });
    }
    // New tables are made by a command, and given by the next one.
    let closed: bool = sqlx::query_scalar(
        "select exists (select from pg_class where relnamespace = 'jangbu'::regnamespace and relkind in ('r', 'p', 'v')
                        and not has_table_privilege(oid, 'select'))",
    )
    .fetch_one(pool)
    .await?;
    if closed {
        return Err(MigrateError::Closed { role });
    }
    queue::migrate(pool).await?;
    Ok(Tables::Lent { role })
}

/// A fresh database of this name beside the one in the URL, with every table in it; its URL. For tests.
pub async fn create_migrated(url: &str, name: &str) -> Result<String, MigrateError> {
    let pool = connect(url, 2).await?;
    let quoted = format!("\"{}\"", name.replace('"', ""));
    for statement in
        [format!("drop database if exists {quoted} with (force)"), format!("create database {quoted}")]
    {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await?;
    }
    let (server, _) = url.rsplit_once('/').unwrap_or((url, ""));
    let url = format!("{server}/{name}");
    let pool = connect(&url, 2).await?;
    migrate(&pool).await?;
    pool.close().await;
    Ok(url)
}
