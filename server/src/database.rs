//! Where the books are: at `DATABASE_URL`, or in a private PostgreSQL that we start ourselves.

use std::path::Path;

use anyhow::Context;
use backoffice::PgPool;

use crate::postgres::Private;

pub async fn connect(url: &str, connections: u32) -> anyhow::Result<PgPool> {
    backoffice::database::connect(url, connections)
        .await
        .context("DATABASE_URL: PostgreSQL cannot be reached")
}

/// The database of this process; a private one ends with it.
#[derive(Debug)]
pub struct Database {
    pub url: String,
    private: Option<Private>,
}

impl Database {
    /// `url` is `DATABASE_URL`; without it the private one in `data_dir` is started.
    pub async fn of(url: Option<&str>, data_dir: &Path) -> anyhow::Result<Self> {
        match url {
            Some(url) => Ok(Self { url: url.to_owned(), private: None }),
            None => {
                let data_dir = data_dir.to_owned();
                let private = tokio::task::spawn_blocking(move || Private::start(&data_dir)).await??;
                Ok(Self { url: private.url.clone(), private: Some(private) })
            }
        }
    }

    /// Stops a private PostgreSQL that this process started.
    pub async fn close(self) {
        if let Some(private) = self.private
            && let Err(error) = tokio::task::spawn_blocking(move || private.stop()).await
        {
            tracing::warn!(%error, "the private PostgreSQL was not stopped");
        }
    }
}
