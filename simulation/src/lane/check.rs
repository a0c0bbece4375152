//! What has to hold after every run, whatever went wrong in it.

use std::collections::BTreeSet;

use backoffice::{
    Actor,
    refunds::{Filter, Refund, State},
};
use rust_decimal::Decimal;
use sandbox::World;

use super::toss_pay;
use crate::{
    lane::{Outcome, Shared},
    schedule::{Rail, Schedule, TOTAL},
};

/// The cancel that Toss made under an intent's own key, if it made one.
pub fn truth(world: &World, refund: &Refund) -> Option<String> {
    let gate = world.gate();
    let answer = gate.remembered(&format!("refund-{}", refund.id)).filter(|answer| answer.status == 200)?;
    let payment: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    Some(payment.get("lastTransactionKey")?.as_str()?.to_owned())
}

pub async fn run(
    shared: &Shared,
    schedule: &Schedule,
    order_id: &str,
    key: &str,
    behind: &[String],
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    // What the console did is learnt by webhook or by the next question, whichever comes.
    for _ in 0..20 {
        if backoffice::payments::look_up_on_rail(
            &shared.backoffice,
            &Actor::Job("simulation"),
            order_id,
            Some(key),
        )
        .await
        .is_ok()
        {
            break;
        }
    }
    let filter = Filter { order_id: Some(order_id.to_owned()), ..Filter::default() };
    let refunds = backoffice::refunds::list(&shared.backoffice, &filter, None, 100).await?.rows;
    for refund in &refunds {
        *outcome.states.entry(refund.state.as_str().to_owned()).or_default() += 1;
    }
    let mut wrong = Vec::new();
    match schedule.rail {
        Rail::TossPay => toss_pay::check(shared, key, behind, &refunds, &mut wrong),
        Rail::TossPayments | Rail::VirtualAccount => {
            cancels(shared, schedule, key, behind, &refunds, &mut wrong)
        }
    }
    sums(shared, schedule.rail, order_id, key, &refunds, &mut wrong).await?;
    audit(shared, order_id, &refunds, &mut wrong).await?;
    outcome.violations.extend(wrong);
    Ok(())
}

/// Toss's cancels and our intents, one by one.
fn cancels(
    shared: &Shared,
    schedule: &Schedule,
    key: &str,
    behind: &[String],
    refunds: &[Refund],
    wrong: &mut Vec<String>,
) {
    let payment = shared.world.with_books(|backoffice| backoffice.record(key).map(|r| r.payment.clone()));
    let Some(payment) = payment else {
        wrong.push("the payment is gone".into());
        return;
    };
    let cancels = payment.cancels();
    let key_of =
        |c: &toss::payments::Cancel| c.transaction_key.as_ref().map(|k| k.0.clone()).unwrap_or_default();

    let mut accounted: BTreeSet<String> = behind.iter().cloned().collect();
    let mut booked = BTreeSet::new();
    for refund in refunds {
        let made = truth(&shared.world, refund);
        match refund.state {
            State::Succeeded => {
                let Some(booked_key) = &refund.transaction_key else {
                    wrong.push(format!("{}: succeeded without a transaction", refund.id));
                    continue;
                };
                if !booked.insert(booked_key.clone()) {
                    wrong.push(format!("{}: its cancel belongs to another intent as well", refund.id));
                }
                accounted.insert(booked_key.clone());
                let Some(cancel) = cancels.iter().find(|c| key_of(c) == *booked_key) else {
                    wrong.push(format!("{}: succeeded, and Toss knows of no such cancel", refund.id));
                    continue;
                };
                if cancel.cancel_amount != refund.amount {
                    wrong.push(format!(
                        "{}: {} instead of {}",
                        refund.id, cancel.cancel_amount, refund.amount
                    ));
                }
                if cancel.refundable_amount != Some(refund.refundable_amount - refund.amount) {
                    wrong.push(format!("{}: refunded from a balance nobody decided on", refund.id));
                }
                if let Some(made) = made
                    && made != *booked_key
                {
                    wrong.push(format!("{}: Toss made {made}, the books say {booked_key}", refund.id));
                }
                // The console's may be taken for ours only where nothing tells them apart.
                if behind.contains(booked_key)
                    && cancel.cancel_reason.as_deref() != Some(refund.reason.as_str())
                {
                    wrong.push(format!("{}: the console's refund is taken for ours", refund.id));
                }
            }
            State::Failed | State::Declined => {
                if let Some(made) = made {
                    wrong.push(format!(
                        "{}: {} in the books, but Toss paid it ({made})",
                        refund.id,
                        refund.state.as_str()
                    ));
                }
            }
            State::WaitingForApproval => {
                if made.is_some() {
                    wrong.push(format!("{}: paid without a second person", refund.id));
                }
            }
            State::Requested | State::Approved | State::Sending | State::Unknown => {
                wrong.push(format!("{}: still {}", refund.id, refund.state.as_str()));
            }
        }
    }
    for cancel in cancels {
        if !accounted.contains(&key_of(cancel)) {
            wrong.push(format!(
                "Toss made {} of {} that no intent knows",
                key_of(cancel),
                cancel.cancel_amount
            ));
        }
    }
    let back: Decimal = cancels.iter().filter_map(|c| c.tax_free_amount).sum();
    let left = payment.tax_free_amount.unwrap_or_default();
    if back + left != Decimal::from(schedule.tax_free) {
        wrong.push(format!("{back} went back without VAT, {left} is left of {}", schedule.tax_free));
    }
    for refund in refunds.iter().filter(|refund| refund.state == State::Succeeded) {
        let made = cancels.iter().find(|c| Some(key_of(c)) == refund.transaction_key);
        let share = made.and_then(|c| c.tax_free_amount);
        if refund.tax_free_amount.is_some() && share != refund.tax_free_amount {
            wrong.push(format!(
                "{}: {share:?} without VAT instead of {:?}",
                refund.id, refund.tax_free_amount
            ));
        }
    }
    keys(shared, schedule, key, refunds, wrong);
}

/// What is left at Toss, and what went back.
fn left_at_toss(world: &World, rail: Rail, key: &str) -> Option<(Decimal, Decimal)> {
    match rail {
        Rail::TossPayments | Rail::VirtualAccount => {
            let payment = world.with_books(|backoffice| backoffice.record(key).map(|r| r.payment.clone()))?;
            Some((payment.balance_amount, payment.cancels().iter().map(|c| c.cancel_amount).sum()))
        }
        Rail::TossPay => {
            let payment = world.with_mini_app(|app| app.payment(key).cloned())?;
            let back: i64 = payment.steps.iter().map(|step| -step.amount.min(0)).sum();
            Some((Decimal::from(payment.amount - back), Decimal::from(back)))
        }
    }
}

/// Every key that Toss saw was committed with an intent, and no two processes sent one at the same time.
fn keys(shared: &Shared, schedule: &Schedule, key: &str, refunds: &[Refund], wrong: &mut Vec<String>) {
    let gate = shared.world.gate();
    let committed: Vec<String> = refunds.iter().map(|r| format!("refund-{}", r.id)).collect();
    for seen in gate.keys_of(&format!("/v1/payments/{key}/cancel")) {
        if !committed.contains(&seen) {
            wrong.push(format!("Toss saw the key {seen}, which no intent has"));
        }
    }
    // A caller that gave up on a late answer may meet its own request again; nobody else may.
    if !schedule.delays() {
        for committed in committed {
            if gate.collided(&committed) {
                wrong.push(format!("two at once sent {committed}"));
            }
        }
    }
}

async fn sums(
    shared: &Shared,
    rail: Rail,
    order_id: &str,
    key: &str,
    refunds: &[Refund],
    wrong: &mut Vec<String>,
) -> anyhow::Result<()> {
    let (balance, promised): (Decimal, Decimal) =
        sqlx::query_as("select balance_amount, refunds_promised from payments where payment_key = $1")
            .bind(key)
            .fetch_one(&shared.backoffice.pool)
            .await?;
    let order: Option<Decimal> = sqlx::query_scalar("select balance_amount from orders where order_id = $1")
        .bind(order_id)
        .fetch_one(&shared.backoffice.pool)
        .await?;
    let Some((left, back)) = left_at_toss(&shared.world, rail, key) else { return Ok(()) };
    if balance != left || order != Some(balance) {
        wrong.push(format!("balance {balance} (order {order:?}), at Toss {left}"));
    }
    if back + left != Decimal::from(TOTAL) {
        wrong.push(format!("{back} went back and {left} is left of {TOTAL}"));
    }
    let counted: Decimal = refunds
        .iter()
        .filter(|r| !matches!(r.state, State::Failed | State::Declined))
        .map(|r| r.amount)
        .sum();
    if promised != counted {
        wrong.push(format!("{promised} promised, {counted} counted"));
    }
    Ok(())
}

/// One beginning and one end for every intent.
async fn audit(
    shared: &Shared,
    order_id: &str,
    refunds: &[Refund],
    wrong: &mut Vec<String>,
) -> anyhow::Result<()> {
    let rows = backoffice::audit::of_subject(&shared.backoffice.pool, "order", order_id).await?;
    for refund in refunds {
        let id = refund.id.to_string();
        let count = |actions: &[&str]| {
            rows.iter()
                .filter(|row| actions.contains(&row.action.as_str()))
                .filter(|row| row.detail.get("refund").and_then(|v| v.as_str()) == Some(id.as_str()))
                .count()
        };
        let begun = count(&["refund.requested"]);
        let ended = count(&[
            "refund.succeeded",
            "refund.failed",
            "refund.declined",
            "refund.withdrawn",
            "refund.lapsed",
        ]);
        let settled = usize::from(refund.state.is_settled());
        if (begun, ended) != (1, settled) {
            wrong.push(format!("{id}: {begun} beginnings and {ended} ends in the audit log"));
        }
    }
    Ok(())
}
