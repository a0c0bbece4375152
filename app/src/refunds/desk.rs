//! The refunds of an order that somebody has to do something about: waiting for a second person, under way, not settled, or
//! taken by Toss and not with the buyer.

use backoffice::{
    refunds::{AccountFacts, Candidate, Facts, Refund, Stage, State},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    form::Beside,
    functions::{ApproveRefund, DecideRefund, DeclineRefund, RecordWayOut, WithdrawRefund},
    messages,
};
use crate::{components::form::Field, context::Ctx, flash::Flash, format};

fn hidden(refund: &Refund) -> AnyView {
    view! {
        <input type="hidden" name="order_id" value=refund.order_id.clone()/>
        <input type="hidden" name="id" value=refund.id.to_string()/>
    }
    .into_any()
}

fn waiting(ctx: &Ctx, refund: &Refund, account: Option<&AccountFacts>, flash: &Flash) -> AnyView {
    let money = format::amount(ctx.words, refund.amount, &refund.currency);
    let own = ctx.is_me(refund.requested_by);
    let line = ctx.tr(
        "refund-waiting-line",
        &[
            ("by", refund.requested_by_name.clone()),
            ("amount", money.clone()),
            ("reason", refund.reason.clone()),
        ],
    );
    let because = refund.approval_reason.map(|because| messages::because(ctx, because));
    let actions = if own {
        view! {
            <p class="soft">{ctx.t("refund-waiting-own")}</p>
            <form method="post" action=ctx.href(WithdrawRefund::PATH)>
                {hidden(refund)}
                <button class="button quiet" type="submit">{ctx.t("refund-withdraw")}</button>
            </form>
        }
        .into_any()
    } else if ctx.may(Permission::ApproveRefund) {
        view! {
            <form method="post" action=ctx.href(ApproveRefund::PATH)>
                {hidden(refund)}
                <button class="button wide" type="submit">{ctx.tr("refund-approve", &[("amount", money)])}</button>
            </form>
            <form class="decline" method="post" action=ctx.href(DeclineRefund::PATH)>
                {hidden(refund)}
                {Field::text("note", ctx.t("refund-decline-why"), flash).view()}
                <button class="button quiet" type="submit">{ctx.t("refund-decline")}</button>
            </form>
        }
        .into_any()
    } else {
        view! { <p class="soft">{ctx.t("refund-waiting-other")}</p> }.into_any()
    };
    view! {
        <div class="waiting-box">
            <p><strong>{line}</strong></p>
            <p class="soft">{because}</p>
            {account.map(|facts| where_to(ctx, facts))}
            {actions}
        </div>
    }
    .into_any()
}

/// Where the money would go, and whose account that is.
fn where_to(ctx: &Ctx, facts: &AccountFacts) -> AnyView {
    let holder = facts.holder.clone().unwrap_or_default();
    let buyer = facts.buyer_masked.clone().unwrap_or_else(|| ctx.t("account-buyer-unknown"));
    let own = facts.own.as_ref().map(|own| {
        let words = [("account", own.masked.clone()), ("holder", own.holder_masked.clone())];
        view! { <dt>{ctx.t("account-own")}</dt><dd>{ctx.tr("account-line", &words)}</dd> }
    });
    let others = (facts.other_buyers > 0).then(|| {
        let line = ctx.tr("account-others", &[("count", format::counted(facts.other_buyers))]);
        view! { <p class="warn"><strong>{line}</strong></p> }
    });
    let line = ctx.tr("account-line", &[("account", facts.masked.clone()), ("holder", holder)]);
    view! {
        <dl class="facts where-to">
            <dt>{ctx.t("refund-account-legend")}</dt>
            <dd>{line}</dd>
            {own}
            <dt>{ctx.t("col-buyer")}</dt>
            <dd>{buyer}</dd>
        </dl>
        <p>{messages::account_check(ctx, facts.check)}</p>
        {others}
    }
    .into_any()
}

fn candidate(ctx: &Ctx, refund: &Refund, facts: &Facts, candidate: &Candidate) -> AnyView {
    let fits = candidate.amount == refund.amount && candidate.done;
    let money = format::amount(ctx.words, candidate.amount, &refund.currency);
    let at = candidate.canceled_at.map(format::full_time).unwrap_or_default();
    let act = (fits && ctx.may(Permission::Refund)).then(|| {
        view! {
            <details class="confirm">
                <summary>{ctx.t("decide-ours")}</summary>
                <form method="post" action=ctx.href(DecideRefund::PATH)>
                    {hidden(refund)}
                    <input type="hidden" name="version" value=facts.version.clone()/>
                    <input type="hidden" name="ours" value=candidate.transaction_key.clone()/>
                    <p>{ctx.t("decide-ours-sure")}</p>
                    <button class="button" type="submit">{ctx.t("decide-ours")}</button>
                </form>
            </details>
        }
    });
    view! {
        <li>
            <p><strong>{money}</strong> " " {candidate.reason.clone()}</p>
            <p class="soft">{at} " · " <code>{candidate.transaction_key.clone()}</code></p>
            {act}
        </li>
    }
    .into_any()
}

/// Our facts and Toss's, and what a person may say about them.
fn decision(ctx: &Ctx, refund: &Refund, facts: &Facts) -> AnyView {
    let ours = ctx.tr(
        "decide-ours-line",
        &[
            ("by", refund.requested_by_name.clone()),
            ("amount", format::amount(ctx.words, refund.amount, &refund.currency)),
            ("reason", refund.reason.clone()),
            ("time", format::full_time(refund.sendable_since())),
        ],
    );
    let theirs = if facts.candidates.is_empty() {
        view! { <p>{ctx.t("decide-nothing-at-toss")}</p> }.into_any()
    } else {
        let rows = facts.candidates.iter().map(|c| candidate(ctx, refund, facts, c)).collect_view();
        view! { <ul class="refunds">{rows}</ul> }.into_any()
    };
    let not_made = view! {
        <details class="confirm">
            <summary>{ctx.t("decide-not-made")}</summary>
            <form method="post" action=ctx.href(DecideRefund::PATH)>
                {hidden(refund)}
                <input type="hidden" name="version" value=facts.version.clone()/>
                <input type="hidden" name="ours" value=""/>
                <p>{ctx.t("decide-not-made-sure")}</p>
                <button class="button danger" type="submit">{ctx.t("decide-not-made")}</button>
            </form>
        </details>
    };
    view! {
        <div class="decide">
            <h3>{ctx.t("decide")}</h3>
            <p class="soft">{ctx.t("decide-hint")}</p>
            <h4>{ctx.t("decide-us")}</h4>
            <p>{ours}</p>
            <h4>{ctx.t("decide-toss")}</h4>
            {theirs}
            {ctx.may(Permission::Refund).then_some(not_made)}
        </div>
    }
    .into_any()
}

/// Money that Toss sent and the buyer does not have. Toss's API offers no way to send it again (toss-api.md A5.3): the page says
/// what to do in Toss's admin, and keeps what was done.
pub fn not_arrived(ctx: &Ctx, refund: &Refund, flash: &Flash) -> AnyView {
    let amount = format::amount(ctx.words, refund.amount, &refund.currency);
    let heading = match refund.stage {
        Some(Stage::PartlyArrived) => ctx.tr("not-arrived-partly", &[("amount", amount)]),
        Some(Stage::AtTheBank) => ctx.tr("not-arrived-late", &[("amount", amount)]),
        _ => ctx.tr("not-arrived", &[("amount", amount)]),
    };
    let form = |way_out: &'static str, label: &str, quiet: bool| {
        let note = Field {
            hint: Some(ctx.words.get(&format!("{label}-hint"), &[])),
            id: Some(format!("note-{way_out}")),
            ..Field::text("note", ctx.t("way-out-note"), flash)
        };
        view! {
            <details class="confirm way-out" open=flash.is_error.then_some("")>
                <summary>{ctx.words.get(label, &[])}</summary>
                <form method="post" action=ctx.href(RecordWayOut::PATH)>
                    {hidden(refund)}
                    <input type="hidden" name="way_out" value=way_out/>
                    {note.view()}
                    <button class=if quiet { "button quiet" } else { "button" } type="submit">
                        {ctx.words.get(label, &[])}
                    </button>
                </form>
            </details>
        }
    };
    let forms = ctx.may(Permission::Refund).then(|| {
        view! {
            {form("sent_again", "way-out-sent-again", false)}
            {form("paid_otherwise", "way-out-paid-otherwise", true)}
        }
    });
    view! {
        <div class="unknown-box">
            <p><strong>{heading}</strong></p>
            <p>{messages::whereabouts(ctx, refund)}</p>
        </div>
        <ol class="steps">
            <li>{ctx.t("not-arrived-step-ask")}</li>
            <li>{ctx.t("not-arrived-step-correct")}</li>
            <li>{ctx.t("not-arrived-step-record")}</li>
        </ol>
        {forms}
    }
    .into_any()
}

pub fn view(ctx: &Ctx, refund: &Refund, beside: &Beside<'_>, flash: &Flash) -> AnyView {
    if refund.state == State::WaitingForApproval {
        return waiting(ctx, refund, beside.account, flash);
    }
    let facts = beside.facts;
    let line = ctx.tr(
        "refund-open",
        &[
            ("by", refund.requested_by_name.clone()),
            ("amount", format::amount(ctx.words, refund.amount, &refund.currency)),
        ],
    );
    let why = facts.map(|_| messages::note(ctx, refund));
    view! {
        <div class="unknown-box">
            <p>{line}</p>
            <p class="soft">{why}</p>
        </div>
        {facts.map(|facts| decision(ctx, refund, facts))}
    }
    .into_any()
}
