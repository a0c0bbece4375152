//! The way to PostgreSQL: connections, the tables and their versions, and who may do what in them.

mod migrate;
mod roles;

use std::time::Duration;

use sqlx::{
    Connection as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use self::{
    migrate::{MigrateError, Tables, create_migrated, migrate, prepare},
    roles::grant,
};

/// Every table lives here, so that a host's own tables are never in the way.
pub const SCHEMA: &str = "jangbu";

/// A connection that was used so recently is taken to be alive.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// A pool whose connections look into our schema first.
pub async fn connect(database_url: &str, max_connections: u32) -> Result<PgPool, sqlx::Error> {
    // Pages read a few rows by index: compiling their queries first takes longer than they do.
    connect_with(database_url, max_connections, &[("jit", "off")]).await
}

/// The same with settings of PostgreSQL's for each connection.
pub(crate) async fn connect_with(
    database_url: &str,
    max_connections: u32,
    settings: &[(&str, &str)],
) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = database_url.parse()?;
    let name = options.get_application_name().unwrap_or("jangbu").to_owned();
    let options = options.options([("search_path", SCHEMA)]).options(settings.iter().copied());
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        // One that has just answered is not asked first whether it still does: that would be a way more for every query.
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options.application_name(&name))
        .await
}
