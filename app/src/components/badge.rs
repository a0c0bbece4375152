//! A state as a dot and a word. Never colour alone.

use backoffice::{
    orders::Order,
    payouts::AtBank,
    refunds::{Refund, Stage, State, batch},
};
use leptos::prelude::*;

use crate::context::Ctx;

/// The CSS class and the word of an order's state. What is not known comes before what Toss says.
pub fn order_status(ctx: &Ctx, order: &Order) -> (&'static str, String) {
    if order.refund_unknown {
        return ("unknown", ctx.t("status-refund-unknown"));
    }
    payment_status(ctx, &order.status)
}

pub fn payment_status(ctx: &Ctx, status: &str) -> (&'static str, String) {
    let tone = match status {
        "DONE" | "PAY_COMPLETE" | "SETTLEMENT_COMPLETE" => "done",
        "WAITING_FOR_DEPOSIT"
        | "IN_PROGRESS"
        | "PAY_STANDBY"
        | "PAY_APPROVED"
        | "PAY_PROGRESS"
        | "REFUND_PROGRESS" => "waiting",
        "PARTIAL_CANCELED" => "part",
        "ABORTED" => "failed",
        _ => "ended",
    };
    (tone, ctx.words.word("status", status))
}

pub fn refund_state(ctx: &Ctx, state: State) -> (&'static str, String) {
    let tone = match state {
        State::Succeeded => "done",
        State::Failed => "failed",
        State::Unknown => "unknown",
        State::Declined => "ended",
        State::Requested | State::WaitingForApproval | State::Approved | State::Sending => "waiting",
    };
    (tone, ctx.words.word("refund-state", state.as_str()))
}

/// The state of a refund until Toss takes it, and from then on where the money is, as far as Toss tells.
pub fn refund(ctx: &Ctx, refund: &Refund) -> (&'static str, String) {
    let tone = match refund.stage {
        None | Some(Stage::Accepted) => return refund_state(ctx, refund.state),
        Some(Stage::AtTheBank) => "waiting",
        Some(Stage::Arrived) => "done",
        Some(Stage::PartlyArrived | Stage::Returned) => "failed",
    };
    (tone, ctx.words.word("stage", refund.stage.map_or("", Stage::as_str)))
}

pub fn batch_state(ctx: &Ctx, state: batch::State) -> (&'static str, String) {
    let tone = match state {
        batch::State::Finished => "done",
        batch::State::Running | batch::State::WaitingForApproval => "waiting",
        batch::State::Previewed | batch::State::Declined | batch::State::Stopped => "ended",
    };
    (tone, ctx.words.word("batch-state", state.as_str()))
}

pub fn delivery_state(ctx: &Ctx, state: &str) -> (&'static str, String) {
    let tone = match state {
        "applied" => "done",
        "received" => "waiting",
        "failed" => "failed",
        _ => "ended",
    };
    (tone, ctx.words.word("delivery", state))
}

pub fn trust(ctx: &Ctx, badge: &str) -> (&'static str, String) {
    let tone = match badge {
        "fetched_equal" | "secret_matched" | "signature_verified" => "done",
        "not_verifiable" | "address_unlisted" => "waiting",
        "fetched_different" | "secret_wrong" | "signature_wrong" | "signature_missing"
        | "unknown_to_toss" => "failed",
        _ => "ended",
    };
    (tone, ctx.words.word("trust", badge))
}

pub fn at_bank(ctx: &Ctx, state: AtBank) -> (&'static str, String) {
    let tone = match state {
        AtBank::Matched => "done",
        AtBank::Expected => "waiting",
        AtBank::NoStatement => "ended",
        AtBank::Differs | AtBank::Missing | AtBank::Unexplained => "failed",
    };
    (tone, ctx.words.word("at-bank", state.as_str()))
}

pub fn badge((tone, word): (&'static str, String)) -> AnyView {
    view! { <span class=format!("badge {tone}")>{word}</span> }.into_any()
}
