//! What somebody may ask of us about their own data (개인정보 보호법, articles 35 to 37): what we have of them, a copy of it, and
//! that it is erased. What the law has us keep is restricted until its time is up: nobody sees it, and nothing is done with it.
//!
//! Rows of the audit log are never touched for it, because nothing in them is anybody's.

mod copy;
mod erase;
mod expire;
mod find;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::apps_in_toss::UserKey;
use uuid::Uuid;

pub use self::{
    copy::Source,
    erase::{EraseError, Erased, erase},
    find::{Found, find, note_find, orders_of},
};
pub(crate) use self::{
    copy::{Line, copy_of_orders, copy_of_user},
    expire::expire,
    find::users_of,
};
use crate::{
    Backoffice, Fault,
    audit::{
        self, Act, Actor,
        access::{self, Access, Whose},
    },
    kernel::personal,
};

/// Somebody, by what they have told us of themselves. Who says so is to be checked before anything is given out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Person {
    /// Digits, as they are dialled within Korea.
    pub phone: Option<String>,
    /// In small letters.
    pub email: Option<String>,
    /// Of the mini-app.
    pub user_key: Option<i64>,
    pub order_id: Option<String>,
}

/// What of it is no such thing, by the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPerson {
    Phone,
    Email,
    UserKey,
    OrderId,
    Nothing,
}

impl Person {
    pub fn parse(phone: &str, email: &str, user_key: &str, order_id: &str) -> Result<Self, NoPerson> {
        fn one<T>(
            text: &str,
            parse: impl Fn(&str) -> Option<T>,
            no: NoPerson,
        ) -> Result<Option<T>, NoPerson> {
            match text.trim() {
                "" => Ok(None),
                text => parse(text).map(Some).ok_or(no),
            }
        }
        let is_id = |id: &str| (id.len() <= 64 && !id.contains('\0')).then(|| id.to_owned());
        let person = Self {
            phone: one(phone, personal::phone, NoPerson::Phone)?,
            email: one(email, personal::email, NoPerson::Email)?,
            user_key: one(user_key, |text| UserKey::parse(text).map(|key| key.0), NoPerson::UserKey)?,
            order_id: one(order_id, is_id, NoPerson::OrderId)?,
        };
        let is_somebody = person.phone.is_some()
            || person.email.is_some()
            || person.user_key.is_some()
            || person.order_id.is_some();
        if is_somebody { Ok(person) } else { Err(NoPerson::Nothing) }
    }
}

/// What somebody has asked of us. Whose data it was, nobody keeps.
#[derive(Debug, Clone)]
pub struct DataRequest {
    pub id: Uuid,
    /// `exported` or `erased`
    pub kind: String,
    pub made_at: OffsetDateTime,
    pub made_by_name: String,
    pub reason: String,
    pub orders: i64,
    pub orders_erased: i64,
    pub orders_restricted: i64,
    pub profiles_erased: i64,
}

/// Notes that somebody asked for a copy. The file itself is asked for like any other.
pub async fn note_copy(
    backoffice: &Backoffice,
    actor: &Actor,
    person: &Person,
    reason: &str,
) -> Result<(), Fault> {
    let orders = orders_of(backoffice, person).await?.len();
    let (id, now) = (Uuid::now_v7(), backoffice.clock.now());
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into data_requests (id, kind, made_at, made_by, made_by_name, reason, orders)
         values ($1, 'exported', $2, $3, $4, $5, $6)",
        id,
        now,
        actor.staff_id(),
        actor.name(),
        reason.trim(),
        i64::try_from(orders).unwrap_or(i64::MAX),
    )
    .execute(&mut *tx)
    .await?;
    // Whose file it is, where no order of theirs would tell it.
    if let Some(key) = person.user_key {
        let seen = Access {
            kind: access::Kind::Exported,
            whose: Whose::User(key),
            what: &["name", "phone", "email"],
            is_masked: false,
            reason: Some(reason.trim()),
        };
        access::record(&mut tx, now, actor, seen).await?;
    }
    let (subject, detail) = (id.to_string(), json!({ "orders": orders }));
    let act =
        Act { action: "data_request.exported", subject_kind: "data_request", subject: &subject, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// The newest of them.
pub async fn requests(backoffice: &Backoffice) -> Result<Vec<DataRequest>, Fault> {
    let requests = sqlx::query_as!(
        DataRequest,
        "select id, kind, made_at, made_by_name, reason, orders, orders_erased, orders_restricted, profiles_erased
         from data_requests order by made_at desc, id desc limit 100"
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(requests)
}

async fn payment_keys(tx: &mut PgConnection, orders: &[String]) -> Result<Vec<String>, Fault> {
    let keys = sqlx::query_scalar!("select payment_key from payments where order_id = any($1)", orders)
        .fetch_all(tx)
        .await?;
    Ok(keys)
}
