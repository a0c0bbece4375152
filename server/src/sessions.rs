//! Sessions in PostgreSQL. The cookie's value is never stored, only its hash; how long a session lives is decided in
//! `backoffice::staff::sessions`.

use app::context::SESSION_STAFF;
use async_trait::async_trait;
use backoffice::{
    PgPool,
    staff::sessions::{self, SessionKey},
};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    Expiry, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::{self, Error},
};
use uuid::Uuid;

use crate::settings::Settings;

#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: PgPool,
    idle: Duration,
}

pub(crate) fn key(id: &Id) -> SessionKey {
    SessionKey::of(&id.0.to_be_bytes())
}

fn backend(fault: backoffice::Fault) -> Error {
    Error::Backend(fault.to_string())
}

fn parts(record: &Record) -> Result<(Option<Uuid>, Value), Error> {
    let data = serde_json::to_value(&record.data).map_err(|e| Error::Encode(e.to_string()))?;
    let staff = record.data.get(SESSION_STAFF).and_then(Value::as_str).and_then(|id| id.parse().ok());
    Ok((staff, data))
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let (staff, data) = parts(record)?;
        while !sessions::create(&self.pool, &key(&record.id), staff, &data, self.idle)
            .await
            .map_err(backend)?
        {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let (staff, data) = parts(record)?;
        sessions::save(&self.pool, &key(&record.id), staff, &data).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let Some(data) = sessions::load(&self.pool, &key(id)).await.map_err(backend)? else {
            return Ok(None);
        };
        let data = serde_json::from_value(data).map_err(|e| Error::Decode(e.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date: far_away() }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        sessions::end(&self.pool, &key(id)).await.map_err(backend)
    }
}

/// The library asks for a date; the database decides.
#[expect(
    clippy::disallowed_methods,
    reason = "a cookie lives in real time, also when a sandbox clock is turned"
)]
fn far_away() -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(1)
}

pub(crate) fn layer(settings: &Settings, pool: PgPool) -> SessionManagerLayer<Store> {
    // A cookie called __Host- is tied to this very host, and has to have the path /.
    let own_host = settings.is_https() && settings.base_path.is_empty();
    let path = if settings.base_path.is_empty() { "/".to_owned() } else { settings.base_path.clone() };
    SessionManagerLayer::new(Store { pool, idle: settings.session_idle })
        .with_name(if own_host { "__Host-jangbu" } else { "jangbu_session" })
        .with_secure(settings.is_https())
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path(path)
        .with_expiry(Expiry::OnSessionEnd)
}
