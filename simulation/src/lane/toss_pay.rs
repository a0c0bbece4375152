//! The same runs on the other rail: Toss Pay knows no idempotency key, so what is watched is that nothing was sent
//! without a look at the status before it.

use anyhow::Context;
use backoffice::{
    Actor,
    refunds::{Refund, State},
};
use sandbox::{
    World,
    apps_in_toss::{login::User, pay::Choice},
};
use serde_json::json;
use toss::apps_in_toss::{MakePayment, PayToken, UserKey};

use crate::{lane::Shared, schedule::TOTAL};

/// An order that is paid, at Toss and in our books; its token.
pub async fn paid(shared: &Shared, order_no: &str) -> anyhow::Result<String> {
    let user = UserKey(shared.world.with_mini_app(|app| app.add_user(User::default())).user_key);
    let payment: MakePayment = serde_json::from_value(
        json!({ "orderNo": order_no, "productDesc": "머그컵", "amount": TOTAL, "amountTaxFree": 0 }),
    )?;
    let actor = Actor::MerchantApi;
    let mut token = None;
    for _ in 0..20 {
        // A busy machine may make a call too slow for its client.
        match &token {
            None => {
                token = backoffice::payments::toss_pay::make(&shared.backoffice, &actor, user, &payment)
                    .await
                    .ok()
            }
            Some(PayToken(known)) => {
                shared.world.with_mini_app(|app| app.authenticate(known, Choice::default()));
                let executed = backoffice::payments::toss_pay::execute(
                    &shared.backoffice,
                    &actor,
                    order_no,
                    &PayToken(known.clone()),
                )
                .await;
                if executed.is_ok_and(|order| order.paid_at.is_some()) {
                    return Ok(known.clone());
                }
            }
        }
    }
    token.map(|PayToken(token)| token).context("the payment could not be made")?;
    anyhow::bail!("the payment could not be executed")
}

/// The whole payment goes back in Toss's own console. Its transaction.
pub fn refund_behind(world: &World, token: &str) -> Option<String> {
    let now = world.clock.now();
    let payment = world.with_mini_app(|app| app.move_payment(token, "REFUND_SUCCESS", now))?;
    payment.steps.last().map(|step| step.transaction_id.clone())
}

pub fn check(shared: &Shared, token: &str, behind: &[String], refunds: &[Refund], wrong: &mut Vec<String>) {
    let (payment, calls) = shared.world.with_mini_app(|app| {
        let calls: Vec<String> =
            app.calls.iter().filter(|c| c.about.contains(token)).map(|c| c.endpoint.clone()).collect();
        (app.payment(token).cloned(), calls)
    });
    let Some(payment) = payment else {
        wrong.push("the payment is gone".into());
        return;
    };
    let made: Vec<&str> = payment
        .steps
        .iter()
        .filter(|step| step.step_type == "REFUND")
        .map(|step| step.transaction_id.as_str())
        .collect();
    if made.len() > 1 {
        wrong.push(format!("Toss refunded {} times", made.len()));
    }
    let mut looked = false;
    for call in calls {
        match call.as_str() {
            "get-payment-status" => looked = true,
            "refund-payment" if !looked => wrong.push("sent without a look at the status before it".into()),
            "refund-payment" => looked = false,
            _ => {}
        }
    }
    let mut booked = Vec::new();
    for refund in refunds {
        match (refund.state, refund.transaction_key.as_deref()) {
            (State::Succeeded, Some(key)) if made.contains(&key) => booked.push(key),
            (State::Succeeded, key) => {
                wrong.push(format!("{}: succeeded as {key:?}, and Toss knows of none", refund.id));
            }
            (State::Failed | State::Declined | State::WaitingForApproval, None) => {}
            (state, key) => wrong.push(format!("{}: {} with {key:?}", refund.id, state.as_str())),
        }
    }
    if booked.len() > 1 {
        wrong.push(format!("{} intents for one refund", booked.len()));
    }
    for key in made {
        if !booked.contains(&key) && !behind.iter().any(|known| known == key) {
            wrong.push(format!("Toss made {key}, which no intent knows"));
        }
    }
}
