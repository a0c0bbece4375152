//! Closing a day: somebody signs for it. Its rows are kept as they are, with a hash over them; the database lets nobody
//! change them any more, and what comes later stands beside them.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use time::{Date, OffsetDateTime};

use super::{Class, expectations, run};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::text::hex,
    page::{Cursor, Page, push_keyset},
    reconciliation,
};

#[derive(Debug, Clone)]
pub struct Closed {
    pub day: Date,
    pub closed_at: OffsetDateTime,
    pub closed_by_name: String,
    pub note: Option<String>,
    pub rows: i64,
    /// Hexadecimal.
    pub hash: String,
}

/// A row of a closed day that was not there, or otherwise, when it was closed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LateRow {
    pub transaction_key: String,
    pub occurrence: i16,
    pub currency: String,
    pub settled_currency: Option<String>,
    pub class: String,
    pub ours: Decimal,
    pub toss: Decimal,
    pub settled: Decimal,
    pub payout: Decimal,
    pub found_at: OffsetDateTime,
}

/// What keeps a day from being closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    #[error("the day is not over")]
    NotOver,
    #[error("it is closed already")]
    Closed,
    #[error("Toss's list of transactions of the day is not read to its end")]
    NotRead,
    #[error("{0} differences are open")]
    Open(i64),
    #[error("{0} rows are still expected")]
    Expected(i64),
    #[error("the note is too long")]
    Note,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for CloseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Over the rows in the order of their keys, as PostgreSQL writes their figures.
const HASH: &str = "sha256(convert_to(coalesce(string_agg(concat_ws('|', transaction_key, occurrence, rail, currency, class, ours, toss,
    settled, fee, vat, payout, 'b:' || booked_currency, 's:' || settled_currency), E'\\n' order by transaction_key collate \"C\", occurrence), ''), 'UTF8'))";

/// Signs for a day. It is reconciled once more first: what is signed is what is there now.
pub async fn close(
    backoffice: &Backoffice,
    actor: &Actor,
    day: Date,
    note: &str,
) -> Result<Closed, CloseError> {
    let next = day.next_day().unwrap_or(day);
    if backoffice.clock.today() < next {
        return Err(CloseError::NotOver);
    }
    let note = Some(note.trim().replace('\0', "")).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > super::differences::LONGEST_NOTE) {
        return Err(CloseError::Note);
    }
    if get(backoffice, day).await?.is_some() {
        return Err(CloseError::Closed);
    }
    if !expectations::read_days(backoffice, day, next).await?.is_whole("transactions", day) {
        return Err(CloseError::NotRead);
    }
    reconciliation::reconcile(backoffice, actor, day, next).await?;
    let expected = expectations::build(backoffice, day, next).await?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    run::lock(&mut tx).await?;
    run::create_reconciled(backoffice, &mut tx, day, next, &expected).await?;
    may_close(&mut tx, day).await?;
    // The sums on screen are those of the very rows that are signed for.
    run::sum_days(&mut tx, day, next).await?;
    let sums = sums(&mut tx, day).await?;
    let (rows, hash): (i64, Vec<u8>) =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("select count(*), {HASH} from reconciled")))
            .fetch_one(&mut *tx)
            .await?;
    let closed = sqlx::query!(
        "insert into closed_days (day, closed_at, closed_by, closed_by_name, note, rows, sums, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (day) do nothing",
        day,
        now,
        actor.staff_id(),
        actor.name(),
        note,
        rows,
        sums,
        hash,
    )
    .execute(&mut *tx)
    .await?;
    if closed.rows_affected() == 0 {
        return Err(CloseError::Closed);
    }
    sqlx::query(
        "insert into closed_rows (day, transaction_key, occurrence, rail, currency, booked_currency, settled_currency, class, ours, toss,
                                  settled, fee, vat, payout)
         select day, transaction_key, occurrence, rail, currency, booked_currency, settled_currency, class, ours, toss, settled, fee,
                vat, payout from reconciled",
    )
    .execute(&mut *tx)
    .await?;
    let subject = day.to_string();
    let detail = json!({ "rows": rows, "hash": hex(&hash), "sums": sums, "note": note });
    let act = Act { action: "day.closed", subject_kind: "day", subject: &subject, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    get(backoffice, day)
        .await?
        .ok_or_else(|| Fault::Inconsistent(format!("{day} was closed and is not there")).into())
}

pub async fn get(backoffice: &Backoffice, day: Date) -> Result<Option<Closed>, Fault> {
    let closed = sqlx::query!(
        "select day, closed_at, closed_by_name, note, rows, hash from closed_days where day = $1",
        day
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(closed.map(|row| Closed {
        day: row.day,
        closed_at: row.closed_at,
        closed_by_name: row.closed_by_name,
        note: row.note,
        rows: row.rows,
        hash: hex(&row.hash),
    }))
}

pub async fn late_rows(
    backoffice: &Backoffice,
    day: Date,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<LateRow>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
        "select transaction_key, occurrence, currency, settled_currency, class, ours, toss, settled, payout, found_at from after_close
         where day = ",
    );
    query.push_bind(day);
    push_keyset(&mut query, cursor, "found_at", "(transaction_key || '~' || occurrence)", size);
    let rows: Vec<LateRow> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |r| (r.found_at, format!("{}~{}", r.transaction_key, r.occurrence))))
}

/// Every day that was signed for: whether its rows still are what was signed.
pub async fn verify(pool: &PgPool) -> Result<Vec<(Date, bool)>, Fault> {
    let query = format!(
        "select d.day, d.hash = (select {HASH} from closed_rows r where r.day = d.day)
                       and d.rows = (select count(*) from closed_rows r where r.day = d.day)
         from closed_days d order by d.day"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(pool).await?)
}

async fn may_close(tx: &mut PgConnection, day: Date) -> Result<(), CloseError> {
    // Nobody opens one while the day is being closed.
    sqlx::query!("select 1 as held from differences where day = $1 for share", day)
        .fetch_all(&mut *tx)
        .await?;
    let expected: i64 = sqlx::query_scalar("select count(*) from reconciled where class = $1")
        .bind(Class::Expected.as_str())
        .fetch_one(&mut *tx)
        .await?;
    if expected > 0 {
        return Err(CloseError::Expected(expected));
    }
    let open: i64 = sqlx::query_scalar(
        "select count(*) from reconciled s
         left join differences d on d.transaction_key = s.transaction_key and d.occurrence = s.occurrence
         where s.class not in ('matched', 'expected')
           -- Accepted is what was seen: other figures are another difference.
           and (d.state is distinct from 'accepted' or (d.class, d.currency, d.booked_currency, d.settled_currency, d.ours, d.toss,
                                                                d.settled, d.fee, d.payout)
                is distinct from (s.class, s.currency, s.booked_currency, s.settled_currency, s.ours, s.toss, s.settled,
                                  s.fee, s.payout))",
    )
    .fetch_one(&mut *tx)
    .await?;
    if open > 0 {
        return Err(CloseError::Open(open));
    }
    Ok(())
}

/// What [`run::sum_days`] has kept of it.
async fn sums(tx: &mut PgConnection, day: Date) -> Result<Value, Fault> {
    let sums: Option<Value> = sqlx::query_scalar(
        "select jsonb_agg(s) from (
            select rail, currency, class, rows, ours::text as ours, toss::text as toss, settled::text as settled,
                   fee::text as fee, vat::text as vat, payout::text as \"payOut\"
            from reconciled_days where day = $1 order by rail, currency, class) s",
    )
    .bind(day)
    .fetch_one(tx)
    .await?;
    Ok(sums.unwrap_or_else(|| json!([])))
}
