//! What goes on with payments when nobody waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use toss::payments::RetryClass;

use super::{ConfirmError, confirm, look_up_on_rail, toss_pay};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    orders,
    queue::{self, Attempt, Job},
};

/// Asks how an order's payment stands.
#[derive(Serialize, Deserialize)]
pub(crate) struct LookUp {
    pub order_id: String,
    /// Asked about until Toss answers, because our copy of it is old.
    #[serde(default)]
    pub payment_key: Option<String>,
    #[serde(default)]
    pub tries: u32,
}

impl LookUp {
    /// For a payment whose outcome has to be found out, should nobody ask before.
    pub fn of_order(order_id: &str) -> Self {
        Self { order_id: order_id.to_owned(), payment_key: None, tries: 0 }
    }

    /// For a payment whose copy here is known to be old.
    pub fn until_answered(order_id: &str, payment_key: &str) -> Self {
        Self { order_id: order_id.to_owned(), payment_key: Some(payment_key.to_owned()), tries: 0 }
    }

    /// 2, 4, 8 … seconds, then every five minutes.
    pub fn delay(&self) -> Duration {
        Duration::from_secs((2u64 << self.tries.min(8)).min(300))
    }
}

impl Job for LookUp {
    const NAME: &'static str = "look_up";
    const ATTEMPTS: i32 = 20;

    fn key(&self) -> String {
        match &self.payment_key {
            Some(payment_key) => format!("look_up:{}:{payment_key}", self.order_id),
            None => format!("look_up:{}", self.order_id),
        }
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        let (actor, key) = (Actor::Job("look_up"), self.payment_key.as_deref());
        match look_up_on_rail(backoffice, &actor, &self.order_id, key).await {
            Err(fault) if key.is_some() && fault.is_of_toss() => {
                tracing::warn!(%fault, "a look-up that is due");
                let next = Self { tries: self.tries + 1, ..self };
                queue::plan_now(backoffice, &next, next.delay()).await
            }
            outcome => outcome.map(|_| ()),
        }
    }
}

/// Finds out how a confirm ended that nobody waits for any more.
#[derive(Serialize, Deserialize)]
pub(crate) struct SettleConfirm {
    pub order_id: String,
    pub payment_key: String,
}

impl Job for SettleConfirm {
    const NAME: &'static str = "settle_confirm";
    const ATTEMPTS: i32 = 20;

    fn key(&self) -> String {
        format!("confirm:{}", self.payment_key)
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        let Some(order) = orders::get(backoffice, &self.order_id).await? else { return Ok(()) };
        if order.status != "IN_PROGRESS" || order.payment_key.as_deref() != Some(&self.payment_key) {
            return Ok(());
        }
        let actor = Actor::Job("confirm");
        let settled =
            confirm::execute_confirm(backoffice, &actor, &self.order_id, &self.payment_key, order.amount);
        match settled.await {
            Err(ConfirmError::Fault(fault)) => Err(fault),
            Err(ConfirmError::Unknown) => {
                Err(Fault::Inconsistent("the confirm is still without an answer".into()))
            }
            Err(ConfirmError::Refused(refusal)) if refusal.retry_class() == RetryClass::NewKey => {
                Err(Fault::Inconsistent(format!("the confirm has to wait: {refusal}")))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Asks about the payments of mini-apps that are under way: nobody tells of them.
#[derive(Serialize, Deserialize)]
pub(crate) struct PollTossPay {}

impl Job for PollTossPay {
    const NAME: &'static str = "look_after_toss_pay";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        toss_pay::poll(backoffice).await.map(|_| ())
    }
}
