//! Today against yesterday, and what waits for a person.

use backoffice::{
    Decimal, Fault,
    events::Troubles,
    home::{Home, Taken},
    refunds::Filter,
    staff::Permission,
};
use leptos::prelude::*;

use crate::{
    components::layout::{Answer, Frame},
    context::Ctx,
    format, routes,
};

/// Change against yesterday in whole per cent; nothing to compare with gives nothing.
fn change(today: Taken, yesterday: Taken) -> Option<String> {
    if yesterday.amount.is_zero() {
        return None;
    }
    let percent = ((today.amount - yesterday.amount) * Decimal::ONE_HUNDRED / yesterday.amount).round();
    let sign = if percent.is_sign_negative() { "−" } else { "+" };
    Some(format!("{sign}{}%", percent.abs()))
}

/// The refunds that are somebody's task by now, with whose.
async fn overdue(ctx: &Ctx) -> Result<AnyView, Fault> {
    let filter = Filter { overdue_at: Some(ctx.backoffice().clock.now()), ..Filter::default() };
    let rows = backoffice::refunds::list(ctx.backoffice(), &filter, None, 5).await?.rows;
    let rows = rows
        .into_iter()
        .map(|refund| {
            let href = ctx.href(&format!("{}#refund", routes::order(&refund.order_id)));
            let line = ctx.tr(
                "home-overdue-line",
                &[
                    ("by", refund.requested_by_name.clone()),
                    ("amount", format::amount(ctx.words, refund.amount, &refund.currency)),
                    ("time", format::short_time(refund.sendable_since())),
                ],
            );
            view! { <li><a href=href><code>{refund.order_id}</code> " " <span class="soft">{line}</span></a></li> }
        })
        .collect_view();
    Ok(view! { <ul class="tasks overdue">{rows}</ul> }.into_any())
}

fn figures(ctx: &Ctx, home: &Home) -> AnyView {
    let won = |amount: Decimal| format::amount(ctx.words, amount, "KRW");
    let against = change(home.today, home.yesterday)
        .map(|change| ctx.tr("home-against", &[("change", change)]))
        .unwrap_or_else(|| ctx.t("home-no-yesterday"));
    let figures = [
        (ctx.t("home-sales"), won(home.today.amount), against),
        (
            ctx.t("home-orders"),
            home.today.orders.to_string(),
            ctx.tr("home-yesterday", &[("value", home.yesterday.orders.to_string())]),
        ),
        (
            ctx.t("home-refunds"),
            won(home.refunded_today.amount),
            ctx.tr("home-refunded-count", &[("count", home.refunded_today.orders.to_string())]),
        ),
        (
            ctx.t("home-last-webhook"),
            home.webhooks.last_at.map_or_else(|| "–".into(), format::short_time),
            ctx.t("home-last-webhook-hint"),
        ),
    ];
    view! {
        <dl class="figures">
            {figures
                .into_iter()
                .map(|(name, value, hint)| {
                    view! {
                        <div class="card">
                            <dt>{name}</dt>
                            <dd class="figure">{value}</dd>
                            <dd class="soft">{hint}</dd>
                        </div>
                    }
                })
                .collect_view()}
        </dl>
    }
    .into_any()
}

/// What waits for people, worst first. Only whoever may approve is asked to.
fn tasks(ctx: &Ctx, home: &Home, events: Troubles) -> AnyView {
    let waiting = &home.waiting;
    let for_approvers = |count: i64| if ctx.may(Permission::ApproveRefund) { count } else { 0 };
    let tasks = [
        ("unknown", waiting.refunds_overdue, "home-task-overdue", format!("{}?overdue=1", routes::REFUNDS)),
        (
            "failed",
            waiting.refunds_not_arrived,
            "home-task-not-arrived",
            format!("{}?not_arrived=1", routes::REFUNDS),
        ),
        ("failed", waiting.returns_due, "home-task-returns", routes::RETURNS.to_owned()),
        (
            "failed",
            waiting.receipts_failed,
            "home-task-receipts",
            format!("{}?failed=1", routes::CASH_RECEIPTS),
        ),
        (
            "waiting",
            for_approvers(waiting.refunds_to_approve),
            "home-task-approve",
            format!("{}?state=waiting_for_approval", routes::REFUNDS),
        ),
        (
            "waiting",
            for_approvers(waiting.batches_to_approve),
            "home-task-approve-files",
            routes::REFUND_BATCHES.to_owned(),
        ),
        (
            "waiting",
            if ctx.may(Permission::ManageCampaigns) { waiting.grants_to_approve } else { 0 },
            "home-task-grants",
            routes::PROMOTIONS.to_owned(),
        ),
        (
            "waiting",
            if ctx.may(Permission::ChangeSettings) { waiting.limits_to_approve } else { 0 },
            "home-task-limits",
            format!("{}#limits", routes::SETTINGS),
        ),
        (
            "waiting",
            if ctx.may(Permission::ManageStaff) { waiting.rights_to_approve } else { 0 },
            "home-task-rights",
            routes::STAFF.to_owned(),
        ),
        (
            "waiting",
            if ctx.may(Permission::ManageCampaigns) { waiting.campaigns_to_approve } else { 0 },
            "home-task-campaigns",
            routes::PROMOTIONS.to_owned(),
        ),
        (
            "failed",
            if ctx.may(Permission::ViewAudit) { waiting.log_findings } else { 0 },
            "home-task-log",
            routes::AUDIT.to_owned(),
        ),
        (
            "failed",
            if ctx.may(Permission::ManageStaff) { waiting.security_places } else { 0 },
            "home-task-security",
            routes::SECURITY.to_owned(),
        ),
        (
            "waiting",
            if ctx.may(Permission::ViewAudit) { waiting.access_reviews } else { 0 },
            "home-task-access",
            routes::ACCESS_REVIEW.to_owned(),
        ),
        ("waiting", waiting.iap_requested, "home-task-iap", format!("{}?tab=requested", routes::IAP)),
        ("failed", waiting.orders_to_look_at, "home-task-orders", format!("{}?attention=1", routes::ORDERS)),
        (
            "failed",
            waiting.webhooks_stuck,
            "home-task-webhooks",
            format!("{}?state=failed", routes::WEBHOOKS),
        ),
        (
            "failed",
            i64::from(home.webhooks.silence.is_some()),
            "home-task-silence",
            routes::WEBHOOKS.to_owned(),
        ),
        (
            "unknown",
            home.webhooks.untrusted,
            "home-task-untrusted",
            format!("{}?badge=untrusted", routes::WEBHOOKS),
        ),
        ("failed", waiting.webhooks_missing, "home-task-missing", routes::MISSING_EVENTS.to_owned()),
        ("failed", events.paused, "home-task-endpoints-paused", routes::EVENT_ENDPOINTS.to_owned()),
        ("failed", events.failing, "home-task-endpoints-failing", routes::EVENT_ENDPOINTS.to_owned()),
        ("failed", events.given_up, "home-task-events", format!("{}?state=given_up", routes::EVENTS)),
        (
            "failed",
            if ctx.may(Permission::ViewFinance) { waiting.differences } else { 0 },
            "home-task-differences",
            routes::DIFFERENCES.to_owned(),
        ),
        (
            "unknown",
            waiting.refunds_unknown - waiting.refunds_overdue_unknown,
            "home-task-unknown",
            format!("{}?state=unknown", routes::REFUNDS),
        ),
        ("waiting", waiting.refunds_under_way, "home-task-under-way", routes::REFUNDS.to_owned()),
    ];
    if tasks.iter().all(|(_, count, ..)| *count == 0) {
        return view! { <p class="soft pad">{ctx.t("home-nothing-waits")}</p> }.into_any();
    }
    let tasks = tasks
        .into_iter()
        .filter(|(_, count, ..)| *count > 0)
        .map(|(tone, count, key, path)| {
            view! {
                <li>
                    <a href=ctx.href(&path)>
                        <span class=format!("dot {tone}")></span>
                        {ctx.words.get(key, &[("count", format::counted(count))])}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="tasks">{tasks}</ul> }.into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let home = backoffice::home::overview(ctx.backoffice()).await?;
    let owners = if home.waiting.refunds_overdue > 0 { overdue(&ctx).await? } else { ().into_any() };
    let events = match ctx.may(Permission::ManageEvents) {
        true => backoffice::events::troubles(ctx.backoffice()).await?,
        false => Troubles::default(),
    };
    let body = view! {
        <h1>{ctx.t("nav-home")}</h1>
        <p class="soft lead">{ctx.tr("home-day", &[("day", format::iso_day(ctx.backoffice().clock.today()))])}</p>
        {figures(&ctx, &home)}
        <section class="card">
            <h2>{ctx.t("home-waiting")}</h2>
            {tasks(&ctx, &home, events)}
            {owners}
        </section>
    };
    Ok(Frame { title: ctx.t("nav-home"), active: routes::HOME, flash, body: body.into_any() })
}
