//! The refund that is open on an order: waiting for a second person, under way, or somebody's task.

use backoffice::{
    refunds::{Candidate, Facts, Refund, State},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{ApproveRefund, DecideRefund, DeclineRefund, WithdrawRefund},
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

fn waiting(ctx: &Ctx, refund: &Refund, flash: &Flash) -> AnyView {
    let money = format::amount(ctx.words, refund.amount, &refund.currency);
    let own = ctx.visitor.staff.as_ref().is_some_and(|me| Some(me.id) == refund.requested_by);
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
            {actions}
        </div>
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

/// `facts` are there once it is somebody's task.
pub fn view(ctx: &Ctx, refund: &Refund, facts: Option<&Facts>, flash: &Flash) -> AnyView {
    if refund.state == State::WaitingForApproval {
        return waiting(ctx, refund, flash);
    }
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
