//! What somebody has to be told: it stands on every page of theirs until they say that they have read it.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Backoffice, Fault};

text_enum! {
    Notice {
        /// An administrator took somebody's second factor away.
        FactorReset = "factor_reset",
        /// A system of the merchant's has taken no event for three days, or says that it is gone.
        EndpointPaused = "endpoint_paused",
    }
}

/// One thing that somebody has not read yet.
#[derive(Debug, Clone)]
pub struct Unseen {
    pub id: Uuid,
    pub kind: Notice,
    /// The words that its sentence takes.
    pub detail: Value,
    pub at: OffsetDateTime,
}

/// Tells a person, if it is about one, and every administrator.
pub(crate) async fn tell_with_admins(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    staff: Option<Uuid>,
    kind: Notice,
    detail: &Value,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into staff_notices (id, staff_id, kind, detail, at)
         select gen_random_uuid(), id, $2, $3, $4 from staff
         where id = $1 or disabled_at is null and case when own_role_id is null then role = 'admin'
             else exists(select 1 from own_roles o where o.id = own_role_id and 'manage_staff' = any(o.permissions)) end",
        staff,
        kind.as_str(),
        detail,
        backoffice.clock.now(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub async fn unseen(backoffice: &Backoffice, staff: Uuid) -> Result<Vec<Unseen>, Fault> {
    let unseen = sqlx::query_as!(
        Unseen,
        r#"select id, kind as "kind: Notice", detail, at from staff_notices
           where staff_id = $1 and seen_at is null order by at desc limit 5"#,
        staff,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(unseen)
}

/// Somebody has read it.
pub async fn see(backoffice: &Backoffice, staff: Uuid, id: Uuid) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    sqlx::query!(
        "update staff_notices set seen_at = $3 where id = $1 and staff_id = $2 and seen_at is null",
        id,
        staff,
        now,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}
