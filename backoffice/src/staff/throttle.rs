//! Guessing is slowed down, by account and by address. The first tries are free; after them each next one waits twice as
//! long as the one before, a quarter of an hour at most, and tries are forgotten one by one.
//!
//! Nobody is shut out of a device that they have come in with: what is tried on it counts for itself, so that neither
//! strangers nor an address that many share delay it. A try is counted before it is looked at, under the lock of its row:
//! of a crowd that arrives at once only so many get through. Rows are locked in one order: account, then address.

use std::net::Ipv6Addr;

use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Invalid, StaffError, devices::Caller, get_by_email};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    security::{self, Event, Kind},
};

/// What somebody tries to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A password, for the e-mail address of an account.
    LogIn,
    /// A second factor, for the id of an account.
    Factor,
}

/// Refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    pub seconds: u64,
}

const LONGEST: u64 = 15 * 60;

/// How many are free, and how fast they are forgotten.
#[derive(Debug, Clone, Copy)]
struct Pace {
    free: u32,
    forgets_one_in: f64,
}

/// In the long run one guess in a quarter of an hour, whatever the pattern: a hundred a day.
const ACCOUNT: Pace = Pace { free: 5, forgets_one_in: 15.0 * 60.0 };
/// An office, or the customers of one telephone company, share an address.
const ADDRESS: Pace = Pace { free: 50, forgets_one_in: 30.0 };

impl Pace {
    /// Seconds until the next one, after so many that are not forgotten.
    fn delay(self, tries: u32) -> u64 {
        match tries.checked_sub(self.free) {
            None => 0,
            Some(over) => 1_u64.checked_shl(over).map_or(LONGEST, |seconds| seconds.min(LONGEST)),
        }
    }

    /// One more, where what there was is forgotten in `left` seconds: in how many now, and how many tries that is.
    fn count(self, left: f64) -> (f64, u32) {
        let left = left.max(0.0);
        // Tries are few: the cast neither cuts nor loses.
        let tries = (left / self.forgets_one_in).ceil().min(1_000.0) as u32 + 1;
        (left + self.forgets_one_in, tries)
    }
}

#[derive(Debug)]
struct Bucket {
    key: String,
    account: Option<String>,
    pace: Pace,
}

/// What a try counts for.
#[derive(Debug)]
struct Way {
    /// In the order in which they are locked.
    buckets: Vec<Bucket>,
    staff: Option<Uuid>,
}

/// A try that was let through. Whoever was right gives it back to [`succeeded`].
#[derive(Debug)]
#[must_use]
pub struct Pass(Way);

impl Pass {
    pub(super) fn staff(&self) -> Option<Uuid> {
        self.0.staff
    }
}

/// What all that is counted for an account is found by.
fn account_key(backoffice: &Backoffice, account: &str) -> String {
    backoffice.keys.index("throttle.account", account)
}

/// What of an address is one visitor's: whoever has IPv6 has 2^64 of them.
fn network(ip: &str) -> String {
    match ip.parse::<Ipv6Addr>() {
        Ok(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).to_string(),
        Err(_) => ip.to_owned(),
    }
}

async fn way(
    backoffice: &Backoffice,
    purpose: Purpose,
    account: &str,
    caller: &Caller<'_>,
) -> Result<Way, Fault> {
    let device = caller.device.map(|device| device.hash());
    // The same work for an account that does not exist.
    let found = sqlx::query!(
        r#"select s.id, exists (select 1 from staff_devices d where d.staff_id = s.id and d.device_hash = $2) as "is_known!"
           from staff s where s.email = $1 or s.id::text = $1"#,
        account,
        device,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let is_known = found.as_ref().is_some_and(|row| row.is_known);
    let purpose = match purpose {
        Purpose::LogIn => "log_in",
        Purpose::Factor => "factor",
    };
    let account_key = account_key(backoffice, account);
    let key = |what: &str| backoffice.keys.index("throttle.bucket", what);
    let mut buckets = Vec::new();
    if let (true, Some(device)) = (is_known, caller.device) {
        let key = key(&format!("{purpose} device {account_key} {}", device.id()));
        buckets.push(Bucket { key, account: Some(account_key), pace: ACCOUNT });
    } else {
        let of_account = key(&format!("{purpose} account {account_key}"));
        buckets.push(Bucket { key: of_account, account: Some(account_key), pace: ACCOUNT });
        // Without a known address (a host that does not pass it on) everybody would share one count.
        if !caller.ip.is_empty() {
            let key = key(&format!("address {}", network(caller.ip)));
            buckets.push(Bucket { key, account: None, pace: ADDRESS });
        }
    }
    Ok(Way { buckets, staff: found.map(|row| row.id) })
}

/// Counts a try, or says how long the next has to wait.
pub async fn attempt(
    backoffice: &Backoffice,
    purpose: Purpose,
    account: &str,
    caller: &Caller<'_>,
) -> Result<Result<Pass, Wait>, Fault> {
    match knock(backoffice, purpose, account, caller).await? {
        Ok(way) => enter(backoffice, way, account, caller).await,
        Err(wait) => Ok(Err(wait)),
    }
}

/// Looks, without a lock, whether it is open at all: a flood is turned away here.
async fn knock(
    backoffice: &Backoffice,
    purpose: Purpose,
    account: &str,
    caller: &Caller<'_>,
) -> Result<Result<Way, Wait>, Fault> {
    let way = way(backoffice, purpose, account, caller).await?;
    let keys: Vec<String> = way.buckets.iter().map(|bucket| bucket.key.clone()).collect();
    let shut = sqlx::query!(
        r#"select bucket, extract(epoch from open_at - clock_timestamp())::float8 as "seconds!" from throttle
           where bucket = any($1) and open_at > clock_timestamp() order by open_at desc limit 1"#,
        &keys,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    match shut {
        None => Ok(Ok(way)),
        Some(row) => turn_away(backoffice, &way, &row.bucket, row.seconds, account, caller).await.map(Err),
    }
}

/// Counts the try.
async fn enter(
    backoffice: &Backoffice,
    way: Way,
    account: &str,
    caller: &Caller<'_>,
) -> Result<Result<Pass, Wait>, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let mut shut = None;
    for bucket in &way.buckets {
        // What is there is written as it is: that locks it.
        let row = sqlx::query!(
            r#"insert into throttle as t (bucket, account, forgotten_at, open_at)
               values ($1, $2, clock_timestamp(), clock_timestamp())
               on conflict (bucket) do update set account = t.account
               returning extract(epoch from forgotten_at - clock_timestamp())::float8 as "left!",
                         extract(epoch from open_at - clock_timestamp())::float8 as "shut!""#,
            bucket.key,
            bucket.account,
        )
        .fetch_one(&mut *tx)
        .await?;
        if row.shut > 0.0 {
            shut = Some((bucket.key.clone(), row.shut));
            break;
        }
        let (left, tries) = bucket.pace.count(row.left);
        sqlx::query!(
            "update throttle set forgotten_at = clock_timestamp() + make_interval(secs => $2),
                                 open_at = clock_timestamp() + make_interval(secs => $3)
             where bucket = $1",
            bucket.key,
            left,
            bucket.pace.delay(tries) as f64,
        )
        .execute(&mut *tx)
        .await?;
    }
    match shut {
        None => {
            tx.commit().await?;
            Ok(Ok(Pass(way)))
        }
        Some((bucket, seconds)) => {
            // What one address may not counts for no account.
            tx.rollback().await?;
            turn_away(backoffice, &way, &bucket, seconds, account, caller).await.map(Err)
        }
    }
}

/// Counts who was turned away, and writes it down once a minute.
async fn turn_away(
    backoffice: &Backoffice,
    way: &Way,
    bucket: &str,
    seconds: f64,
    account: &str,
    caller: &Caller<'_>,
) -> Result<Wait, Fault> {
    let counted = sqlx::query!(
        r#"with before as (
                select bucket, refused + 1 as refused,
                       noted_at is null or noted_at <= now() - interval '1 minute' as is_news
                from throttle where bucket = $1 for update)
           update throttle t set refused = case when b.is_news then 0 else b.refused end,
                                 noted_at = case when b.is_news then now() else t.noted_at end
           from before b where t.bucket = b.bucket
           returning b.refused as "refused!", b.is_news as "is_news!""#,
        bucket,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    if let Some(counted) = counted.filter(|counted| counted.is_news) {
        let by = way.buckets.iter().find(|b| b.key == bucket).is_some_and(|b| b.account.is_none());
        let event = Event {
            kind: Kind::LogInThrottled,
            staff: way.staff,
            email: way.staff.is_none().then_some(account),
            ip: caller.ip,
            agent: caller.agent,
            detail: json!({ "count": counted.refused, "by": if by { "address" } else { "account" } }),
        };
        security::note(backoffice, event).await;
    }
    // Whole seconds, and never none. Seconds of a quarter of an hour: the cast neither cuts nor loses.
    Ok(Wait { seconds: seconds.ceil().clamp(1.0, LONGEST as f64) as u64 })
}

/// Somebody was right: what was counted for the account on their way is forgotten, and their address has its try back. What
/// others tried stays counted: on a device that is known it was not in the way.
pub async fn succeeded(tx: &mut PgConnection, pass: Pass) -> Result<(), Fault> {
    for bucket in pass.0.buckets {
        if bucket.account.is_some() {
            sqlx::query!("delete from throttle where bucket = $1", bucket.key).execute(&mut *tx).await?;
        } else {
            let free = f64::from(bucket.pace.free - 1) * bucket.pace.forgets_one_in;
            sqlx::query!(
                "update throttle set forgotten_at = forgotten_at - make_interval(secs => $2),
                    open_at = case when forgotten_at - make_interval(secs => $2 + $3) <= clock_timestamp()
                                   then clock_timestamp() else open_at end
                 where bucket = $1",
                bucket.key,
                bucket.pace.forgets_one_in,
                free,
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

/// All that an account was tried with, wherever: its address and its id.
pub(super) async fn forget(
    tx: &mut PgConnection,
    backoffice: &Backoffice,
    email: &str,
    staff: Uuid,
) -> Result<u64, Fault> {
    let accounts = [email, &staff.to_string()].map(|account| account_key(backoffice, account));
    let gone = sqlx::query!("delete from throttle where account = any($1)", &accounts).execute(tx).await?;
    Ok(gone.rows_affected())
}

/// Lets somebody try again at once who was kept waiting by what others tried.
pub async fn unlock(backoffice: &Backoffice, actor: &Actor, email: &str) -> Result<(), StaffError> {
    let staff = get_by_email(backoffice, email).await?.ok_or(Invalid::NotFound)?;
    let mut tx = backoffice.pool.begin().await?;
    let counts = forget(&mut tx, backoffice, &staff.email, staff.id).await?;
    let event =
        Event { detail: json!({ "by": actor.key() }), ..Event::of(Kind::Unlocked, staff.id, actor.ip(), "") };
    security::record(&mut tx, backoffice, event).await?;
    let subject = staff.id.to_string();
    let detail = json!({ "counts": counts });
    let act = Act { action: "staff.unlocked", subject_kind: "staff", subject: &subject, detail };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn delete_old(pool: &PgPool) -> Result<(), Fault> {
    sqlx::query!("delete from throttle where forgotten_at < now() and open_at < now() - interval '1 minute'")
        .execute(pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guesses that get through within some hours, by somebody who tries again the moment it is open.
    fn guesses(pace: Pace, hours: f64) -> u32 {
        let (mut now, mut left, mut through) = (0.0, 0.0_f64, 0);
        while now < hours * 3600.0 {
            let (after, tries) = pace.count(left);
            through += 1;
            let waits = (pace.delay(tries) as f64).max(0.001);
            now += waits;
            left = (after - waits).max(0.0);
        }
        through
    }

    #[test]
    fn the_first_are_free_and_each_next_waits_twice_as_long() {
        let mut left = 0.0;
        let delays: Vec<u64> = (0..18)
            .map(|_| {
                let (after, tries) = ACCOUNT.count(left);
                left = after;
                ACCOUNT.delay(tries)
            })
            .collect();
        assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
        assert_eq!(ACCOUNT.delay(u32::MAX), LONGEST);
        assert_eq!(ADDRESS.delay(49), 0);
    }

    #[test]
    fn whoever_has_a_network_has_one_address() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn a_patient_guesser_gets_few_tries_and_a_tried_account_is_forgotten() {
        let day = guesses(ACCOUNT, 24.0);
        assert!((90..130).contains(&day), "{day}");
        assert!(guesses(ACCOUNT, 1.0) < 25);
        assert_eq!(ACCOUNT.count(-5.0).1, 1, "forgotten");
    }
}
