//! Somebody leaves: what is theirs and open, who goes on with it, and the end of the account. One transaction.

use serde_json::json;
use uuid::Uuid;

use crate::{
    Backoffice, Fault,
    api_keys::{self, KeyError},
    audit::{self, Act, Actor},
    limits, promotions,
    reconciliation::differences,
    refunds,
    staff::{self, Invalid, Permission, Staff, StaffError},
};

text_enum! {
    /// What somebody may have open.
    Kind {
        /// A difference that they have taken.
        Difference = "difference",
        /// A refund that waits for a second person.
        Refund = "refund",
        RefundBatch = "refund_batch",
        /// Points that wait for a second person.
        Grant = "grant",
        GrantBatch = "grant_batch",
        Limit = "limit",
        /// A role that they want for somebody, or another content of one.
        Right = "right",
        /// A key whose secret they have seen. It goes on until somebody replaces it or takes it back.
        ApiKey = "api_key",
    }
}

/// One thing that is open.
#[derive(Debug, Clone)]
pub struct Item {
    pub kind: Kind,
    /// What its page is found by; empty for a limit or a right.
    pub key: String,
    pub what: String,
}

/// Most that a page lists.
const SHOWN: i64 = 100;

/// What is theirs and open. One question over all nouns, as on the first page.
pub async fn open(backoffice: &Backoffice, staff: Uuid) -> Result<Vec<Item>, Fault> {
    let items = sqlx::query_as!(
        Item,
        r#"select kind as "kind!: Kind", key as "key!", what as "what!" from (
            select 'difference' as kind, transaction_key || case when occurrence > 1 then '~' || occurrence else '' end as key,
                   order_id as what from differences where assignee = $1 and state in ('open', 'pending_approval')
            union all select 'refund', order_id, order_id from refunds where requested_by = $1 and state = 'waiting_for_approval'
            union all select 'refund_batch', id::text, file_name from refund_batches
                where created_by = $1 and state in ('previewed', 'waiting_for_approval', 'running')
            union all select 'grant', promotion_code, promotion_code || ' ' || event from grants
                where requested_by = $1 and state = 'waiting_for_approval'
            union all select 'grant_batch', id::text, file_name from grant_batches
                where created_by = $1 and state in ('previewed', 'waiting_for_approval', 'running')
            union all select 'limit', '', role from limit_requests where requested_by = $1
            union all select 'right', '', s.name from role_requests r join staff s on s.id = r.staff_id where r.requested_by = $1
            union all select 'right', '', o.name from own_role_requests r join own_roles o on o.id = r.own_role_id
                where r.requested_by = $1
            union all select 'api_key', id::text, name from api_keys where $1 = any(seen_by) and revoked_at is null) x
           order by kind, what limit $2"#,
        staff,
        SHOWN,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(items)
}

/// What becomes of requests that nobody has decided yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// They can still be decided.
    Stay,
    Withdrawn,
}

/// What was handed over and ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    pub differences: usize,
    pub files: usize,
    pub withdrawn: usize,
}

/// Who may go on with differences.
pub async fn colleagues(backoffice: &Backoffice, of: Uuid) -> Result<Vec<Staff>, Fault> {
    let all = staff::list(backoffice).await?.into_iter();
    Ok(all.filter(|one| one.id != of && goes_on(one)).collect())
}

fn goes_on(staff: &Staff) -> bool {
    staff.disabled_at.is_none() && staff.may(Permission::Reconcile)
}

/// Ends the account, if it is open, and hands over what is theirs: differences to `to`, or to nobody. Files stop, because what
/// they would go on to ask for would be asked for by nobody.
pub async fn leave(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    to: Option<Uuid>,
    waiting: Waiting,
) -> Result<Left, StaffError> {
    let mut tx = backoffice.pool.begin().await?;
    staff::leave_in(backoffice, &mut tx, actor, id).await?;
    let to = match to {
        None => None,
        Some(to) => {
            let colleague = staff::get_in(&mut tx, to).await?.filter(|one| one.id != id && goes_on(one));
            Some(colleague.ok_or(Invalid::Colleague)?)
        }
    };
    let heir = to.as_ref().map(|one| (one.id, one.name.as_str()));
    let mut left = Left::default();
    if waiting == Waiting::Withdrawn {
        left.withdrawn += refunds::withdraw_of(backoffice, &mut tx, actor, id).await?;
        left.withdrawn += promotions::decline_of(backoffice, &mut tx, actor, id).await?;
        left.withdrawn += limits::withdraw_of(backoffice, &mut tx, actor, id).await?;
    }
    left.files += refunds::batch::end_of(backoffice, &mut tx, actor, id).await?;
    left.files += promotions::batch::end_of(backoffice, &mut tx, actor, id).await?;
    left.differences = differences::hand_over(backoffice, &mut tx, actor, id, heir).await?;
    let (subject, detail) = (id.to_string(), json!({ "left": left, "to": heir.map(|(_, name)| name) }));
    let act = Act { action: "staff.handed_over", subject_kind: "staff", subject: &subject, detail };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    Ok(left)
}

/// Takes a key back, and with it what it has asked for and nobody has decided: whoever has stolen it would still be waited for.
pub async fn revoke_api_key(backoffice: &Backoffice, actor: &Actor, key: Uuid) -> Result<(), KeyError> {
    let mut tx = backoffice.pool.begin().await?;
    api_keys::revoke(&mut tx, backoffice.clock.now(), actor, key).await?;
    refunds::withdraw_of(backoffice, &mut tx, actor, key).await?;
    promotions::decline_of(backoffice, &mut tx, actor, key).await?;
    tx.commit().await?;
    Ok(())
}
