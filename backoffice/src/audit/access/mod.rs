//! Who saw whose personal data, when, from where and what of it (개인정보의 안전성 확보조치 기준, article 8).
//!
//! A record is a row of its own that goes when its time is up, and a row of the audit log that stays and has nothing of it but
//! its hash: as long as it is there, nobody changes or removes it unnoticed ([`check`]), and what is gone cannot be guessed from
//! its hash, because its salt went with it. Every month somebody looks through it ([`review`]).

pub(super) mod check;
mod list;
pub mod review;

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::list::{Filter, Record, get, list};
use super::{Actor, Author};
use crate::{Backoffice, Fault, kernel::text::hex};

text_enum! {
    Kind {
        /// A page that shows it, masked or not.
        Viewed = "viewed",
        /// In the clear, with a reason.
        Revealed = "revealed",
        /// Looked for by a phone number, an e-mail address or a name.
        Searched = "searched",
        /// Taken out in the clear, as a file.
        Exported = "exported",
    }
}

/// Whose data it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// The buyer of an order.
    Order(&'a str),
    /// A user of the mini-app.
    User(i64),
    /// Everybody in a file; how many, and the hash over who they are ([`people_hash`]).
    Export { id: Uuid, people: i64, people_hash: &'a str },
    /// Whoever the words belong to. Only their keyed hash is kept.
    Words(&'a str),
    /// Whoever a delivery is about that nobody can read by its members.
    Webhook(Uuid),
}

/// Why nothing is shown in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotShown {
    /// There is no such thing.
    Nothing,
    /// Nobody reads personal data without saying why.
    Reason(NoReason),
}

impl From<NoReason> for NotShown {
    fn from(no: NoReason) -> Self {
        Self::Reason(no)
    }
}

/// In characters.
pub const LONGEST_REASON: usize = 200;

/// Why what somebody gave as a reason is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReason {
    #[error("a reason is needed")]
    Empty,
    #[error("the reason is longer than {LONGEST_REASON} characters")]
    TooLong,
}

/// A reason as it is kept, of whoever reads, takes or erases what is personal. PostgreSQL takes no NUL into a text, and nobody
/// types one: it is left out.
pub fn reason(why: &str) -> Result<String, NoReason> {
    let why = why.replace('\0', "");
    let why = why.trim();
    if why.is_empty() {
        return Err(NoReason::Empty);
    }
    if why.chars().count() > LONGEST_REASON {
        return Err(NoReason::TooLong);
    }
    Ok(why.to_owned())
}

/// What somebody saw.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    pub kind: Kind,
    pub whose: Whose<'a>,
    /// `name`, `phone`, `email` and so on.
    pub what: &'a [&'a str],
    pub is_masked: bool,
    pub reason: Option<&'a str>,
}

/// What of a record is hashed: all of it.
#[derive(Serialize)]
pub(super) struct Sealed<'a> {
    /// Microseconds since 1970.
    pub at: i64,
    pub staff_id: Uuid,
    pub kind: &'a str,
    pub subject_kind: &'a str,
    pub subject: &'a str,
    pub what: &'a [String],
    pub is_masked: bool,
    pub reason: Option<&'a str>,
    pub people: Option<i64>,
    pub people_hash: Option<&'a str>,
    pub salt: &'a [u8],
}

impl Sealed<'_> {
    pub fn hash(&self) -> Result<String, Fault> {
        let bytes = serde_json::to_vec(self).map_err(Fault::unreadable("an access record"))?;
        Ok(hex(&Sha256::digest(bytes)))
    }
}

/// Microseconds: what PostgreSQL keeps.
pub(super) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// By what a search is found again, whoever made it: the words as they are looked for.
pub fn hash_of_words(backoffice: &Backoffice, what: &str, words: &str) -> String {
    backoffice.keys.index("access_records.words", format!("{what}:{words}"))
}

/// The hash over who is in a file: of order ids in their order.
pub fn people_hash<'a>(orders: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for order in orders {
        hash.update(order.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())
}

/// Keeps what somebody of the staff sees. Without a record nothing may be shown. A machine of the merchant's, and whoever sits at
/// the database's, is no person who handles data here: nothing is kept of them.
pub async fn record(
    connection: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    access: Access<'_>,
) -> Result<(), Fault> {
    let Some(staff_id) = actor.staff_id() else { return Ok(()) };
    let (subject_kind, subject, people) = match access.whose {
        Whose::Order(id) => ("order", id.to_owned(), None),
        Whose::User(key) => ("user", key.to_string(), None),
        Whose::Export { id, people, people_hash } => ("export", id.to_string(), Some((people, people_hash))),
        Whose::Words(hash) => ("words", hash.to_owned(), None),
        Whose::Webhook(id) => ("webhook", id.to_string(), None),
    };
    let what: Vec<String> = access.what.iter().map(|what| (*what).to_owned()).collect();
    let salt: [u8; 16] = rand::random();
    let sealed = Sealed {
        at: micros(now),
        staff_id,
        kind: access.kind.as_str(),
        subject_kind,
        subject: &subject,
        what: &what,
        is_masked: access.is_masked,
        reason: access.reason,
        people: people.map(|people| people.0),
        people_hash: people.map(|people| people.1),
        salt: &salt,
    };
    let author = Author::of(actor);
    sqlx::query!(
        "with written as (
             insert into audit (at, actor, actor_name, role, ip, agent, factor, action, subject_kind, subject, detail)
             values ($1, $2, $3, $4, $5, $6, $7, 'personal.' || $8::text, 'access_record', $9, '{}') returning seq
         ), kept as (
             insert into access_records (seq, at, staff_id, kind, subject_kind, subject, what, is_masked, reason, people,
                                         people_hash, salt)
             select seq, $1, $10, $8, $11, $12, $13, $14, $15, $16, $17, $18 from written
         )
         insert into audit_unsealed (seq) select seq from written",
        now,
        author.actor,
        author.name,
        author.role,
        author.ip,
        author.agent,
        author.factor,
        sealed.kind,
        sealed.hash()?,
        staff_id,
        subject_kind,
        subject,
        &what,
        access.is_masked,
        access.reason,
        sealed.people,
        sealed.people_hash,
        &salt[..],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The same on its own.
pub async fn note(backoffice: &Backoffice, actor: &Actor, access: Access<'_>) -> Result<(), Fault> {
    let mut connection = backoffice.pool.acquire().await?;
    record(&mut connection, backoffice.clock.now(), actor, access).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_kept_as_it_can_be_read() {
        assert_eq!(reason("  고객 \0요청 \0"), Ok("고객 요청".to_owned()));
        for nothing in ["", " \n", "\0", " \0 \0"] {
            assert_eq!(reason(nothing), Err(NoReason::Empty), "{nothing:?}");
        }
        let longest = "가".repeat(LONGEST_REASON);
        assert_eq!(reason(&format!(" {longest}\0 ")), Ok(longest.clone()));
        assert_eq!(reason(&format!("{longest}가")), Err(NoReason::TooLong));
    }
}
