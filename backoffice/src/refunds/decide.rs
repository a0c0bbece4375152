//! A person settles what no machine can tell, with our facts and Toss's side by side.

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Refund, RefundError, Refused,
    execute::{self, Claimed, JOB, Verdict},
};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::text,
    payments::{self, CancelState, Cancellation, ProviderPayment},
    refunds,
};

/// A cancel at Toss that came after the intent and belongs to no other of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub transaction_key: String,
    pub amount: Decimal,
    pub reason: Option<String>,
    pub canceled_at: Option<OffsetDateTime>,
    pub done: bool,
}

impl Candidate {
    /// Whether it may be this refund: carried out, over its amount, and not in words that our request never had.
    fn fits(&self, refund: &Refund) -> bool {
        let in_other_words = self.reason.as_ref().is_some_and(|reason| *reason != refund.reason);
        self.done && self.amount == refund.amount && !in_other_words
    }
}

/// What a decision is made on. The mark goes with the form: a decision on older facts is refused.
#[derive(Debug, Clone)]
pub struct Facts {
    pub candidates: Vec<Candidate>,
    pub version: String,
}

/// What the person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This cancel of Toss's is the refund.
    Ours(String),
    /// None of them is: no money went back for this intent.
    NotMade,
}

/// What Toss said last about an intent that is not settled.
pub async fn facts(backoffice: &Backoffice, refund: &Refund) -> Result<Facts, Fault> {
    let record = payments::get(backoffice, &refund.payment_key)
        .await?
        .ok_or_else(|| Fault::Inconsistent(format!("payment {} is gone", refund.payment_key)))?;
    facts_of(backoffice, refund.id, &record.payment()?).await
}

async fn facts_of(backoffice: &Backoffice, id: Uuid, payment: &ProviderPayment) -> Result<Facts, Fault> {
    let unattributed = unattributed_cancellations(backoffice, id, payment.cancellations()).await?;
    let mut hasher = Sha256::new();
    hasher.update(payment.left().normalize().to_string());
    for cancel in &unattributed {
        hasher.update(format!("|{:?}|{:?}", cancel.transaction_key, cancel.state));
    }
    let version = text::hex(&hasher.finalize()[..8]);
    let candidates = unattributed
        .iter()
        .filter_map(|cancel| {
            Some(Candidate {
                transaction_key: cancel.transaction_key.clone()?,
                amount: cancel.amount,
                reason: cancel.reason.clone(),
                canceled_at: cancel.at,
                done: cancel.state == CancelState::Done,
            })
        })
        .collect();
    Ok(Facts { candidates, version })
}

/// What went back at Toss since the intent was taken down, and is not booked to another one.
pub(super) async fn unattributed_cancellations(
    backoffice: &Backoffice,
    id: Uuid,
    mut cancellations: Vec<Cancellation>,
) -> Result<Vec<Cancellation>, Fault> {
    let keys: Vec<String> = cancellations.iter().filter_map(|c| c.transaction_key.clone()).collect();
    let old = sqlx::query_scalar!(
        r#"select unnest(known_cancels) as "key!" from refunds where id = $2
           union select transaction_key from refunds where transaction_key = any($1) and id <> $2"#,
        &keys,
        id,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    cancellations.retain(|c| c.transaction_key.as_ref().is_none_or(|key| !old.contains(key)));
    Ok(cancellations)
}

/// Settles an intent that is somebody's task, on facts that still hold.
pub async fn decide(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    decision: &Decision,
    version: &str,
) -> Result<Refund, RefundError> {
    let refund = refunds::get(backoffice, id).await?.ok_or(Refused::NoSuchRefund)?;
    if refund.state.is_settled() {
        return Err(Refused::AlreadyDecided { state: refund.state, by: refund.settled_by_name }.into());
    }
    if !refund.is_overdue(backoffice.clock.now()) {
        return Err(Refused::TooEarly.into());
    }
    // The lease keeps a job from sending while a person decides.
    let Some(claimed) = execute::claim(backoffice, id, false).await? else {
        return Err(Refused::TooEarly.into());
    };
    let judged = if *decision == Decision::NotMade && !claimed.no_request_in_flight {
        // A request of a moment ago may still be on its way to Toss.
        Err(Refused::TooEarly.into())
    } else {
        judge_by_person(backoffice, &claimed, &refund, decision, version).await
    };
    match judged {
        Ok(verdict) => execute::settle(backoffice, actor, claimed, verdict.into()).await?,
        Err(refused) => {
            execute::release(backoffice, &claimed).await?;
            return Err(refused);
        }
    };
    refunds::get_known(backoffice, id).await
}

async fn judge_by_person(
    backoffice: &Backoffice,
    claimed: &Claimed,
    refund: &Refund,
    decision: &Decision,
    version: &str,
) -> Result<Verdict, RefundError> {
    let looked =
        payments::look_up_on_rail(backoffice, &JOB, &claimed.order_id, Some(&claimed.payment_key)).await;
    let (payment, _) = match looked {
        Ok(found) => found,
        Err(fault @ (Fault::Toss(_) | Fault::AppsInToss(_) | Fault::NoAppsInToss)) => {
            tracing::warn!(%fault, refund = %refund.id, "no look-up before a decision");
            return Err(Refused::TossSilent.into());
        }
        Err(fault) => return Err(fault.into()),
    };
    let facts = facts_of(backoffice, refund.id, &payment).await?;
    if facts.version != version {
        return Err(Refused::FactsChanged.into());
    }
    match decision {
        Decision::Ours(key) => {
            let fits = |c: &&Candidate| c.transaction_key == *key && c.amount == refund.amount && c.done;
            let found = facts.candidates.iter().find(fits).ok_or(Refused::FactsChanged)?;
            Ok(Verdict::Succeeded { transaction_key: Some(found.transaction_key.clone()) })
        }
        Decision::NotMade if facts.candidates.iter().any(|candidate| candidate.fits(refund)) => {
            Err(Refused::FittingCancel.into())
        }
        Decision::NotMade => Ok(Verdict::Failed {
            code: "NOT_MADE".into(),
            message: "a person found no such cancel at Toss".into(),
            trace_id: None,
        }),
    }
}
