//! Reconciling days: their rows are put side by side, summed by class, and what does not agree is kept for people.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::PgConnection;
use time::{Date, Duration, OffsetDateTime};

use super::expectations;
use super::job::ReadDay;
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::day_start,
    events::{self, Data, Kind, data},
    queue, reconciliation,
    settlements::{self, SyncError},
    transactions,
};

const JOB: Actor = Actor::Job("reconciliation");

/// Serialises reconciliations: two at once would count the same day twice over.
const LOCK: i64 = 0x0072_6563_6f6e;

/// Days that the nightly job goes through again, for what became due or late meanwhile.
const LOOK_BACK: i64 = 60;
/// Days that are put side by side at once: memory stays bounded, whatever is asked for.
const AT_ONCE: i64 = 31;

/// A window longer than this is a slip.
const LONGEST: i64 = 366 * 2;

/// What a reconciliation found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Reconciled {
    pub rows: i64,
    pub differences: i64,
    /// Differences that were not there before.
    pub found: i64,
    /// Differences that agree now.
    pub resolved: i64,
    pub after_close: i64,
}

impl std::ops::AddAssign for Reconciled {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.differences += other.differences;
        self.found += other.found;
        self.resolved += other.resolved;
        self.after_close += other.after_close;
    }
}

/// What is wrong with a window of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("the window ends before it begins: --to is the day after the last one")]
    Backwards,
    #[error("the window begins in the future")]
    Future,
    #[error("the window is longer than two years: take it in parts")]
    TooLong,
}

/// Days from `from` until before `to`, none of them to come.
pub fn window(from: Date, to: Date, today: Date) -> Result<(Date, Date), WindowError> {
    if to <= from {
        return Err(WindowError::Backwards);
    }
    if from > today {
        return Err(WindowError::Future);
    }
    if (to - from).whole_days() > LONGEST {
        return Err(WindowError::TooLong);
    }
    Ok((from, to.min(today + Duration::DAY)))
}

/// Reconciles the days of `[from, to)`. Doing it again is harmless; days that are closed keep their sums.
pub async fn reconcile(
    backoffice: &Backoffice,
    actor: &Actor,
    from: Date,
    to: Date,
) -> Result<Reconciled, Fault> {
    let mut sum = Reconciled::default();
    let mut day = from;
    while day < to {
        let end = to.min(day + Duration::days(AT_ONCE));
        sum += reconcile_some(backoffice, actor, day, end).await?;
        day = end;
    }
    Ok(sum)
}

async fn reconcile_some(
    backoffice: &Backoffice,
    actor: &Actor,
    from: Date,
    to: Date,
) -> Result<Reconciled, Fault> {
    let expected = expectations::build(backoffice, from, to).await?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    lock(&mut tx).await?;
    create_reconciled(backoffice, &mut tx, from, to, &expected).await?;
    let mut found = Reconciled { rows: sum_days(&mut tx, from, to).await?, ..Reconciled::default() };
    note_after_close(&mut tx, from, to, now, &mut found).await?;
    note_differences(&mut tx, actor, now, &mut found).await?;
    note_resolved(&mut tx, actor, from, to, now, &mut found).await?;
    sqlx::query!(
        "insert into reconciliations (day, reconciled_at)
         select generate_series($1::date, $2::date - 1, interval '1 day')::date, $3
         on conflict (day) do update set reconciled_at = excluded.reconciled_at",
        from,
        to,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if !matches!(actor, Actor::Job(_)) || found.found + found.resolved + found.after_close > 0 {
        let detail = json!({ "to": to.to_string(), "rows": found.rows, "differences": found.differences,
                             "found": found.found, "resolved": found.resolved, "afterClose": found.after_close });
        let subject = from.to_string();
        let act = Act { action: "reconciliation.run", subject_kind: "day", subject: &subject, detail };
        audit::record(&mut tx, now, actor, act).await?;
    }
    tx.commit().await?;
    Ok(found)
}

/// The rows of the days, each with its class, in a table of this transaction.
pub(super) async fn create_reconciled(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    from: Date,
    to: Date,
    expected: &serde_json::Value,
) -> Result<(), Fault> {
    // Not checked when compiling: the table lives as long as the transaction. JIT compiles longer than the query runs.
    sqlx::query(
        "select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
                        set_config('work_mem', '64MB', true)",
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "create temporary table reconciled on commit drop as
         select * from reconciled_rows($1, $2, $3, $4)",
    )
    .bind(day_start(from))
    .bind(day_start(to))
    .bind(backoffice.clock.today())
    .bind(expected)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Has Toss's lists of a day read again by a job. True when that is done within `patience`, and the day reconciled.
pub async fn request_day(
    backoffice: &Backoffice,
    actor: &Actor,
    day: Date,
    patience: std::time::Duration,
) -> Result<bool, Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    queue::plan(&mut tx, &ReadDay { day }, std::time::Duration::ZERO).await?;
    let subject = day.to_string();
    let act = Act { action: "day.read_again", subject_kind: "day", subject: &subject, detail: json!({}) };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < patience {
        let done = sqlx::query_scalar!("select reconciled_at from reconciliations where day = $1", day)
            .fetch_optional(&backoffice.pool)
            .await?;
        if done.is_some_and(|at| at > now) {
            return Ok(true);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(false)
}

/// Reads Toss's transactions of a day and the settlements that its sales may be in, and reconciles it.
pub(crate) async fn read_day(backoffice: &Backoffice, day: Date) -> Result<(), Fault> {
    let next = day.next_day().unwrap_or(day);
    transactions::sync(backoffice, &JOB, day_start(day), day_start(next)).await?;
    transactions::sync_toss_pay::sync(backoffice, day).await?;
    let mut sold: BTreeSet<Date> = reconciliation::contract::rates(backoffice)
        .await?
        .iter()
        .map(|rate| rate.cycle.sold_on(day))
        .collect();
    sold.insert(day);
    for day in sold.into_iter().filter(|_| backoffice.settles) {
        match settlements::sync(backoffice, &JOB, day).await {
            Ok(_) => {}
            Err(SyncError::Fault(fault)) => return Err(fault),
            Err(error @ SyncError::Unsteady(_)) => tracing::warn!(%error, "settlements"),
        }
    }
    reconcile(backoffice, &JOB, day, next).await?;
    Ok(())
}

/// Reconciles what is due: today and yesterday each time, all of the last weeks once a morning, when the settlements
/// of the night are read.
pub async fn reconcile_due(backoffice: &Backoffice) -> Result<Reconciled, Fault> {
    let today = backoffice.clock.today();
    let tomorrow = today.saturating_add(Duration::DAY);
    // Toss has a night's settlements by the morning (field.md 0.7).
    let morning = day_start(today) + Duration::hours(6);
    let mut from = today - Duration::DAY;
    if backoffice.clock.now() >= morning {
        // What cannot be read today is read tomorrow: the days are reconciled with what is there.
        let mut due = false;
        if backoffice.settles {
            match settlements::sync_due(backoffice, morning).await {
                Ok(days) => due = !days.is_empty(),
                Err(fault @ Fault::Database(_)) => return Err(fault),
                Err(fault) => tracing::warn!(%fault, "settlements were not read"),
            }
        }
        match transactions::sync_toss_pay::sync_due(backoffice, morning).await {
            Ok(()) => {}
            Err(fault @ Fault::Database(_)) => return Err(fault),
            Err(fault) => tracing::warn!(%fault, "Toss Pay was not read"),
        }
        let swept = sqlx::query_scalar!(
            "select reconciled_at from reconciliations where day = $1",
            today - Duration::days(LOOK_BACK)
        )
        .fetch_optional(&backoffice.pool)
        .await?;
        if due || swept.is_none_or(|at| at < morning) {
            from = today - Duration::days(LOOK_BACK);
        }
    }
    reconcile(backoffice, &JOB, from, tomorrow).await
}

pub(super) async fn lock(tx: &mut PgConnection) -> Result<(), Fault> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(tx).await?;
    Ok(())
}

/// The sums of days that are not closed. How many rows there are, on all of them.
pub(super) async fn sum_days(tx: &mut PgConnection, from: Date, to: Date) -> Result<i64, Fault> {
    sqlx::query!(
        "delete from reconciled_days where day >= $1 and day < $2
         and not exists (select 1 from closed_days c where c.day = reconciled_days.day)",
        from,
        to,
    )
    .execute(&mut *tx)
    .await?;
    let rows: Option<i64> = sqlx::query_scalar(
        "with part as (
            select day, rail, currency, class, 1 as rows, is_estimate::integer as estimates, toss,
                   case when booked_currency is null then ours else 0 end as ours,
                   case when settled_currency is null then settled else 0 end as settled,
                   case when settled_currency is null then discount else 0 end as discount,
                   case when settled_currency is null then points else 0 end as points,
                   case when settled_currency is null then fee else 0 end as fee,
                   case when settled_currency is null then fee_base else 0 end as fee_base,
                   case when settled_currency is null then fee_instalment else 0 end as fee_instalment,
                   case when settled_currency is null then fee_instalment_discount else 0 end as fee_instalment_discount,
                   case when settled_currency is null then fee_point_saving else 0 end as fee_point_saving,
                   case when settled_currency is null then fee_other else 0 end as fee_other,
                   case when settled_currency is null then interest_fee else 0 end as interest_fee,
                   case when settled_currency is null then supply else 0 end as supply,
                   case when settled_currency is null then vat else 0 end as vat,
                   case when settled_currency is null then payout else 0 end as payout
            from reconciled
            -- What is in another currency than the row belongs to the sums of that one.
            union all
            select day, rail, booked_currency, class, 0, 0, 0, ours, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
            from reconciled where booked_currency is not null
            union all
            select day, rail, settled_currency, class, 0, 0, 0, 0, settled, discount, points, fee, fee_base, fee_instalment,
                   fee_instalment_discount, fee_point_saving, fee_other, interest_fee, supply, vat, payout
            from reconciled where settled_currency is not null
         ), summed as (
            select day, rail, currency, class, sum(rows)::bigint as rows, sum(ours) as ours, sum(toss) as toss, sum(settled) as settled,
                   sum(discount) as discount, sum(points) as points, sum(fee) as fee,
                   sum(coalesce(fee_base, 0)) as fee_base, sum(coalesce(fee_instalment, 0)) as fee_instalment,
                   sum(coalesce(fee_instalment_discount, 0)) as fee_instalment_discount,
                   sum(coalesce(fee_point_saving, 0)) as fee_point_saving, sum(coalesce(fee_other, 0)) as fee_other,
                   sum(coalesce(interest_fee, 0)) as interest_fee, sum(supply) as supply, sum(vat) as vat, sum(payout) as payout,
                   sum(estimates)::bigint as estimates
            from part group by day, rail, currency, class
         ), kept as (
            insert into reconciled_days (day, rail, currency, class, rows, ours, toss, settled, discount, points, fee, fee_base,
                                         fee_instalment, fee_instalment_discount, fee_point_saving, fee_other, interest_fee, supply, vat, payout, estimates)
            select * from summed s where not exists (select 1 from closed_days c where c.day = s.day)
         )
         select sum(rows)::bigint from summed",
    )
    .fetch_one(tx)
    .await?;
    Ok(rows.unwrap_or_default())
}

/// Rows of closed days that were not there, or otherwise, when somebody signed for them.
async fn note_after_close(
    tx: &mut PgConnection,
    from: Date,
    to: Date,
    now: OffsetDateTime,
    found: &mut Reconciled,
) -> Result<(), Fault> {
    let fresh: i64 = sqlx::query_scalar(
        "with late as (
            select s.* from reconciled s join closed_days d on d.day = s.day
            left join closed_rows c on c.day = s.day and c.transaction_key = s.transaction_key and c.occurrence = s.occurrence
            where (c.class, c.currency, c.booked_currency, c.settled_currency, c.ours, c.toss, c.settled, c.fee, c.vat, c.payout)
                  is distinct from (s.class, s.currency, s.booked_currency, s.settled_currency, s.ours, s.toss, s.settled,
                                    s.fee, s.vat, s.payout)
         ), over as (
            -- What came late and agrees with what was signed for after all.
            delete from after_close a where a.day >= $1 and a.day < $2
            and not exists (select 1 from late l where l.day = a.day and l.transaction_key = a.transaction_key and l.occurrence = a.occurrence)
         ), noted as (
            insert into after_close as a (day, transaction_key, occurrence, rail, currency, booked_currency, settled_currency, class, ours,
                                          toss, settled, fee, vat, payout, found_at)
            select day, transaction_key, occurrence, rail, currency, booked_currency, settled_currency, class, ours, toss, settled, fee,
                   vat, payout, $3 from late
            on conflict (day, transaction_key, occurrence) do update
                set class = excluded.class, currency = excluded.currency, booked_currency = excluded.booked_currency,
                    settled_currency = excluded.settled_currency, ours = excluded.ours, toss = excluded.toss,
                    settled = excluded.settled, fee = excluded.fee, vat = excluded.vat, payout = excluded.payout
            returning (xmax = 0) as fresh
         )
         select count(*) filter (where fresh) from noted",
    )
    .bind(from)
    .bind(to)
    .bind(now)
    .fetch_one(tx)
    .await?;
    found.after_close = fresh;
    Ok(())
}

/// Differences that are new, or otherwise than they were: whoever accepted one accepted it as it stood.
async fn note_differences(
    tx: &mut PgConnection,
    actor: &Actor,
    now: OffsetDateTime,
    found: &mut Reconciled,
) -> Result<(), Fault> {
    let (all, news): (i64, i64) = sqlx::query_as(
        "with differing as materialized (
            select s.*, c.day is not null as after_close from reconciled s left join closed_days c on c.day = s.day
            where s.class not in ('matched', 'expected')
         ), noted as (
            insert into differences as d
                (transaction_key, occurrence, day, rail, payment_key, order_id, method, currency, booked_currency, settled_currency,
                 transaction_at, class, findings, ours, toss, settled, fee, fee_due, payout, due, state, after_close, found_at, changed_at)
            select transaction_key, occurrence, day, rail, payment_key, order_id, method, currency, booked_currency, settled_currency,
                   transaction_at, class, findings, ours, toss, settled, fee, fee_due, payout, due, 'open', after_close, $1, $1
            from differing
            on conflict (transaction_key, occurrence) do update
                set day = excluded.day, class = excluded.class, findings = excluded.findings, currency = excluded.currency,
                    booked_currency = excluded.booked_currency, settled_currency = excluded.settled_currency,
                    ours = excluded.ours, toss = excluded.toss, settled = excluded.settled, fee = excluded.fee,
                    fee_due = excluded.fee_due, payout = excluded.payout, due = excluded.due,
                    state = 'open', reason = null, requested_by = null, accepted_by = null,
                    after_close = d.after_close or excluded.after_close, changed_at = excluded.changed_at
                where d.state = 'resolved'
                   or (d.class, d.currency, d.booked_currency, d.settled_currency, d.ours, d.toss, d.settled, d.fee, d.payout)
                      is distinct from (excluded.class, excluded.currency, excluded.booked_currency,
                                        excluded.settled_currency, excluded.ours, excluded.toss, excluded.settled,
                                        excluded.fee, excluded.payout)
            returning d.transaction_key, d.occurrence, (xmax = 0) as fresh, d.class
         ), stepped as (
            insert into difference_steps (transaction_key, occurrence, at, actor, actor_name, kind, note)
            select transaction_key, occurrence, $1, $2, $3, case when fresh then 'found' else 'changed' end, class from noted
         )
         select (select count(*) from differing), (select count(*) from noted)",
    )
    .bind(now)
    .bind(actor.key())
    .bind(actor.name())
    .fetch_one(&mut *tx)
    .await?;
    (found.differences, found.found) = (all, news);
    if news > 0 {
        tell(tx, now, Kind::DifferenceFound).await?;
    }
    Ok(())
}

/// Differences of these days whose sides agree by now.
async fn note_resolved(
    tx: &mut PgConnection,
    actor: &Actor,
    from: Date,
    to: Date,
    now: OffsetDateTime,
    found: &mut Reconciled,
) -> Result<(), Fault> {
    found.resolved = sqlx::query_scalar(
        "with resolved as (
            update differences d set state = 'resolved', changed_at = $3
            where d.day >= $1 and d.day < $2 and d.state <> 'resolved'
              and not exists (select 1 from reconciled s where s.transaction_key = d.transaction_key and s.occurrence = d.occurrence
                                and s.class not in ('matched', 'expected'))
            returning d.transaction_key, d.occurrence
         ), stepped as (
            insert into difference_steps (transaction_key, occurrence, at, actor, actor_name, kind)
            select transaction_key, occurrence, $3, $4, $5, 'resolved' from resolved
         )
         select count(*) from resolved",
    )
    .bind(from)
    .bind(to)
    .bind(now)
    .bind(actor.key())
    .bind(actor.name())
    .fetch_one(&mut *tx)
    .await?;
    if found.resolved > 0 {
        tell(tx, now, Kind::DifferenceResolved).await?;
    }
    Ok(())
}

/// Tells the merchant's own systems what this run has changed.
async fn tell(tx: &mut PgConnection, now: OffsetDateTime, kind: Kind) -> Result<(), Fault> {
    let differences = sqlx::query_as!(
        data::Difference,
        r#"select transaction_key, occurrence, order_id, payment_key, class, day::text as "day!", ours, toss, settled, currency
           from differences where changed_at = $1 and (state = 'resolved') = $2 order by transaction_key, occurrence"#,
        now,
        kind == Kind::DifferenceResolved,
    )
    .fetch_all(&mut *tx)
    .await?;
    let told: Vec<(Kind, Data)> =
        differences.into_iter().map(|difference| (kind, Data::Difference(difference))).collect();
    for some in told.chunks(1_000) {
        events::tell(tx, now, some).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_window_that_cannot_be_is_refused_with_its_reason() {
        let today = date!(2026 - 11 - 23);
        let of = |from, to| window(from, to, today);
        assert_eq!(of(date!(2026 - 11 - 02), date!(2026 - 11 - 01)), Err(WindowError::Backwards));
        assert_eq!(of(date!(2026 - 11 - 02), date!(2026 - 11 - 02)), Err(WindowError::Backwards));
        assert_eq!(of(date!(2026 - 11 - 24), date!(2026 - 11 - 25)), Err(WindowError::Future));
        assert_eq!(of(date!(2023 - 11 - 01), date!(2026 - 11 - 01)), Err(WindowError::TooLong));
        // What is still to come is cut off.
        assert_eq!(
            of(date!(2026 - 11 - 20), date!(2026 - 12 - 31)),
            Ok((date!(2026 - 11 - 20), date!(2026 - 11 - 24)))
        );
    }
}
