//! What the merchant's own systems hear of points.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::State;
use crate::{
    Fault,
    events::{self, Data, Kind, data},
};

/// Tells of a grant that is settled. Its row is held. A grant of a test moves no points.
pub(super) async fn tell(tx: &mut PgConnection, now: OffsetDateTime, id: Uuid) -> Result<(), Fault> {
    let grant = sqlx::query!(
        r#"select state as "state: State", promotion_code, user_key, amount, is_test, error_code from grants where id = $1"#,
        id,
    )
    .fetch_one(&mut *tx)
    .await?;
    let kind = match grant.state {
        State::Succeeded if !grant.is_test => Kind::PromotionGranted,
        State::Failed if !grant.is_test => Kind::PromotionFailed,
        _ => return Ok(()),
    };
    let told = data::Promotion {
        grant_id: id,
        promotion_code: grant.promotion_code,
        user_key: grant.user_key,
        amount: grant.amount,
        code: grant.error_code,
    };
    events::tell(tx, now, &[(kind, Data::Promotion(told))]).await
}
