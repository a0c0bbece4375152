//! Reading files of refunds, their lines and how far they are.

use uuid::Uuid;

use super::{Batch, BatchError, Line, Progress};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
    refunds::{self, AccountCheck},
};

const COLUMNS: &str = "select id, file_name, reason_code, reason, created_by, created_by_name, created_at, state,
    approval_reason, approved_by_name, lines, ready, ready_amount,
    (select max(e.created_at) from refund_batches e where e.file_hash = b.file_hash and e.created_at < b.created_at)
        as seen_before
    from refund_batches b where true";

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Batch>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    Ok(query.build_query_as().fetch_optional(&backoffice.pool).await?)
}

pub async fn list(
    backoffice: &Backoffice,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Batch>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(COLUMNS);
    push_keyset(&mut query, cursor, "created_at", "id::text", size);
    let rows: Vec<Batch> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |batch| (batch.created_at, batch.id.to_string())))
}

/// Lines after the line `after`, in the file's order.
pub async fn lines(
    backoffice: &Backoffice,
    id: Uuid,
    only_refused: bool,
    after: i32,
    size: i64,
) -> Result<Vec<Line>, Fault> {
    let rows = sqlx::query!(
        r#"select l.line, l.order_id, l.amount_text, l.amount, l.why, l.account_masked,
                  l.account_check as "account_check: AccountCheck",
                  r.state as "refund?: refunds::State", r.error_code as "code?", r.error_message as "error?",
                  o.currency as "currency?"
           from refund_batch_lines l left join refunds r on r.id = l.refund_id
           left join orders o on o.order_id = l.order_id
           where l.batch_id = $1 and l.line > $2 and (not $3 or l.state = 'refused' or r.state in ('failed', 'declined'))
           order by l.line limit $4"#,
        id,
        after,
        only_refused,
        size,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let why = row.why.map(serde_json::from_value).transpose();
            Ok(Line {
                line: row.line,
                order_id: row.order_id,
                amount_text: row.amount_text,
                amount: row.amount,
                currency: row.currency,
                why: why.map_err(Fault::unreadable("why a line is refused"))?,
                account_masked: row.account_masked,
                account_check: row.account_check,
                refund: row.refund,
                code: row.code,
                error: row.error,
            })
        })
        .collect()
}

pub async fn progress(backoffice: &Backoffice, id: Uuid) -> Result<Progress, Fault> {
    let row = sqlx::query!(
        r#"select count(*) as "lines!",
                  count(*) filter (where l.state = 'ready') as "ready!",
                  coalesce(sum(l.amount) filter (where l.state = 'ready' and o.currency = 'KRW'), 0) as "ready_amount!",
                  count(*) filter (where l.state = 'ready' and o.currency <> 'KRW') as "foreign!",
                  count(*) filter (where l.state = 'refused') as "refused!",
                  count(*) filter (where r.state = 'succeeded') as "succeeded!",
                  count(*) filter (where r.state in ('failed', 'declined')) as "failed!",
                  coalesce(sum(r.amount) filter (where r.state = 'succeeded' and r.currency = 'KRW'), 0) as "amount!"
           from refund_batch_lines l left join refunds r on r.id = l.refund_id
           left join orders o on o.order_id = l.order_id
           where l.batch_id = $1"#,
        id,
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(Progress {
        lines: row.lines,
        ready: row.ready,
        ready_amount: row.ready_amount,
        foreign: row.foreign,
        refused: row.refused,
        succeeded: row.succeeded,
        failed: row.failed,
        open: row.lines - row.ready - row.refused - row.succeeded - row.failed,
        amount: row.amount,
    })
}

/// One file, locked. Not against references to it: lines of it are being written meanwhile.
pub(super) async fn lock_batch_for_update(
    tx: &mut sqlx::PgConnection,
    id: Uuid,
) -> Result<Batch, BatchError> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id).push(" for no key update of b");
    query.build_query_as().fetch_optional(tx).await?.ok_or(BatchError::NotFound)
}
