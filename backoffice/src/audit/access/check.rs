//! Whether the access record is what its rows in the log say.

use sqlx::PgConnection;

use super::{Sealed, micros};
use crate::{Fault, audit::verify::Finding};

/// Rows that are read at once.
const AT_ONCE: i64 = 10_000;

/// Records that are not what they were; at most a thousand of each kind.
pub(in crate::audit) async fn findings(tx: &mut PgConnection) -> Result<Vec<Finding>, Fault> {
    let mut found = gone(tx).await?;
    let mut after = i64::MIN;
    loop {
        let rows = sqlx::query!(
            r#"select r.seq, r.at, r.staff_id, r.kind, r.subject_kind, r.subject, r.what, r.is_masked, r.reason, r.people,
                      r.people_hash, r.salt, a.subject as "hash?"
               from access_records r
               left join audit a on a.seq = r.seq and a.subject_kind = 'access_record' and a.action = 'personal.' || r.kind
               where r.seq > $1 order by r.seq limit $2"#,
            after,
            AT_ONCE,
        )
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.seq;
        for row in rows {
            let sealed = Sealed {
                at: micros(row.at),
                staff_id: row.staff_id,
                kind: &row.kind,
                subject_kind: &row.subject_kind,
                subject: &row.subject,
                what: &row.what,
                is_masked: row.is_masked,
                reason: row.reason.as_deref(),
                people: row.people,
                people_hash: row.people_hash.as_deref(),
                salt: &row.salt,
            };
            if row.hash != Some(sealed.hash()?) && found.len() < 1_000 {
                found.push(Finding::RecordChanged { seq: row.seq });
            }
        }
    }
}

/// Rows of the log whose record is missing before the law's shortest time is up.
async fn gone(tx: &mut PgConnection) -> Result<Vec<Finding>, Fault> {
    let rows = sqlx::query_scalar!(
        "select a.seq from audit a
         where a.action = any(array['personal.viewed', 'personal.revealed', 'personal.searched', 'personal.exported'])
           and a.at > now() - interval '1 year'
           and not exists (select from access_records r where r.seq = a.seq)
         order by a.seq limit 1000"
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|seq| Finding::RecordRemoved { seq }).collect())
}
