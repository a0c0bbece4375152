//! What one person may do on their own word, by role: the most won of one refund and of a day, the most points of a day.
//! Lowering a limit holds at once; raising one takes a second administrator.

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::{role::Role, second_person::NotSecond},
    money::{self, AmountError},
    staff,
};

/// What is typed for "no limit"; nothing is a mistake.
pub const NONE: &str = "none";

/// The limits of one role; nothing means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub role: Role,
    pub one_refund: Option<Decimal>,
    pub per_day: Option<Decimal>,
    /// In points.
    pub grants_per_day: Option<i64>,
}

/// Limits that somebody wants, until a second person has said yes or no.
#[derive(Debug, Clone)]
pub struct Request {
    pub limit: Limit,
    pub requested_by: Uuid,
    pub requested_by_name: String,
    pub requested_at: OffsetDateTime,
}

/// Which request it is: goes with the form.
fn version(requested_at: OffsetDateTime) -> String {
    requested_at.unix_timestamp_nanos().to_string()
}

impl Request {
    pub fn version(&self) -> String {
        version(self.requested_at)
    }
}

/// Limits as they were typed.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    pub role: &'a str,
    pub one_refund: &'a str,
    pub per_day: &'a str,
    pub grants_per_day: &'a str,
}

/// What is wrong with a new limit, by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("support, finance or admin")]
    Role,
    #[error("one refund: {0}")]
    OneRefund(AmountError),
    #[error("per day: {0}")]
    PerDay(AmountError),
    #[error("points per day: {0}")]
    GrantsPerDay(AmountError),
    #[error("nothing waits")]
    NothingWaits,
    #[error("not a second person: {0:?}")]
    NotSecond(NotSecond),
}

#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for LimitError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// What became of new limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Now,
    /// A second administrator is asked.
    Waits,
}

/// The limits of a person, or of a key, that asks for something.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// Of the person or the key.
    pub who: Uuid,
    pub one_refund: Option<Decimal>,
    pub per_day: Option<Decimal>,
    pub grants_per_day: Option<i64>,
}

/// Reads the limits of the role the person has now, or of the key, and holds its row: two at once must not both count as the
/// last one of the day.
pub(crate) async fn of(tx: &mut PgConnection, actor: &Actor) -> Result<Option<Allowance>, Fault> {
    if let Some(key) = actor.api_key() {
        let row = sqlx::query!(
            "select one_refund, per_day, grants_per_day from api_keys where id = $1 for no key update",
            key
        )
        .fetch_one(tx)
        .await?;
        return Ok(Some(Allowance {
            who: key,
            one_refund: row.one_refund,
            per_day: row.per_day,
            grants_per_day: row.grants_per_day,
        }));
    }
    let Some(staff) = actor.staff_id() else { return Ok(None) };
    let row = sqlx::query!(
        "select l.one_refund, l.per_day, l.grants_per_day from staff s join refund_limits l on l.role = s.role
         where s.id = $1 for no key update of s",
        staff
    )
    .fetch_optional(tx)
    .await?;
    // A role that may not refund has no limits: whoever has lost theirs meanwhile needs a second person for anything.
    Ok(Some(match row {
        Some(row) => Allowance {
            who: staff,
            one_refund: row.one_refund,
            per_day: row.per_day,
            grants_per_day: row.grants_per_day,
        },
        None => Allowance {
            who: staff,
            one_refund: Some(Decimal::ZERO),
            per_day: Some(Decimal::ZERO),
            grants_per_day: Some(0),
        },
    }))
}

/// A limit as typed: won, or that there is none.
fn parse(text: &str) -> Result<Option<Decimal>, AmountError> {
    match text.trim() {
        NONE => Ok(None),
        // Zero is a limit too: everything needs a second person.
        "0" => Ok(Some(Decimal::ZERO)),
        text => money::parse(text, "KRW").map(Some),
    }
}

impl Typed<'_> {
    fn parse(&self) -> Result<Limit, Refused> {
        let role = Role::parse(self.role).filter(|role| *role != Role::Viewer).ok_or(Refused::Role)?;
        let points = parse(self.grants_per_day).map_err(Refused::GrantsPerDay)?;
        let points = points.map(|points| points.to_i64().ok_or(AmountError::TooLarge)).transpose();
        Ok(Limit {
            role,
            one_refund: parse(self.one_refund).map_err(Refused::OneRefund)?,
            per_day: parse(self.per_day).map_err(Refused::PerDay)?,
            grants_per_day: points.map_err(Refused::GrantsPerDay)?,
        })
    }
}

impl Limit {
    /// It lets somebody do more than `before` did.
    fn raises(&self, before: &Self) -> bool {
        fn above<T: PartialOrd>(new: Option<T>, old: Option<T>) -> bool {
            match (new, old) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(new), Some(old)) => new > old,
            }
        }
        above(self.one_refund, before.one_refund)
            || above(self.per_day, before.per_day)
            || above(self.grants_per_day, before.grants_per_day)
    }

    fn change(&self, before: &Self) -> Value {
        json!({ "oneRefund": [before.one_refund, self.one_refund], "perDay": [before.per_day, self.per_day],
                "grantsPerDay": [before.grants_per_day, self.grants_per_day] })
    }
}

pub async fn list(backoffice: &Backoffice) -> Result<Vec<Limit>, Fault> {
    let mut limits = sqlx::query_as!(
        Limit,
        r#"select role as "role: Role", one_refund, per_day, grants_per_day from refund_limits"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    limits.sort_by_key(|limit| limit.role);
    Ok(limits)
}

pub async fn requests(backoffice: &Backoffice) -> Result<Vec<Request>, Fault> {
    let rows = sqlx::query!(
        r#"select role as "role: Role", one_refund, per_day, grants_per_day, requested_by, requested_by_name, requested_at
           from limit_requests order by requested_at"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Request {
            limit: Limit {
                role: row.role,
                one_refund: row.one_refund,
                per_day: row.per_day,
                grants_per_day: row.grants_per_day,
            },
            requested_by: row.requested_by,
            requested_by_name: row.requested_by_name,
            requested_at: row.requested_at,
        })
        .collect())
}

async fn lock(tx: &mut PgConnection, role: Role) -> Result<Limit, Fault> {
    let limit = sqlx::query_as!(
        Limit,
        r#"select role as "role: Role", one_refund, per_day, grants_per_day from refund_limits where role = $1 for update"#,
        role.as_str()
    )
    .fetch_one(tx)
    .await?;
    Ok(limit)
}

async fn write(tx: &mut PgConnection, limit: &Limit) -> Result<(), Fault> {
    sqlx::query!(
        "update refund_limits set one_refund = $2, per_day = $3, grants_per_day = $4 where role = $1",
        limit.role.as_str(),
        limit.one_refund,
        limit.per_day,
        limit.grants_per_day,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from limit_requests where role = $1", limit.role.as_str()).execute(tx).await?;
    Ok(())
}

async fn note(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    role: Role,
    action: &'static str,
    detail: Value,
) -> Result<(), Fault> {
    let act = Act { action, subject_kind: "role", subject: role.as_str(), detail };
    audit::record(tx, backoffice.clock.now(), actor, act).await
}

/// Changes the limits of a role; raised by a person, they wait for a second one. What waits for approval under the old
/// ones goes on waiting.
pub async fn set(backoffice: &Backoffice, actor: &Actor, typed: Typed<'_>) -> Result<Kept, LimitError> {
    let limit = typed.parse()?;
    let mut tx = backoffice.pool.begin().await?;
    let before = lock(&mut tx, limit.role).await?;
    if limit == before {
        return Ok(Kept::Now);
    }
    let detail = limit.change(&before);
    // Whoever has the machine has the database as well: the command line asks nobody.
    let kept = match actor.staff_id().filter(|_| limit.raises(&before)) {
        None => {
            write(&mut tx, &limit).await?;
            note(backoffice, &mut tx, actor, limit.role, "refund_limit.changed", detail).await?;
            Kept::Now
        }
        Some(staff) => {
            sqlx::query!(
                "insert into limit_requests (role, one_refund, per_day, grants_per_day, requested_by, requested_by_name,
                                             requested_at)
                 values ($1, $2, $3, $4, $5, $6, $7)
                 on conflict (role) do update set one_refund = excluded.one_refund, per_day = excluded.per_day,
                     grants_per_day = excluded.grants_per_day, requested_by = excluded.requested_by,
                     requested_by_name = excluded.requested_by_name, requested_at = excluded.requested_at",
                limit.role.as_str(),
                limit.one_refund,
                limit.per_day,
                limit.grants_per_day,
                staff,
                actor.name(),
                backoffice.clock.now(),
            )
            .execute(&mut *tx)
            .await?;
            note(backoffice, &mut tx, actor, limit.role, "refund_limit.requested", detail).await?;
            Kept::Waits
        }
    };
    tx.commit().await?;
    Ok(kept)
}

/// The second administrator says yes, or anybody who may change settings says no. `seen` is the version of the request that
/// was looked at: one that was changed meanwhile is another one.
pub async fn decide(
    backoffice: &Backoffice,
    actor: &Actor,
    role: &str,
    seen: &str,
    agree: bool,
) -> Result<Limit, LimitError> {
    let role = Role::parse(role).ok_or(Refused::Role)?;
    let mut tx = backoffice.pool.begin().await?;
    let before = lock(&mut tx, role).await?;
    let request = sqlx::query!(
        "select one_refund, per_day, grants_per_day, requested_by, requested_at from limit_requests where role = $1",
        role.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .filter(|request| version(request.requested_at) == seen)
    .ok_or(Refused::NothingWaits)?;
    let limit = Limit {
        role,
        one_refund: request.one_refund,
        per_day: request.per_day,
        grants_per_day: request.grants_per_day,
    };
    let detail = limit.change(&before);
    if agree {
        let second = staff::second_person(backoffice, &mut tx, actor, Some(request.requested_by)).await?;
        second.map_err(Refused::NotSecond)?;
        write(&mut tx, &limit).await?;
        note(backoffice, &mut tx, actor, role, "refund_limit.changed", detail).await?;
    } else {
        sqlx::query!("delete from limit_requests where role = $1", role.as_str()).execute(&mut *tx).await?;
        note(backoffice, &mut tx, actor, role, "refund_limit.declined", detail).await?;
    }
    tx.commit().await?;
    Ok(limit)
}

/// What somebody who leaves has asked for and nobody has decided. How many.
pub(crate) async fn withdraw_of(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    staff: Uuid,
) -> Result<usize, Fault> {
    let waiting = sqlx::query_scalar!(
        r#"delete from limit_requests where requested_by = $1 returning role as "role: Role""#,
        staff
    )
    .fetch_all(&mut *tx)
    .await?;
    for role in &waiting {
        note(backoffice, tx, actor, *role, "refund_limit.declined", json!({})).await?;
    }
    Ok(waiting.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed<'a>(one: &'a str, day: &'a str, points: &'a str) -> Typed<'a> {
        Typed { role: "support", one_refund: one, per_day: day, grants_per_day: points }
    }

    #[test]
    fn no_limit_is_said_and_never_left_out() {
        let none = typed(NONE, NONE, NONE).parse().unwrap();
        assert_eq!((none.one_refund, none.per_day, none.grants_per_day), (None, None, None));
        for (bad, why) in [
            (typed("", "1", "1"), Refused::OneRefund(AmountError::Empty)),
            (typed("1", " ", "1"), Refused::PerDay(AmountError::Empty)),
            (typed("1", "1", ""), Refused::GrantsPerDay(AmountError::Empty)),
            (typed("-1", "1", "1"), Refused::OneRefund(AmountError::NotPositive)),
        ] {
            assert_eq!(bad.parse(), Err(why));
        }
        assert_eq!(Typed { role: "viewer", ..typed("1", "1", "1") }.parse(), Err(Refused::Role));
    }

    #[test]
    fn raising_is_told_from_lowering() {
        let of = |one, day, points| typed(one, day, points).parse().unwrap();
        let before = of("1,000", NONE, "10");
        assert!(!of("1000", NONE, "10").raises(&before));
        assert!(!of("0", "5", "10").raises(&before), "from no limit to one");
        assert!(of("1001", "5", "10").raises(&before), "one of them up is up");
        assert!(of(NONE, NONE, "10").raises(&before));
        assert!(of("1000", NONE, "11").raises(&before));
    }
}
