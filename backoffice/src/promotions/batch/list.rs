//! Reading files of grants.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Batch, BatchError, GrantState, Line, Progress};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
};

const COLUMNS: &str =
    "select id, promotion_code, file_name, event, created_by, created_by_name, created_at, state, needs_second,
    approved_by_name, lines, ready, ready_amount from grant_batches where true";

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Batch>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    Ok(query.build_query_as().fetch_optional(&backoffice.pool).await?)
}

/// Files of one campaign, newest first.
pub async fn list(
    backoffice: &Backoffice,
    code: &str,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Batch>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and promotion_code = ").push_bind(code.to_owned());
    push_keyset(&mut query, cursor, "created_at", "id::text", size);
    let rows: Vec<Batch> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |batch| (batch.created_at, batch.id.to_string())))
}

pub async fn progress(backoffice: &Backoffice, id: Uuid) -> Result<Progress, Fault> {
    let row = sqlx::query!(
        r#"select count(*) as "lines!", count(*) filter (where l.state = 'ready') as "ready!",
                  count(*) filter (where l.state = 'refused') as "refused!",
                  count(*) filter (where g.state = 'succeeded') as "succeeded!",
                  count(*) filter (where g.state in ('failed', 'declined')) as "failed!",
                  count(*) filter (where g.state in ('requested', 'sending', 'pending', 'unknown')) as "open!",
                  coalesce(sum(g.amount) filter (where g.state = 'succeeded'), 0)::bigint as "amount!"
           from grant_batch_lines l left join grants g on g.id = l.grant_id where l.batch_id = $1"#,
        id
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(Progress {
        lines: row.lines,
        ready: row.ready,
        refused: row.refused,
        succeeded: row.succeeded,
        failed: row.failed,
        open: row.open,
        amount: row.amount,
    })
}

/// Lines after `after`, as the file counts them.
pub async fn lines(backoffice: &Backoffice, id: Uuid, after: i32, most: i64) -> Result<Vec<Line>, Fault> {
    let rows = sqlx::query!(
        r#"select l.line, l.user_key, l.amount, l.why, g.state as "grant?: GrantState", g.error_code, g.error_message
           from grant_batch_lines l left join grants g on g.id = l.grant_id
           where l.batch_id = $1 and l.line > $2 order by l.line limit $3"#,
        id,
        after,
        most,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let why = row.why.map(serde_json::from_value).transpose();
            Ok(Line {
                line: row.line,
                user_key: row.user_key,
                amount: row.amount,
                why: why.map_err(Fault::unreadable("why a line is refused"))?,
                grant: row.grant,
                code: row.error_code,
                error: row.error_message,
            })
        })
        .collect()
}

/// One file, locked. Not against references to it: grants of it are being written meanwhile.
pub(super) async fn lock_batch_for_update(tx: &mut PgConnection, id: Uuid) -> Result<Batch, BatchError> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id).push(" for no key update");
    query.build_query_as().fetch_optional(tx).await?.ok_or(BatchError::NotFound)
}
