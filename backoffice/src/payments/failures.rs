//! Attempts that came to nothing in the payment window. Toss tells the shop of them (`failUrl`) and nobody afterwards: no look-up
//! knows that a buyer has closed the window.

use serde_json::json;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
};

/// The same code of the same order within this time is the same attempt: a shop posts again what it has no answer to.
const SAME_WITHIN: time::Duration = time::Duration::minutes(1);

/// Whether it looks like a code of Toss's.
fn is_code(text: &str) -> bool {
    (1..=60).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Why an attempt cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum NotNoted {
    #[error("code: 1 to 60 characters of A-Z 0-9 _")]
    Code,
    #[error("there is no such order")]
    NoSuchOrder,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for NotNoted {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Writes down why an attempt came to nothing. What the order shows stays as Toss says it.
pub async fn note_failed_attempt(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    code: &str,
) -> Result<(), NotNoted> {
    if !is_code(code) {
        return Err(NotNoted::Code);
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let order = sqlx::query_scalar!("select order_id from orders where order_id = $1 for update", order_id)
        .fetch_optional(&mut *tx)
        .await?;
    if order.is_none() {
        return Err(NotNoted::NoSuchOrder);
    }
    let noted = sqlx::query!(
        "insert into failed_attempts (order_id, at, code)
         select $1, $2, $3
         where not exists (select from failed_attempts where order_id = $1 and code = $3 and at > $4)",
        order_id,
        now,
        code,
        now - SAME_WITHIN,
    )
    .execute(&mut *tx)
    .await?;
    if noted.rows_affected() > 0 {
        let detail = json!({ "code": code });
        let act = Act { action: "order.attempt_failed", subject_kind: "order", subject: order_id, detail };
        audit::record(&mut tx, now, actor, act).await?;
    }
    tx.commit().await?;
    Ok(())
}
