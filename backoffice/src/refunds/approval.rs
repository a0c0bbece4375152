//! The second person. An approval is for one amount at one balance: when either has changed, it lapses.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Refund, RefundError, Refused, State,
    create_intent::{self, JOB_AFTER, check_amount},
    eligibility,
    job::ExecuteRefund,
    note_of,
};
use crate::{
    Backoffice, Fault, api_keys,
    audit::Actor,
    kernel::second_person::NotSecond,
    orders,
    payments::{self, ProviderPayment},
    queue,
    rail::Rail,
    refunds, staff,
};

/// An intent that is being decided on, with its order, payment and own row locked.
struct Locked {
    order_id: String,
    payment_key: String,
    amount: rust_decimal::Decimal,
    currency: String,
    refundable_amount: rust_decimal::Decimal,
    requested_by: Option<Uuid>,
    requested_by_key: Option<Uuid>,
}

/// Withdraws what waits for a second person although its balance is another one by now: of one payment, or of all.
pub(super) async fn lapse(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    payment_key: Option<&str>,
) -> Result<(), Fault> {
    let lapsed = sqlx::query!(
        "update refunds r set state = 'declined', settled_at = $2, error_code = 'LAPSED',
                error_message = 'the balance has changed', refund_account = null
         from payments p
         where ($1::text is null or r.payment_key = $1) and p.payment_key = r.payment_key and r.state = 'waiting_for_approval'
           and p.balance_amount <> r.refundable_amount
         returning r.id, r.order_id, r.amount, r.currency",
        payment_key,
        now,
    )
    .fetch_all(&mut *tx)
    .await?;
    for refund in lapsed {
        let detail = json!({ "amount": refund.amount, "currency": refund.currency });
        super::note(tx, now, &Actor::Job("refund"), &refund.order_id, refund.id, "refund.lapsed", detail)
            .await?;
    }
    Ok(())
}

/// The same in a transaction of its own: balances are learnt in many places, none of which knows of refunds.
pub(crate) async fn lapse_stale(backoffice: &Backoffice, payment_key: Option<&str>) -> Result<(), Fault> {
    let mut tx = backoffice.pool.begin().await?;
    lapse(&mut tx, backoffice.clock.now(), payment_key).await?;
    tx.commit().await?;
    Ok(())
}

/// A second person approves, and the refund is tried at once.
pub async fn approve(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<Refund, RefundError> {
    let refund = refunds::get(backoffice, id).await?.ok_or(Refused::NoSuchRefund)?;
    // Toss's truth of this moment; a balance that has moved makes the request lapse.
    if let Err(fault) =
        payments::look_up_on_rail(backoffice, actor, &refund.order_id, Some(&refund.payment_key)).await
    {
        tracing::warn!(%fault, "no look-up before an approval");
    }
    record_approval(backoffice, actor, id).await?;
    create_intent::execute_detached(backoffice, id).await
}

async fn record_approval(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), RefundError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let refund = lock_refund_for_update(&mut tx, id).await?;
    if api_keys::is_known_to(&mut tx, refund.requested_by_key, actor).await? {
        return Err(Refused::NotSecond(NotSecond::Own).into());
    }
    let approver = staff::second_person(backoffice, &mut tx, actor, refund.requested_by)
        .await?
        .map_err(Refused::NotSecond)?;
    let payment = sqlx::query!(
        r#"select rail as "rail: Rail", raw, balance_amount from payments where payment_key = $1"#,
        refund.payment_key
    )
    .fetch_one(&mut *tx)
    .await?;
    if payment.balance_amount != refund.refundable_amount {
        lapse(&mut tx, now, Some(&refund.payment_key)).await?;
        tx.commit().await?;
        return Err(Refused::Lapsed.into());
    }
    let payment = ProviderPayment::open(&backoffice.keys, payment.rail, payment.raw)?;
    check_amount(&eligibility(&payment, now), refund.amount, &refund.currency)?;
    sqlx::query!(
        "update refunds set state = 'approved', approved_by = $2, approved_by_name = $3, approved_at = $4
         where id = $1",
        id,
        approver,
        actor.name(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    queue::plan(&mut tx, &ExecuteRefund { id }, JOB_AFTER).await?;
    let detail = json!({ "amount": refund.amount, "currency": refund.currency });
    super::note(&mut tx, now, actor, &refund.order_id, id, "refund.approved", detail).await?;
    tx.commit().await?;
    Ok(())
}

/// A second person declines, and says why.
pub async fn decline(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    note: &str,
) -> Result<Refund, RefundError> {
    let note = note_of(note)?;
    end_waiting(backoffice, actor, id, Some(note)).await
}

/// Whoever asked takes it back before anybody has decided.
pub async fn withdraw(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<Refund, RefundError> {
    end_waiting(backoffice, actor, id, None).await
}

async fn end_waiting(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    note: Option<String>,
) -> Result<Refund, RefundError> {
    let mut tx = backoffice.pool.begin().await?;
    let refund = lock_refund_for_update(&mut tx, id).await?;
    let own = actor.staff_id().is_some() && actor.staff_id() == refund.requested_by;
    let (code, action) = match (own, &note) {
        (true, _) => ("WITHDRAWN", "refund.withdrawn"),
        (false, Some(_)) => ("DECLINED", "refund.declined"),
        // Only one's own can be taken back.
        (false, None) => return Err(Refused::NoteTooShort.into()),
    };
    end(backoffice, &mut tx, actor, id, &refund, (code, action), note.as_deref()).await?;
    tx.commit().await?;
    refunds::get_known(backoffice, id).await
}

/// What somebody who leaves, or a key that is taken back, has asked for and nobody has decided. How many.
pub(crate) async fn withdraw_of(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    staff: Uuid,
) -> Result<usize, Fault> {
    let waiting = sqlx::query_scalar!(
        "select id from refunds where (requested_by = $1 or requested_by_key = $1) and state = 'waiting_for_approval'
         order by order_id, id",
        staff
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut ended = 0;
    for id in waiting {
        match lock_refund_for_update(tx, id).await {
            Ok(refund) => {
                end(backoffice, tx, actor, id, &refund, ("WITHDRAWN", "refund.withdrawn"), None).await?;
                ended += 1;
            }
            // Somebody was faster.
            Err(RefundError::Refused(_)) => {}
            Err(RefundError::Fault(fault)) => return Err(fault),
        }
    }
    Ok(ended)
}

async fn end(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
    refund: &Locked,
    (code, action): (&str, &'static str),
    note: Option<&str>,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    sqlx::query!(
        "update refunds set state = 'declined', settled_at = $2, settled_by_name = $3, error_code = $4,
                error_message = $5, refund_account = null
         where id = $1",
        id,
        now,
        actor.name(),
        code,
        note,
    )
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "amount": refund.amount, "currency": refund.currency, "note": note });
    super::note(tx, now, actor, &refund.order_id, id, action, detail).await
}

async fn lock_refund_for_update(tx: &mut PgConnection, id: Uuid) -> Result<Locked, RefundError> {
    let refund = sqlx::query_as!(
        Locked,
        "select order_id, payment_key, amount, currency, refundable_amount, requested_by, requested_by_key from refunds
         where id = $1",
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Refused::NoSuchRefund)?;
    orders::hold(tx, &refund.order_id).await?;
    sqlx::query!("select 1 as one from payments where payment_key = $1 for update", refund.payment_key)
        .fetch_one(&mut *tx)
        .await?;
    let now = sqlx::query!(
        "select state, error_code, coalesce(settled_by_name, approved_by_name) as by from refunds where id = $1 for update",
        id
    )
    .fetch_one(&mut *tx)
    .await?;
    match State::parse(&now.state) {
        Some(State::WaitingForApproval) => Ok(refund),
        _ if now.error_code.as_deref() == Some("LAPSED") => Err(Refused::Lapsed.into()),
        Some(state) => Err(Refused::AlreadyDecided { state, by: now.by }.into()),
        None => Err(Fault::Inconsistent(format!("refund state {:?}", now.state)).into()),
    }
}
