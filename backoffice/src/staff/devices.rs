//! The browsers that somebody has come in with. Each keeps a cookie, of which only a hash is kept here. On a device that is
//! known nobody is delayed by what others try, and each of a person's devices is told of those that came after it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Staff, sessions::SessionKey};
use crate::{
    Backoffice, Fault,
    audit::{self, Act},
    kernel::{
        seal::{self, Keyring},
        text::hex,
    },
    security::{self, Event, Kind},
};

/// How long a device is known after it was last used.
pub const LIFE: Duration = Duration::days(180);
/// A program without cookies is a new device each time.
const MOST: i64 = 20;

/// What the cookie holds: 32 random bytes, and a keyed hash of them. By that we know our own before the database is asked:
/// in a crowd there is a line for those who have come in before, and what anybody can make up does not stand in it.
#[derive(Debug, Clone)]
pub struct DeviceKey(SecretString);

impl DeviceKey {
    fn new(keys: &Keyring) -> Result<Self, Fault> {
        Ok(Self::sealed(keys, &URL_SAFE_NO_PAD.encode(seal::random()?)))
    }

    fn sealed(keys: &Keyring, random: &str) -> Self {
        Self(format!("{random}.{}", keys.index("staff_devices.cookie", random)).into())
    }

    /// What a browser sent, if it is one of ours.
    pub fn parse(keys: &Keyring, text: &str) -> Option<Self> {
        let (random, _) = text.split_once('.')?;
        let ours = Self::sealed(keys, random);
        // By their hashes: how much of them is equal tells nobody anything.
        (Sha256::digest(ours.expose()) == Sha256::digest(text)).then_some(ours)
    }

    /// For the cookie.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.expose().as_bytes()).to_vec()
    }

    /// What it is called on a page and in a session: nobody is it by that.
    pub fn id(&self) -> String {
        hex(&self.hash())
    }
}

/// From where somebody comes.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Empty where a host does not pass it on.
    pub ip: &'a str,
    /// What the browser calls itself.
    pub agent: &'a str,
    pub device: Option<&'a DeviceKey>,
    /// Somebody else says who they are: a host, or a provider.
    pub is_known_elsewhere: bool,
}

impl<'a> Caller<'a> {
    /// Of which nothing is known but the address.
    pub fn at(ip: &'a str) -> Self {
        Self { ip, agent: "", device: None, is_known_elsewhere: false }
    }
}

/// One of somebody's devices.
#[derive(Debug, Clone)]
pub struct Device {
    pub id: String,
    pub agent: String,
    pub ip: String,
    pub first_seen_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
}

/// A browser that somebody has come in with.
#[derive(Debug)]
pub struct Arrival {
    /// What its cookie has to hold.
    pub device: DeviceKey,
    /// The account was used before, and never with this one.
    pub is_news: bool,
}

/// Somebody has shown who they are, in whichever way, and comes in: their device is known from now on.
/// `how`: where else they were identified, for whoever reads of it.
pub async fn arrive(
    backoffice: &Backoffice,
    staff: &Staff,
    caller: &Caller<'_>,
    how: Value,
) -> Result<Arrival, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    // Two at once: one of them is the first.
    sqlx::query!("select id from staff where id = $1 for no key update", staff.id)
        .fetch_one(&mut *tx)
        .await?;
    // One that nobody has come in with may have been planted; one browser may serve several people.
    let sent = caller.device.map(|device| device.hash());
    let is_ours = sqlx::query_scalar!(
        r#"select exists (select 1 from staff_devices where device_hash = $1) as "is!""#,
        sent
    )
    .fetch_one(&mut *tx)
    .await?;
    let device = match caller.device {
        Some(device) if is_ours => device.clone(),
        _ => DeviceKey::new(&backoffice.keys)?,
    };
    let others = sqlx::query_scalar!(
        r#"select count(*) as "n!" from staff_devices where staff_id = $1 and device_hash <> $2"#,
        staff.id,
        device.hash(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let agent: String = caller.agent.chars().take(200).collect();
    let is_new = sqlx::query_scalar!(
        r#"with moment as materialized (select clock_timestamp() as at)
           insert into staff_devices (staff_id, device_hash, agent, ip, first_seen_at, last_seen_at, told_at)
           select $1, $2, $3, $4, at, at, at from moment
           on conflict (staff_id, device_hash)
           do update set last_seen_at = excluded.last_seen_at, agent = excluded.agent, ip = excluded.ip
           returning first_seen_at = last_seen_at as "is_new!""#,
        staff.id,
        device.hash(),
        agent,
        caller.ip,
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query!(
        "delete from staff_devices where staff_id = $1 and device_hash in
            (select device_hash from staff_devices where staff_id = $1 order by last_seen_at desc offset $2)",
        staff.id,
        MOST,
    )
    .execute(&mut *tx)
    .await?;
    let now = backoffice.clock.now();
    sqlx::query!("update staff set last_login_at = $2 where id = $1", staff.id, now)
        .execute(&mut *tx)
        .await?;
    let event = |kind| Event::of(kind, staff.id, caller.ip, caller.agent);
    security::record(&mut tx, backoffice, Event { detail: how.clone(), ..event(Kind::LogIn) }).await?;
    let is_news = is_new && others > 0;
    if is_news {
        security::record(&mut tx, backoffice, event(Kind::NewDevice)).await?;
    }
    let subject = staff.id.to_string();
    let act = Act { action: "staff.logged_in", subject_kind: "staff", subject: &subject, detail: how };
    audit::record(&mut tx, now, &staff.actor(caller), act).await?;
    tx.commit().await?;
    Ok(Arrival { device, is_news })
}

/// Somebody's devices, the last used first.
pub async fn of_staff(pool: &PgPool, staff: Uuid) -> Result<Vec<Device>, Fault> {
    let devices = sqlx::query_as!(
        Device,
        r#"select encode(device_hash, 'hex') as "id!", agent, ip, first_seen_at, last_seen_at
           from staff_devices where staff_id = $1 order by last_seen_at desc"#,
        staff,
    )
    .fetch_all(pool)
    .await?;
    Ok(devices)
}

/// Devices that came after the one of this session, and of which it was not told yet; the newest first.
pub async fn news(pool: &PgPool, here: &SessionKey) -> Result<Vec<Device>, Fault> {
    let devices = sqlx::query_as!(
        Device,
        r#"select encode(d.device_hash, 'hex') as "id!", d.agent, d.ip, d.first_seen_at, d.last_seen_at
           from staff_sessions s
           join staff_devices h on h.staff_id = s.staff_id
                               and h.device_hash = decode(s.data->'opened'->>'device', 'hex')
           join staff_devices d on d.staff_id = s.staff_id and d.first_seen_at > h.told_at
           where s.id_hash = $1 order by d.first_seen_at desc"#,
        here.hash(),
    )
    .fetch_all(pool)
    .await?;
    Ok(devices)
}

/// Somebody has seen the news up to the device `id`, on the device of this session. On another one it is said there:
/// whoever came in uninvited cannot take it from the screen of the person whose account it is.
pub async fn confirm(
    backoffice: &Backoffice,
    staff: &Staff,
    here: &SessionKey,
    id: &str,
    caller: &Caller<'_>,
) -> Result<(), Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let told = sqlx::query!(
        "update staff_devices h set told_at = d.first_seen_at
         from staff_sessions s, staff_devices d
         where s.id_hash = $1 and s.staff_id = $2 and h.staff_id = $2 and d.staff_id = $2
           and h.device_hash = decode(s.data->'opened'->>'device', 'hex')
           and encode(d.device_hash, 'hex') = $3 and d.first_seen_at > h.told_at",
        here.hash(),
        staff.id,
        id,
    )
    .execute(&mut *tx)
    .await?;
    if told.rows_affected() == 0 {
        return Ok(());
    }
    let subject = staff.id.to_string();
    let act =
        Act { action: "staff.device_confirmed", subject_kind: "staff", subject: &subject, detail: json!({}) };
    audit::record(&mut tx, backoffice.clock.now(), &staff.actor(caller), act).await?;
    tx.commit().await?;
    Ok(())
}

/// Somebody forgets one of their devices, and ends what is open on it, except here. False when there is none.
pub async fn forget(
    backoffice: &Backoffice,
    staff: &Staff,
    id: &str,
    here: Option<&SessionKey>,
    caller: &Caller<'_>,
) -> Result<bool, Fault> {
    let here = here.map(SessionKey::hash).unwrap_or_default();
    let mut tx = backoffice.pool.begin().await?;
    let gone = sqlx::query!(
        "delete from staff_devices where staff_id = $1 and encode(device_hash, 'hex') = $2",
        staff.id,
        id,
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() == 0 {
        return Ok(false);
    }
    let ended = sqlx::query!(
        "delete from staff_sessions where staff_id = $1 and data->'opened'->>'device' = $2 and id_hash <> $3",
        staff.id,
        id,
        here,
    )
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "sessions": ended.rows_affected() });
    let event = Event {
        detail: detail.clone(),
        ..Event::of(Kind::DeviceForgotten, staff.id, caller.ip, caller.agent)
    };
    security::record(&mut tx, backoffice, event).await?;
    let subject = staff.id.to_string();
    let act = Act { action: "staff.device_forgotten", subject_kind: "staff", subject: &subject, detail };
    audit::record(&mut tx, backoffice.clock.now(), &staff.actor(caller), act).await?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn delete_old(pool: &PgPool) -> Result<(), Fault> {
    sqlx::query!("delete from staff_devices where last_seen_at < now() - interval '180 days'")
        .execute(pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataKey;

    #[test]
    fn a_device_is_of_our_making_and_never_shows() {
        let key = DataKey::rehearsal().unwrap();
        let ring = || {
            let index = Keyring::new_index(&key).unwrap();
            Keyring::of(key.clone(), Vec::new(), &index).unwrap()
        };
        let (keys, others) = (ring(), ring());
        let device = DeviceKey::new(&keys).unwrap();
        let again = DeviceKey::parse(&keys, device.expose()).unwrap();
        assert_eq!(again.id(), device.id());
        assert!(!format!("{device:?}").contains(device.expose()));
        assert!(DeviceKey::parse(&others, device.expose()).is_none());
        let (random, hash) = device.expose().split_once('.').unwrap();
        assert_eq!((random.len(), hash.len()), (43, 32));
        let made_up = format!("{}.{hash}", "A".repeat(43));
        for text in [
            "",
            ".",
            "x",
            "a b",
            random,
            &made_up,
            &format!("{random}."),
            &format!("{random}.{}", "0".repeat(32)),
        ] {
            assert!(DeviceKey::parse(&keys, text).is_none(), "{text}");
        }
    }
}
