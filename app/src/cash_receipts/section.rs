//! The cash receipts of one order.

use backoffice::{
    Decimal,
    cash_receipts::{Kind, Origin, Receipt, State, Transaction},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};
use uuid::Uuid;

use super::functions::{CancelCashReceipt, IssueCashReceipt, RetryCashReceipt};
use crate::{
    components::{
        badge,
        form::{self, Field},
        list,
    },
    context::Ctx,
    flash::Flash,
    format,
};

pub fn state(ctx: &Ctx, receipt: &Receipt) -> (&'static str, String) {
    let tone = match receipt.state {
        State::Completed if receipt.transaction_type == Transaction::Cancel => "ended",
        State::Completed => "done",
        State::Failed if receipt.is_retried => "ended",
        State::Failed => "failed",
        State::Requested | State::Unknown | State::InProgress => "waiting",
    };
    (tone, ctx.words.word("cash-receipt-state", receipt.state.as_str()))
}

pub fn transaction(ctx: &Ctx, receipt: &Receipt) -> String {
    ctx.t(match receipt.transaction_type {
        Transaction::Confirm => "cash-receipt-confirm",
        Transaction::Cancel => "cash-receipt-cancel",
    })
}

pub fn kind(ctx: &Ctx, receipt: &Receipt) -> String {
    match Kind::parse(&receipt.kind) {
        Some(Kind::IncomeDeduction) => ctx.t("cash-receipt-income"),
        Some(Kind::ProofOfExpense) => ctx.t("cash-receipt-expense"),
        None => receipt.kind.clone(),
    }
}

/// Who asked for it, in a word.
pub fn asked_by(ctx: &Ctx, receipt: &Receipt) -> String {
    match (&receipt.origin, &receipt.requested_by_name) {
        (Origin::Here, Some(name)) => name.clone(),
        (Origin::Payment, _) => ctx.t("cash-receipt-with-payment"),
        _ => ctx.t("cash-receipt-at-toss"),
    }
}

fn cancel_form(ctx: &Ctx, receipt: &Receipt) -> AnyView {
    let nothing_typed = Flash::default();
    let amount = Field {
        input_mode: "numeric",
        value: receipt.standing.normalize().to_string(),
        id: Some(format!("cash-receipt-{}", receipt.id)),
        ..Field::text("amount", ctx.t("cash-receipt-cancel-amount"), &nothing_typed)
    };
    view! {
        <details class="confirm">
            <summary>{ctx.t("cash-receipt-take-back")}</summary>
            <form method="post" action=ctx.href(CancelCashReceipt::PATH)>
                {hidden(receipt)}
                {amount.view()}
                <button class="button quiet" type="submit">{ctx.t("cash-receipt-take-back")}</button>
            </form>
        </details>
    }
    .into_any()
}

fn retry_form(ctx: &Ctx, receipt: &Receipt) -> AnyView {
    view! {
        <form method="post" action=ctx.href(RetryCashReceipt::PATH)>
            {hidden(receipt)}
            <button class="button quiet" type="submit">{ctx.t("cash-receipt-retry")}</button>
        </form>
    }
    .into_any()
}

fn hidden(receipt: &Receipt) -> AnyView {
    view! {
        <input type="hidden" name="order_id" value=receipt.order_id.clone()/>
        <input type="hidden" name="id" value=receipt.id.to_string()/>
        <input type="hidden" name="intent" value=Uuid::new_v4().to_string()/>
    }
    .into_any()
}

fn one(ctx: &Ctx, receipt: &Receipt, room: Option<Decimal>) -> AnyView {
    let amount = format::amount(ctx.words, receipt.amount, "KRW");
    // What failed was never issued, whatever Toss numbered it with.
    let was_issued = receipt.state != State::Failed;
    let number = receipt.issue_number.as_ref().filter(|_| was_issued);
    let facts = [
        number.map(|number| ctx.tr("cash-receipt-number", &[("number", number.clone())])),
        receipt.identity_masked.clone(),
        receipt.failure_code.clone(),
        Some(asked_by(ctx, receipt)),
    ];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let slip = receipt.receipt_url.clone().filter(|url| was_issued && url.starts_with("https://")).map(|url| {
        view! { " " <a href=url rel="noreferrer noopener" target="_blank">{ctx.t("cash-receipt-slip")}</a> }
    });
    let may = ctx.may(Permission::Refund);
    view! {
        <li class="cash-receipt">
            <p>
                {badge::badge(state(ctx, receipt))}
                " " <strong>{transaction(ctx, receipt)} " " <span class="n">{amount}</span></strong>
                " " <span class="soft">{kind(ctx, receipt)}</span>
                {slip}
            </p>
            <p class="soft">{list::time(receipt.requested_at)} " · " {facts}</p>
            {(may && receipt.can_be_retried() && (receipt.confirm_id.is_some() || room >= Some(receipt.amount))).then(|| retry_form(ctx, receipt))}
            {(may && receipt.can_be_cancelled()).then(|| cancel_form(ctx, receipt))}
        </li>
    }
    .into_any()
}

fn issue_form(ctx: &Ctx, order_id: &str, room: Decimal, flash: &Flash) -> AnyView {
    let kinds = vec![
        (Kind::IncomeDeduction.as_str().to_owned(), ctx.t("cash-receipt-income")),
        (Kind::ProofOfExpense.as_str().to_owned(), ctx.t("cash-receipt-expense")),
    ];
    let number = Field {
        input_mode: "numeric",
        hint: Some(ctx.t("cash-receipt-number-hint")),
        ..Field::text("number", ctx.t("cash-receipt-identity"), flash)
    };
    let opened = flash.is_error.then_some("");
    let what = ctx.tr("cash-receipt-issue-hint", &[("amount", format::amount(ctx.words, room, "KRW"))]);
    view! {
        <details class="pad" open=opened>
            <summary>{ctx.t("cash-receipt-issue")}</summary>
            <p class="soft">{what}</p>
            <form method="post" action=ctx.href(IssueCashReceipt::PATH)>
                <input type="hidden" name="order_id" value=order_id.to_owned()/>
                <input type="hidden" name="intent" value=Uuid::new_v4().to_string()/>
                {form::select("kind", ctx.t("cash-receipt-kind"), kinds, Kind::IncomeDeduction.as_str(), flash)}
                {number.view()}
                <button class="button quiet" type="submit">{ctx.t("cash-receipt-issue")}</button>
            </form>
        </details>
    }
    .into_any()
}

/// `room` is what can still be receipted; nothing where no receipt is due.
pub fn view(
    ctx: &Ctx,
    order_id: &str,
    receipts: &[Receipt],
    room: Option<Decimal>,
    flash: &Flash,
) -> AnyView {
    let room = room.filter(|room| !room.is_zero() && ctx.may(Permission::Refund));
    if receipts.is_empty() && room.is_none() {
        return ().into_any();
    }
    let error = flash.is_error.then(|| form::notice(flash));
    let rows = receipts.iter().map(|receipt| one(ctx, receipt, room)).collect_view();
    let amount_error =
        flash.error("amount").map(|error| view! { <p class="notice bad" role="alert">{error}</p> });
    view! {
        <section class="card" id="cash-receipt" aria-label=ctx.t("cash-receipt")>
            <h2>{ctx.t("cash-receipt")}</h2>
            {error}
            {amount_error}
            {(!receipts.is_empty()).then(|| view! { <ul class="pad cash-receipts">{rows}</ul> })}
            {room.map(|room| issue_form(ctx, order_id, room, flash))}
        </section>
    }
    .into_any()
}
