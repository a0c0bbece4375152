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
    staff::{devices, functions::LogOut, notices},
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
    let manage = ctx.may(Permission::ManageStaff);
    let audit = ctx.may(Permission::ViewAudit);
    view! {
        <ul>{entry(ctx, routes::HOME, "nav-home", active, 0)}</ul>
        <h2>{ctx.t("nav-trade")}</h2>
        <ul>
            {entry(ctx, routes::ORDERS, "nav-orders", active, waiting.orders_to_look_at)}
            {entry(ctx, routes::TRANSACTIONS, "nav-transactions", active, 0)}
            {entry(ctx, routes::REFUNDS, "nav-refunds", active, refunds)}
            {entry(ctx, routes::WEBHOOKS, "nav-webhooks", active, waiting.webhooks_stuck)}
            {entry(ctx, routes::RECONCILIATION, "nav-reconciliation", active, differences)}
        </ul>
        <h2>{ctx.t("nav-apps-in-toss")}</h2>
        <ul>
            {entry(ctx, routes::IAP, "nav-iap", active, waiting.iap_requested)}
            {entry(ctx, routes::PROMOTIONS, "nav-promotions", active, grants)}
            {entry(ctx, routes::MESSAGES, "nav-messages", active, 0)}
            {entry(ctx, routes::USERS, "nav-users", active, 0)}
        </ul>
        <h2>{ctx.t("nav-house")}</h2>
        <ul>
            {manage.then(|| entry(ctx, routes::STAFF, "nav-staff", active, 0))}
            {audit.then(|| entry(ctx, routes::AUDIT, "nav-audit", active, 0))}
            {manage.then(|| entry(ctx, routes::SECURITY, "nav-security", active, 0))}
            {entry(ctx, routes::SETTINGS, "nav-settings", active, 0)}
            {entry(ctx, routes::ACCOUNT, "account", active, 0)}
        </ul>
    }
    .into_any()
}

pub async fn frame(ctx: &Ctx, staff: &Staff, page: Frame) -> AnyView {
    // A menu without its counts is better than no page.
    let waiting = backoffice::home::waiting(ctx.backoffice()).await.unwrap_or_else(|fault| {
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
    let who = format!("{} · {}", staff.name, ctx.words.word("role", staff.role.as_str()));
    let search = ctx.href(routes::ORDERS);
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
                <div class="search">
                    <form role="search" method="get" action=search>
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
