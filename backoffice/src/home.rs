//! The first page: today against yesterday, and what waits for a person.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use rust_decimal::Decimal;
use time::{Duration, OffsetDateTime};

use crate::{
    Backoffice, Fault,
    clock::day_start,
    payments::OUTGOING,
    refunds::TASK_AFTER,
    webhooks::{self, Health},
};

/// Money that came in between two moments, won only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    pub orders: i64,
    pub amount: Decimal,
}

#[derive(Debug, Clone, Default)]
pub struct Home {
    pub today: Taken,
    /// Up to the same time of day.
    pub yesterday: Taken,
    pub refunded_today: Taken,
    pub webhooks: Health,
    pub waiting: Waiting,
}

/// Counts stop at a hundred: more than that is "many".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    pub refunds_unknown: i64,
    /// Not settled after a quarter of an hour, or beyond a machine: somebody's task.
    pub refunds_overdue: i64,
    /// Of them, with an outcome that is not known.
    pub refunds_overdue_unknown: i64,
    /// What waits for a second person.
    pub refunds_to_approve: i64,
    /// Money that a bank gave back, or has had for too long.
    pub refunds_not_arrived: i64,
    pub batches_to_approve: i64,
    /// Returns whose last legal day is today or has passed.
    pub returns_due: i64,
    /// Cash receipts that did not work out.
    pub receipts_failed: i64,
    pub refunds_under_way: i64,
    pub orders_to_look_at: i64,
    pub webhooks_stuck: i64,
    /// Events of the last day that never came.
    pub webhooks_missing: i64,
    /// In-app refunds that we have to decide on.
    pub iap_requested: i64,
    /// What does not agree with Toss, or waits to be accepted by a second person.
    pub differences: i64,
    /// Grants, and files of them, that wait for a second person.
    pub grants_to_approve: i64,
    /// Raised limits, and campaigns on one person's word, that wait for a second administrator.
    pub limits_to_approve: i64,
    pub campaigns_to_approve: i64,
    /// Roles of people, and contents of roles, that wait for a second administrator.
    pub rights_to_approve: i64,
    /// What is not as it should be about the audit log.
    pub log_findings: i64,
    /// Places that have not taken security events for ten minutes.
    pub security_places: i64,
    /// People whose access to personal data nobody has looked through since a month was over.
    pub access_reviews: i64,
}

pub async fn overview(backoffice: &Backoffice) -> Result<Home, Fault> {
    let now = backoffice.clock.now();
    let today = day_start(backoffice.clock.today());
    let yesterday = today - Duration::DAY;
    let (taken, before, refunded, webhooks, waiting) = tokio::try_join!(
        taken(backoffice, today, now),
        taken(backoffice, yesterday, now - Duration::DAY),
        refunded(backoffice, today, now),
        webhooks::health(backoffice),
        waiting(backoffice),
    )?;
    Ok(Home { today: taken, yesterday: before, refunded_today: refunded, webhooks, waiting })
}

async fn taken(backoffice: &Backoffice, from: OffsetDateTime, to: OffsetDateTime) -> Result<Taken, Fault> {
    let row = sqlx::query!(
        r#"select count(*) as "orders!", coalesce(sum(amount), 0) as "amount!" from orders
           where paid_at >= $1 and paid_at < $2 and currency = 'KRW'"#,
        from,
        to
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(Taken { orders: row.orders, amount: row.amount })
}

async fn refunded(backoffice: &Backoffice, from: OffsetDateTime, to: OffsetDateTime) -> Result<Taken, Fault> {
    // A cancel of an account nobody paid into moves no money (toss-api.md A7).
    let row = sqlx::query!(
        r#"select count(*) as "orders!", coalesce(sum(t.amount), 0) as "amount!" from transactions t
           join orders o on o.order_id = t.order_id
           where t.transaction_at >= $1 and t.transaction_at < $2 and t.currency = 'KRW'
             and t.status = any($3) and o.paid_at is not null"#,
        from,
        to,
        &OUTGOING.map(str::to_owned),
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(Taken { orders: row.orders, amount: row.amount })
}

/// The counts as the menu shows them: kept for a second, counted by one at a time. Whoever comes meanwhile sees those of before.
/// What somebody does in this process is seen at once ([`Counts::forget`]).
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    last: Mutex<Option<(Instant, Waiting)>>,
    /// How often something was done: what was counted before it is not kept.
    done: AtomicU64,
    counting: tokio::sync::Mutex<()>,
}

/// How long counts are kept.
const KEPT_FOR: std::time::Duration = std::time::Duration::from_secs(1);

impl Counts {
    pub async fn get(&self, backoffice: &Backoffice) -> Result<Waiting, Fault> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let counting = self.0.counting.try_lock();
        let counting = match (counting, self.last()) {
            (Ok(counting), _) => counting,
            (Err(_), Some(last)) => return Ok(last),
            (Err(_), None) => self.0.counting.lock().await,
        };
        // Somebody else may have counted while this one waited.
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let done = self.0.done.load(Ordering::SeqCst);
        let counts = waiting(backoffice).await?;
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        if done == self.0.done.load(Ordering::SeqCst) {
            *last = Some((Instant::now(), counts));
        }
        drop((last, counting));
        Ok(counts)
    }

    /// Something was done: the next page counts anew.
    pub fn forget(&self) {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.done.fetch_add(1, Ordering::SeqCst);
        *last = None;
    }

    fn fresh(&self) -> Option<Waiting> {
        let last = *self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(counted, _)| counted.elapsed() < KEPT_FOR).map(|(_, counts)| counts)
    }

    fn last(&self) -> Option<Waiting> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).map(|(_, counts)| counts)
    }
}

/// What waits, counted now.
pub async fn waiting(backoffice: &Backoffice) -> Result<Waiting, Fault> {
    // A delivery that is not looked into within a minute has met a fault.
    let stuck_since = backoffice.clock.now() - Duration::MINUTE;
    let row = sqlx::query!(
        r#"select
            (select count(*) from (select 1 from refunds where state = 'unknown' limit 100) x) as "unknown!",
            (select count(*) from (select 1 from refunds where state in ('requested', 'approved', 'sending') limit 100) x) as "under_way!",
            (select count(*) from (select 1 from refunds where state in ('requested', 'approved', 'sending', 'unknown')
                and (needs_person is not null or coalesce(approved_at, requested_at) <= $2) limit 100) x) as "overdue!",
            (select count(*) from (select 1 from missing_events where came_at is null and transaction_at >= $4 limit 100) x)
                as "missing!",
            (select count(*) from (select 1 from refunds where state = 'unknown'
                and (needs_person is not null or coalesce(approved_at, requested_at) <= $2) limit 100) x) as "overdue_unknown!",
            (select count(*) from (select 1 from refunds where state = 'waiting_for_approval' limit 100) x) as "to_approve!",
            (select count(*) from (select 1 from refunds where look_at is not null and (stage <> 'at_the_bank' or bank_due_on < $3)
                limit 100) x) as "not_arrived!",
            (select count(*) from (select 1 from refund_batches where state = 'waiting_for_approval' limit 100) x)
                as "batches_to_approve!",
            (select count(*) from (select 1 from iap_refunds r join iap_orders o on o.order_id = r.order_id
                                   where r.state = 'requested' and o.platform is distinct from 'IOS' limit 100) x) as "iap!",
            (select count(*) from (select 1 from grants where state = 'waiting_for_approval' limit 100) x)
                + (select count(*) from (select 1 from grant_batches where state = 'waiting_for_approval' limit 100) x) as "grants!",
            (select count(*) from limit_requests) as "limits!",
            (select findings + is_late::int + cardinality(unreachable) from audit_state) as "log!",
            (select count(*) from (select 1 from access_reviews where reviewed_at is null limit 100) x) as "access!",
            (select count(*) from security_places where failing_since < now() - interval '10 minutes'
                -- one that no process names any more is not tried either
                and tried_at > now() - interval '5 minutes') as "places!",
            (select count(*) from role_requests) + (select count(*) from own_role_requests) as "rights!",
            (select count(*) from (select 1 from campaigns where needs_second and approved_by_name is null limit 100) x) as "campaigns!",
            (select count(*) from (select 1 from differences where state in ('open', 'pending_approval') limit 100) x) as "differences!",
            (select count(*) from (select 1 from returns where closed_at is null and due_on <= $3 limit 100) x) as "returns!",
            (select count(*) from (select 1 from failed_cash_receipts limit 100) x) as "receipts!",
            (select count(*) from (select 1 from orders where attention is not null limit 100) x) as "orders!",
            (select count(*) from (select 1 from webhook_deliveries
                                   where state in ('received', 'failed') and id < webhook_floor($1) limit 100) x) as "webhooks!""#,
        stuck_since,
        backoffice.clock.now() - TASK_AFTER,
        backoffice.clock.today(),
        backoffice.clock.now() - Duration::DAY,
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(Waiting {
        refunds_unknown: row.unknown,
        refunds_overdue: row.overdue,
        refunds_overdue_unknown: row.overdue_unknown,
        refunds_to_approve: row.to_approve,
        refunds_not_arrived: row.not_arrived,
        batches_to_approve: row.batches_to_approve,
        returns_due: row.returns,
        receipts_failed: row.receipts,
        refunds_under_way: row.under_way,
        orders_to_look_at: row.orders,
        webhooks_stuck: row.webhooks,
        webhooks_missing: row.missing,
        iap_requested: row.iap,
        differences: row.differences,
        grants_to_approve: row.grants,
        limits_to_approve: row.limits,
        campaigns_to_approve: row.campaigns,
        rights_to_approve: row.rights,
        log_findings: row.log,
        access_reviews: row.access,
        security_places: row.places,
    })
}
