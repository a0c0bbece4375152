//! Where the books are: at `DATABASE_URL`, or in a private PostgreSQL that we start ourselves.

use anyhow::Context;
use backoffice::PgPool;

use crate::{postgres::Private, settings::Settings};

pub async fn connect(url: &str, connections: u32) -> anyhow::Result<PgPool> {
    backoffice::connect(url, connections).await.context("DATABASE_URL: PostgreSQL cannot be reached")
}

/// The database of this process; a private one ends with it.
#[derive(Debug)]
pub struct Database {
    pub url: String,
    private: Option<Private>,
}

impl Database {
    pub async fn of(settings: &Settings) -> anyhow::Result<Self> {
        match &settings.database_url {
            Some(url) => Ok(Self { url: url.clone(), private: None }),
            None => {
                let data_dir = settings.data_dir.clone();
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
