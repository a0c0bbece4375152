//! The refund beside the order: what is possible, how much, when the money arrives, and the form.

use backoffice::{
    Decimal, Rail, money,
    orders::Order,
    refunds::{AccountFacts, Eligibility, Facts, OWN_ACCOUNT, REASONS, Refund, Shown},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};
use rust_decimal::prelude::ToPrimitive;

use super::{desk, functions::Refund as RefundFn, messages};
use crate::{
    components::{
        badge,
        form::{self, Field},
    },
    context::Ctx,
    flash::Flash,
    format,
    islands::{GuardWords, RefundGuard},
};

fn made(ctx: &Ctx, refunds: &[Refund]) -> AnyView {
    if refunds.is_empty() {
        return ().into_any();
    }
    let rows = refunds
        .iter()
        .map(|refund| {
            let note = messages::note(ctx, refund);
            view! {
                <li>
                    <span class="refund-line">
                        <strong>{format::amount(ctx.words, refund.amount, &refund.currency)}</strong>
                        {badge::badge(badge::refund(ctx, refund))}
                    </span>
                    {messages::whereabouts(ctx, refund).map(|text| view! { <span class="whereabouts">{text}</span> })}
                    <span class="soft">
                        {format!("{} · {} · {note}", messages::who(ctx, refund), format::short_time(refund.requested_at))}
                    </span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="refunds">{rows}</ul> }.into_any()
}

/// The balance in the currency's smallest unit, for the island.
fn smallest_units(amount: Decimal, currency: &str) -> i64 {
    (amount * Decimal::from(10u32.pow(money::places(currency)))).to_i64().unwrap_or(i64::MAX)
}

/// The account that the buyer left, one click away; any other one, and the second person that it needs, behind it.
fn account_fields(ctx: &Ctx, own: Option<&Shown>, flash: &Flash) -> AnyView {
    let left = own.map(|own| {
        let words = [("account", own.masked.clone()), ("holder", own.holder_masked.clone())];
        (OWN_ACCOUNT.to_owned(), ctx.tr("refund-account-own", &words))
    });
    let banks: Vec<(String, String)> = left
        .or_else(|| Some((String::new(), ctx.t("choose"))))
        .into_iter()
        .chain(
            backoffice::refunds::banks().iter().map(|(code, name)| ((*code).to_owned(), (*name).to_owned())),
        )
        .collect();
    let number =
        Field { input_mode: "numeric", ..Field::text("account_number", ctx.t("refund-account"), flash) };
    let hint = ctx.t(if own.is_some() { "refund-account-other-hint" } else { "refund-account-hint" });
    view! {
        <fieldset class="account">
            <legend>{ctx.t("refund-account-legend")}</legend>
            {form::select("bank", ctx.t("refund-bank"), banks, if own.is_some() { OWN_ACCOUNT } else { "" }, flash)}
            <div class="other-account">
                {number.view()}
                {Field::text("holder_name", ctx.t("refund-holder"), flash).view()}
                <p class="soft">{hint}</p>
            </div>
        </fieldset>
    }
    .into_any()
}

/// Of a payment that bears VAT in part: how much of the part does not.
fn tax_field(ctx: &Ctx, may: &Eligibility, currency: &str, flash: &Flash) -> AnyView {
    let free = format::amount(ctx.words, may.tax.free, currency);
    Field {
        input_mode: "decimal",
        hint: Some(ctx.tr("refund-tax-free-hint", &[("free", free)])),
        ..Field::text("tax_free_amount", ctx.t("refund-tax-free"), flash)
    }
    .view()
}

fn fields(ctx: &Ctx, order: &Order, may: &Eligibility, beside: &Beside<'_>, flash: &Flash) -> AnyView {
    let currency = order.currency.as_str();
    let left = format::amount(ctx.words, may.left, currency);
    let words = GuardWords {
        submit: match currency {
            "KRW" => ctx.tr("refund-submit", &[("amount", format::amount_pattern(ctx.words))]),
            other => ctx.tr("refund-submit", &[("amount", format!("{other} {{}}"))]),
        },
        sending: ctx.t("refund-sending"),
        not_a_number: ctx.t("amount-error-number"),
        over: ctx.tr("refund-error-over", &[("left", money::group(may.left, currency))]),
        whole_only: ctx.t("refund-error-whole"),
    };
    let amount_error = flash.error("amount");
    let invalid = if amount_error.is_some() { "true" } else { "false" };
    let amount = flash.value("amount").unwrap_or_else(|| money::group(may.left, currency));
    let reasons: Vec<(String, String)> =
        REASONS.iter().map(|code| ((*code).to_owned(), ctx.words.word("reason", code))).collect();
    let reason_hint = if order.rail == Rail::TossPay {
        ctx.t("refund-reason-toss-pay")
    } else {
        ctx.t("refund-reason-hint")
    };
    let intent = backoffice::refunds::new_intent();
    let form = view! {
        <form method="post" action=ctx.href(RefundFn::PATH)>
            <input type="hidden" name="order_id" value=order.order_id.clone()/>
            <input type="hidden" name="intent" value=intent/>
            <label class="field">
                <span class="label">{ctx.t("col-amount")}</span>
                <span class="with-max">
                    <input
                        name="amount"
                        type="text"
                        inputmode="decimal"
                        autocomplete="off"
                        value=amount
                        readonly=!may.part
                        aria-invalid=invalid
                        aria-describedby="amount-note"
                    />
                    <span class="max">{ctx.tr("refund-max", &[("amount", left.clone())])}</span>
                </span>
                <span class="note error" id="amount-note" data-amount-hint="" role="status">
                    {amount_error.unwrap_or_default()}
                </span>
            </label>
            {(may.part && may.tax.is_chosen()).then(|| tax_field(ctx, may, currency, flash))}
            {form::select("reason_code", ctx.t("refund-reason"), reasons, "changed_mind", flash)}
            {Field { hint: Some(reason_hint), ..Field::text("reason", ctx.t("refund-reason-text"), flash) }
                .view()}
            {may.needs_account.then(|| account_fields(ctx, beside.own, flash))}
            {beside.for_return.then(|| view! {
                <label class="check">
                    <input type="checkbox" name="for_return" value="1" checked/>
                    <span>{ctx.t("refund-for-return")}</span>
                </label>
            })}
            <ul class="terms">
                {messages::terms(ctx, may, &order.currency).into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}
            </ul>
            <button class="button wide" type="submit">{ctx.tr("refund-submit", &[("amount", left)])}</button>
        </form>
    }
    .into_any();
    let (left, places, part) = (smallest_units(may.left, currency), money::places(currency), may.part);
    view! { <RefundGuard left=left places=places part=part words=words>{form}</RefundGuard> }.into_any()
}

/// What the form and the desk know besides the order.
pub struct Beside<'a> {
    pub may: Option<&'a Eligibility>,
    pub refunds: &'a [Refund],
    /// Of the refund that is somebody's task.
    pub facts: Option<&'a Facts>,
    /// Of the refund that waits for a second person.
    pub account: Option<&'a AccountFacts>,
    /// The account that the buyer left.
    pub own: Option<&'a Shown>,
    pub for_return: bool,
}

pub fn view(ctx: &Ctx, order: &Order, beside: &Beside<'_>, flash: &Flash) -> AnyView {
    let Beside { may, refunds, .. } = *beside;
    let open = refunds.iter().find(|refund| !refund.state.is_settled());
    let error = flash.is_error.then(|| form::notice(flash));
    let today = ctx.backoffice().clock.today();
    let not_arrived = refunds
        .iter()
        .filter(|refund| refund.did_not_arrive(today))
        .map(|refund| view! { <div class="pad">{desk::not_arrived(ctx, refund, flash)}</div> })
        .collect_view();
    let body = match (may, open) {
        (_, Some(open)) => view! { <div class="pad">{desk::view(ctx, open, beside, flash)}</div> }.into_any(),
        (None, _) => view! { <p class="soft pad">{ctx.t("why-not-paid")}</p> }.into_any(),
        (Some(may), _) => match (may.why_not, ctx.may(Permission::Refund)) {
            (Some(why), _) => view! { <p class="soft pad">{messages::why_not(ctx, why)}</p> }.into_any(),
            (None, false) => view! { <p class="soft pad">{ctx.t("refund-not-allowed")}</p> }.into_any(),
            (None, true) => {
                view! { <div class="pad">{fields(ctx, order, may, beside, flash)}</div> }.into_any()
            }
        },
    };
    view! {
        <section class="card" id="refund" aria-label=ctx.t("refund")>
            <h2>{ctx.t("refund")}</h2>
            {error}
            {not_arrived}
            {body}
            {made(ctx, refunds)}
        </section>
    }
    .into_any()
}
