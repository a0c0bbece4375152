//! Settlement rows: what Toss takes for a transaction and when it pays the rest out (toss-api.md A8). They are read by
//! the day of the sale, again and again until a while after the payout, because Toss adds to a day later.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use futures::TryStreamExt as _;
use rust_decimal::Decimal;
use serde_json::{Value, json, value::RawValue};
use sqlx::{PgConnection, PgPool};
use time::{Date, Duration, OffsetDateTime};
use toss::payments::{Settlement, SettlementDate};

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::day_start,
    text, transactions,
};

/// Rows that are written at once.
const AT_ONCE: usize = 1000;
/// A list that is longer than a page may change between two calls: it is read until two readings say the same.
const PAGE: u64 = 5000;
const READINGS: usize = 4;

/// What a reading of one day brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    pub rows: u64,
    /// Rows that were not known, or otherwise.
    pub new: u64,
    /// Rows that Toss had before and has no more.
    pub gone: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("Toss's list of {0} changed while it was read, {READINGS} times over: read it again later")]
    Unsteady(Date),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for SyncError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<toss::payments::Error> for SyncError {
    fn from(error: toss::payments::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// What a fee is made of, VAT included: the first five come to the fee. All nothing where Toss does not tell (shops of
/// version 1.x).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct FeeParts {
    pub base: Decimal,
    pub instalment: Decimal,
    /// Below nothing: Toss takes so much less.
    pub instalment_discount: Decimal,
    pub point_saving: Decimal,
    pub other: Decimal,
    /// Interest on instalments that the merchant bears. Toss tells it beside the fee.
    pub interest: Decimal,
}

impl FeeParts {
    /// There is more to say than one figure.
    pub fn are_several(&self) -> bool {
        let Self { base: _, instalment, instalment_discount, point_saving, other, interest } = *self;
        [instalment, instalment_discount, point_saving, other, interest].iter().any(|part| !part.is_zero())
    }
}

/// What the fee of one settlement row is made of.
pub async fn fee_parts(
    backoffice: &Backoffice,
    transaction_key: &str,
    occurrence: i16,
) -> Result<Option<FeeParts>, Fault> {
    let parts = sqlx::query_as!(
        FeeParts,
        r#"select coalesce(fee_base, 0) as "base!", coalesce(fee_instalment, 0) as "instalment!",
                  coalesce(fee_instalment_discount, 0) as "instalment_discount!",
                  coalesce(fee_point_saving, 0) as "point_saving!", coalesce(fee_other, 0) as "other!",
                  coalesce(interest_fee, 0) as "interest!"
           from settlements where transaction_key = $1 and occurrence = $2"#,
        transaction_key,
        occurrence,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(parts)
}

struct Row {
    row: Settlement,
    raw: Value,
    occurrence: i16,
}

impl Row {
    fn parts(&self) -> Option<FeeParts> {
        let fees = self.row.fees.as_ref().filter(|fees| !fees.is_empty())?;
        const NAMED: [&str; 4] = ["BASE", "INSTALLMENT", "INSTALLMENT_DISCOUNT", "POINT_SAVING"];
        let of = |name: &str| fees.iter().filter(|f| f.kind == name).map(|f| f.fee).sum();
        let [base, instalment, instalment_discount, point_saving] = NAMED.map(of);
        let other = fees.iter().filter(|f| !NAMED.contains(&f.kind.as_str())).map(|f| f.fee).sum();
        let interest = self.row.interest_fee.unwrap_or_default();
        Some(FeeParts { base, instalment, instalment_discount, point_saving, other, interest })
    }

    fn fee(&self) -> Decimal {
        let told = self.row.fee.or_else(|| self.row.pay_out_amount.map(|out| self.row.amount - out));
        told.unwrap_or_default()
    }

    fn payout(&self) -> Decimal {
        self.row.pay_out_amount.unwrap_or_else(|| self.row.amount - self.fee())
    }

    /// What is neither fee nor payout, where an easy payment tells of a discount of just that much: the merchant bears it.
    fn discount(&self) -> Decimal {
        let rest = self.row.amount - self.fee() - self.payout();
        let told = self.row.easy_pay.as_ref().and_then(|easy| easy.discount_amount).unwrap_or_default();
        if !rest.is_zero() && rest.abs() == told.abs() { rest } else { Decimal::ZERO }
    }

    fn transaction_at(&self) -> OffsetDateTime {
        let at = match &self.row.cancel {
            Some(cancel) => cancel.canceled_at,
            None => self.row.approved_at,
        };
        at.unwrap_or_else(|| day_start(self.row.sold_date))
    }
}

/// Writes a page. How many rows are new or say something else than before.
async fn take(pool: &PgPool, page: &[Row], begun: OffsetDateTime) -> Result<u64, Fault> {
    let parts: Vec<Option<FeeParts>> = page.iter().map(Row::parts).collect();
    let part = |get: fn(&FeeParts) -> Decimal| parts.iter().map(|p| p.as_ref().map(get)).collect::<Vec<_>>();
    let of = |get: fn(&Row) -> String| page.iter().map(get).collect::<Vec<_>>();
    let money = |get: fn(&Row) -> Decimal| page.iter().map(get).collect::<Vec<_>>();
    let keys = of(|r| r.row.transaction_key.0.clone());
    let occurrence: Vec<i16> = page.iter().map(|r| r.occurrence).collect();
    let mut tx = pool.begin().await?;
    let changed = sqlx::query_scalar!(
        r#"with before as (
            select s.transaction_key, s.occurrence, s.currency, s.amount, s.fee, s.pay_out_amount, s.paid_out_date, s.gone_at
            from settlements s join unnest($1::text[], $2::smallint[]) as l (key, occurrence) on l.key = s.transaction_key and l.occurrence = s.occurrence
           ), taken as (
            insert into settlements as s
                (transaction_key, occurrence, payment_key, order_id, method, currency, amount, fee, fee_base, fee_instalment, fee_other,
                 supply_amount, vat, discount, pay_out_amount, is_cancel, transaction_at, sold_date, paid_out_date,
                 fee_instalment_discount, fee_point_saving, interest_fee, read_at)
            select *, $20::timestamptz from unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::numeric[], $8::numeric[], $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[],
                $14::numeric[], $15::numeric[], $16::boolean[], $17::timestamptz[], $18::date[], $19::date[],
                $21::numeric[], $22::numeric[], $23::numeric[])
            on conflict (transaction_key, occurrence) do update set
                method = excluded.method, currency = excluded.currency, amount = excluded.amount, fee = excluded.fee,
                fee_base = excluded.fee_base, fee_instalment = excluded.fee_instalment, fee_other = excluded.fee_other,
                fee_instalment_discount = excluded.fee_instalment_discount, fee_point_saving = excluded.fee_point_saving,
                interest_fee = excluded.interest_fee,
                supply_amount = excluded.supply_amount, vat = excluded.vat, discount = excluded.discount,
                pay_out_amount = excluded.pay_out_amount, is_cancel = excluded.is_cancel,
                transaction_at = excluded.transaction_at, sold_date = excluded.sold_date,
                paid_out_date = excluded.paid_out_date, read_at = excluded.read_at, gone_at = null
            returning s.transaction_key, s.occurrence, s.currency, s.amount, s.fee, s.pay_out_amount, s.paid_out_date)
           select count(*) as "changed!" from taken n left join before b using (transaction_key, occurrence)
           where (b.currency, b.amount, b.fee, b.pay_out_amount, b.paid_out_date, b.gone_at)
                 is distinct from (n.currency, n.amount, n.fee, n.pay_out_amount, n.paid_out_date, null::timestamptz)"#,
        &keys,
        &occurrence,
        &of(|r| r.row.payment_key.0.clone()),
        &of(|r| r.row.order_id.0.clone()),
        &page.iter().map(|r| r.row.method.as_ref().map(|m| m.as_str().to_owned())).collect::<Vec<_>>()
            as &[Option<String>],
        &of(|r| r.row.currency.clone().unwrap_or_else(|| "KRW".into())),
        &money(|r| r.row.amount),
        &money(Row::fee),
        &part(|p| p.base) as &[Option<Decimal>],
        &part(|p| p.instalment) as &[Option<Decimal>],
        &part(|p| p.other) as &[Option<Decimal>],
        &page.iter().map(|r| r.row.supply_amount).collect::<Vec<_>>() as &[Option<Decimal>],
        &page.iter().map(|r| r.row.vat).collect::<Vec<_>>() as &[Option<Decimal>],
        &money(Row::discount),
        &money(Row::payout),
        &page.iter().map(|r| r.row.cancel.is_some() || r.row.amount.is_sign_negative()).collect::<Vec<_>>(),
        &page.iter().map(Row::transaction_at).collect::<Vec<_>>(),
        &page.iter().map(|r| r.row.sold_date).collect::<Vec<_>>(),
        &page.iter().map(|r| r.row.paid_out_date).collect::<Vec<_>>(),
        begun,
        &part(|p| p.instalment_discount) as &[Option<Decimal>],
        &part(|p| p.point_saving) as &[Option<Decimal>],
        &page.iter().map(|r| r.row.interest_fee).collect::<Vec<_>>() as &[Option<Decimal>],
    )
    .fetch_one(&mut *tx)
    .await?;
    let raws: Vec<Value> = page.iter().map(|r| r.raw.clone()).collect();
    transactions::upsert_source_rows(&mut tx, "settlements", &keys, &occurrence, raws, begun).await?;
    tx.commit().await?;
    Ok(u64::try_from(changed).unwrap_or_default())
}

/// The rows of one reading, told apart when Toss has one twice: their numbers, in the order they came.
#[derive(Default)]
struct Seen {
    numbers: HashMap<String, Vec<i16>>,
    rows: u64,
    digest: DefaultHasher,
}

impl Seen {
    async fn page(
        &mut self,
        pool: &PgPool,
        day: Date,
        page: Vec<(Settlement, Box<RawValue>)>,
    ) -> Result<Vec<Row>, Fault> {
        let keys: Vec<String> = page.iter().map(|(row, _)| row.transaction_key.0.clone()).collect();
        let known = sqlx::query!(
            "select transaction_key, occurrence, sold_date from settlements
             where transaction_key = any($1) and gone_at is null order by occurrence",
            &keys
        )
        .fetch_all(pool)
        .await?;
        let mut of_key: HashMap<String, Vec<(i16, Date)>> = HashMap::new();
        for row in known {
            of_key.entry(row.transaction_key).or_default().push((row.occurrence, row.sold_date));
        }
        let mut rows = Vec::with_capacity(page.len());
        for (row, raw) in page {
            let known = of_key.get(&row.transaction_key.0).map(Vec::as_slice).unwrap_or_default();
            let taken = self.numbers.entry(row.transaction_key.0.clone()).or_default();
            let own = known
                .iter()
                .filter(|(occurrence, sold)| *sold == day && !taken.contains(occurrence))
                .map(|(occurrence, _)| *occurrence)
                .next();
            // A row of another day keeps its number: this one is a second row for the same transaction.
            let free = (1..i16::MAX).find(|occurrence| {
                !taken.contains(occurrence) && !known.iter().any(|(k, sold)| k == occurrence && *sold != day)
            });
            let occurrence = own.or(free).unwrap_or(i16::MAX);
            taken.push(occurrence);
            self.rows += 1;
            raw.get().hash(&mut self.digest);
            let raw = serde_json::from_str(raw.get()).map_err(Fault::unreadable("a row of settlements"))?;
            rows.push(Row { row, raw: text::without_nul(raw), occurrence });
        }
        Ok(rows)
    }
}

/// Reads the settlements of one day of sale to their end. Doing it again is harmless; what is broken off before its
/// end does not count as read.
pub async fn sync(backoffice: &Backoffice, actor: &Actor, day: Date) -> Result<Read, SyncError> {
    let begun = backoffice.clock.now();
    let mut read = Read::default();
    let mut before = None;
    for _ in 0..READINGS {
        let seen = read_once(backoffice, day, begun, &mut read).await?;
        let digest = seen.digest.finish();
        if seen.rows < PAGE || before == Some(digest) {
            return Ok(finish(backoffice, actor, day, begun, seen, read).await?);
        }
        before = Some(digest);
    }
    Err(SyncError::Unsteady(day))
}

async fn read_once(
    backoffice: &Backoffice,
    day: Date,
    at: OffsetDateTime,
    read: &mut Read,
) -> Result<Seen, SyncError> {
    let mut seen = Seen::default();
    let mut pages =
        std::pin::pin!(backoffice.toss.settlements(day, day, SettlementDate::Sold).try_chunks(AT_ONCE));
    while let Some(page) = pages.try_next().await.map_err(|stopped| stopped.1)? {
        let rows = seen.page(&backoffice.pool, day, page).await?;
        read.new += take(&backoffice.pool, &rows, at).await?;
    }
    Ok(seen)
}

async fn finish(
    backoffice: &Backoffice,
    actor: &Actor,
    day: Date,
    begun: OffsetDateTime,
    seen: Seen,
    mut read: Read,
) -> Result<Read, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    read.rows = seen.rows;
    let seen_rows = seen
        .numbers
        .into_iter()
        .flat_map(|(key, occurrence)| occurrence.into_iter().map(move |n| (key.clone(), n)));
    let (keys, occurrence): (Vec<String>, Vec<i16>) = seen_rows.unzip();
    let gone = sqlx::query_scalar!(
        "update settlements s set gone_at = $2
         where s.sold_date = $1 and s.gone_at is null
           and not exists (select 1 from unnest($3::text[], $4::smallint[]) as l (key, occurrence)
                           where l.key = s.transaction_key and l.occurrence = s.occurrence)
         returning s.transaction_key",
        day,
        begun,
        &keys,
        &occurrence,
    )
    .fetch_all(&mut *tx)
    .await?;
    read.gone = gone.len() as u64;
    close_ranks(&mut tx, &gone).await?;
    let rows = i64::try_from(seen.rows).unwrap_or_default();
    let next = day.next_day().unwrap_or(day);
    transactions::mark_read(&mut tx, "settlements", day_start(day), day_start(next), begun, rows).await?;
    if !matches!(actor, Actor::Job(_)) || read.new + read.gone > 0 {
        let detail = json!({ "read": read.rows, "new": read.new, "gone": read.gone });
        let subject = day.to_string();
        let act = Act { action: "settlements.synced", subject_kind: "day", subject: &subject, detail };
        audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    }
    tx.commit().await?;
    Ok(read)
}

/// When each day of sale of `[from, to)` was last read to its end.
pub async fn days_read(
    backoffice: &Backoffice,
    from: Date,
    to: Date,
) -> Result<BTreeMap<Date, OffsetDateTime>, Fault> {
    let rows = sqlx::query!(
        "select starts_at, read_at from sync_windows where source = 'settlements' and starts_at >= $1 and starts_at < $2",
        day_start(from),
        day_start(to),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let day = |at: OffsetDateTime| at.to_offset(crate::clock::SEOUL).date();
    Ok(rows.into_iter().map(|row| (day(row.starts_at), row.read_at)).collect())
}

/// Reads again what Toss may have added to: the days of sale of the last weeks that were not read since `since`,
/// oldest first. Which days.
pub(crate) async fn sync_due(backoffice: &Backoffice, since: OffsetDateTime) -> Result<Vec<Date>, Fault> {
    let today = backoffice.clock.today();
    let from = today - Duration::days(LOOK_BACK);
    let read = days_read(backoffice, from, today).await?;
    let days = (1..=LOOK_BACK).rev().map(|back| today - Duration::days(back));
    let mut done = Vec::new();
    for day in days.filter(|day| read.get(day).is_none_or(|at| *at < since)) {
        match sync(backoffice, &Actor::Job("settlements"), day).await {
            Ok(_) => done.push(day),
            Err(SyncError::Fault(fault)) => return Err(fault),
            Err(error @ SyncError::Unsteady(_)) => tracing::warn!(%error, "settlements"),
        }
    }
    Ok(done)
}

/// Where the first of two rows is gone, the second was never one too many.
async fn close_ranks(tx: &mut PgConnection, keys: &[String]) -> Result<(), Fault> {
    sqlx::query!(
        "delete from settlements g where g.transaction_key = any($1) and g.occurrence = 1 and g.gone_at is not null
         and exists (select 1 from settlements l where l.transaction_key = g.transaction_key and l.occurrence > 1 and l.gone_at is null)",
        keys
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update settlements s set occurrence = 1
         where s.transaction_key = any($1) and s.occurrence > 1 and s.gone_at is null
           and not exists (select 1 from settlements f where f.transaction_key = s.transaction_key
                             and (f.occurrence = 1 or (f.gone_at is null and f.occurrence < s.occurrence)))",
        keys
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// A month's cycle, and the business days to its payout.
const LOOK_BACK: i64 = 45;
