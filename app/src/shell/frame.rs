//! The frame around every page: menu, search, who is here, which Toss.

use backoffice::{
    home::Waiting,
    staff::{Permission, Staff},
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    components::{
        form,
        layout::{Frame, mode_badge, title},
    },
    context::Ctx,
    format,
    islands::{Palette, PaletteWords},
    routes,
    staff::{devices, functions::LogOut, notices, words::role_of},
};

fn entry(ctx: &Ctx, path: &'static str, key: &str, active: &str, count: i64) -> AnyView {
    let current = (path == active).then_some("page");
    let shown = format::counted(count);
    let label = ctx.words.get(key, &[]);
    let spoken = format!("{} {shown}", ctx.t("waiting-count"));
    view! {
        <li>
            <a href=ctx.href(path) aria-current=current>
                <span>{label}</span>
                {(count > 0).then(|| view! { <span class="count" aria-label=spoken role="img">{shown}</span> })}
            </a>
        </li>
    }
    .into_any()
}

fn menu(ctx: &Ctx, active: &'static str, waiting: Waiting) -> AnyView {
    let to_approve = if ctx.may(Permission::ApproveRefund) {
        waiting.refunds_to_approve + waiting.batches_to_approve
    } else {
        0
    };
    let refunds = waiting.refunds_unknown.max(waiting.refunds_overdue)
        + waiting.refunds_not_arrived
        + waiting.returns_due
        + to_approve;
    let grants = if ctx.may(Permission::ManageCampaigns) { waiting.grants_to_approve } else { 0 };
    let differences = if ctx.may(Permission::Reconcile) { waiting.differences } else { 0 };
    let differences = differences + waiting.receipts_failed;
    let (rights, reviews) = (waiting.rights_to_approve, waiting.access_reviews);
    let sees_finance = ctx.may(Permission::ViewFinance);
    let active =
        if active == routes::RECONCILIATION && !sees_finance { routes::CASH_RECEIPTS } else { active };
    // Nobody is led to what they may not open.
    let entry = |path: &'static str, key: &str, count: i64| {
        ctx.may_open(path).then(|| entry(ctx, path, key, active, count))
    };
    // Where the rest of finance is hidden, receipts stand alone.
    let receipts =
        (!sees_finance).then(|| entry(routes::CASH_RECEIPTS, "cash-receipts", waiting.receipts_failed));
    view! {
        <ul>{entry(routes::HOME, "nav-home", 0)}</ul>
        <h2>{ctx.t("nav-trade")}</h2>
        <ul>
            {entry(routes::ORDERS, "nav-orders", waiting.orders_to_look_at)}
            {entry(routes::TRANSACTIONS, "nav-transactions", 0)}
            {entry(routes::REFUNDS, "nav-refunds", refunds)}
            {entry(routes::WEBHOOKS, "nav-webhooks", waiting.webhooks_stuck)}
            {entry(routes::EVENTS, "nav-events", 0)}
            {entry(routes::TOSS_CALLS, "nav-toss-calls", 0)}
            {entry(routes::RECONCILIATION, "nav-reconciliation", differences)}
            {receipts}
        </ul>
        <h2>{ctx.t("nav-apps-in-toss")}</h2>
        <ul>
            {entry(routes::IAP, "nav-iap", waiting.iap_requested)}
            {entry(routes::PROMOTIONS, "nav-promotions", grants)}
            {entry(routes::MESSAGES, "nav-messages", 0)}
            {entry(routes::USERS, "nav-users", 0)}
        </ul>
        <h2>{ctx.t("nav-house")}</h2>
        <ul>
            {entry(routes::STAFF, "nav-staff", rights)}
            {entry(routes::AUDIT, "nav-audit", 0)}
            {entry(routes::ACCESS_RECORDS, "nav-access", reviews)}
            {entry(routes::PERSONAL_DATA, "nav-personal-data", 0)}
            {entry(routes::SECURITY, "nav-security", 0)}
            {entry(routes::API_KEYS, "nav-api-keys", 0)}
            {entry(routes::SETTINGS, "nav-settings", 0)}
            {entry(routes::ACCOUNT, "account", 0)}
        </ul>
    }
    .into_any()
}

pub async fn frame(ctx: &Ctx, staff: &Staff, page: Frame) -> AnyView {
    // A menu without its counts is better than no page.
    let waiting = ctx.backoffice().counts.get(ctx.backoffice()).await.unwrap_or_else(|fault| {
        tracing::warn!(%fault, "no counts for the menu");
        Waiting::default()
    });
    let told = notices::view(ctx, staff).await;
    let news = devices::news(ctx).await;
    let palette = PaletteWords {
        open: ctx.t("palette-open"),
        placeholder: ctx.t("search-placeholder"),
        nothing: ctx.t("palette-nothing"),
        hint: ctx.t("palette-hint"),
        close: ctx.t("close"),
    };
    let who = format!("{} · {}", staff.name, role_of(ctx, staff));
    let search = ctx.may(Permission::ViewTrade).then(|| {
        view! {
            <div class="search">
                <form role="search" method="get" action=ctx.href(routes::ORDERS)>
                    <input
                        type="search"
                        name="q"
                        aria-label=ctx.t("search-placeholder")
                        placeholder=ctx.t("search-placeholder")
                        autocomplete="off"
                    />
                </form>
                <Palette words=palette/>
            </div>
        }
    });
    let class = format!("app mode-{}", ctx.site.mode.as_str());
    view! {
        {title(ctx, &page.title)}
        <a class="skip" href="#main">{ctx.t("skip")}</a>
        <div class=class>
            <header class="top">
                <details class="sheet">
                    <summary aria-label=ctx.t("menu")><span class="bars"></span></summary>
                    <nav aria-label=ctx.t("menu")>{menu(ctx, page.active, waiting)}</nav>
                </details>
                <a class="brand" href=ctx.href(routes::HOME)>
                    <span class="seal" aria-hidden="true">"장부"</span>
                    <span class="brand-name">{ctx.t("product")}</span>
                </a>
                {search}
                {mode_badge(ctx)}
                <div class="who">
                    <a class="who-name" href=ctx.href(routes::ACCOUNT)>{who}</a>
                    <form method="post" action=ctx.href(LogOut::PATH)>
                        <button class="link" type="submit">{ctx.t("log-out")}</button>
                    </form>
                </div>
            </header>
            <nav class="side" aria-label=ctx.t("menu")>{menu(ctx, page.active, waiting)}</nav>
            <main id="main" tabindex="-1">
                {told}
                {news}
                {form::notice(&page.flash)}
                {page.body}
            </main>
        </div>
    }
    .into_any()
}
