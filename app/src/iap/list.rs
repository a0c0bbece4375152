//! In-app purchases and the refund desk, in Toss's own tabs.

use backoffice::{
    iap::{Decider, Filter, Order, Refund, Tab},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{DecideIap, ImportIapRequests, LookUpIap, RecordIapRequest},
    messages,
};
use crate::{
    components::{
        badge, export,
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format,
    islands::Copy,
    routes,
};

const STATUSES: [&str; 8] = [
    "PURCHASED",
    "PAYMENT_COMPLETED",
    "REFUNDED",
    "ORDER_IN_PROGRESS",
    "FAILED",
    "NOT_FOUND",
    "MINIAPP_MISMATCH",
    "ERROR",
];

fn user_link(ctx: &Ctx, user: Option<i64>) -> AnyView {
    match user {
        Some(key) => view! { <a href=ctx.href(&routes::user(key))><code>{key}</code></a> }.into_any(),
        None => "–".into_any(),
    }
}

fn platform(ctx: &Ctx, platform: Option<backoffice::iap::Platform>) -> String {
    platform.map_or_else(|| ctx.t("iap-platform-unknown"), |p| ctx.words.word("platform", p.as_str()))
}

fn look_up(ctx: &Ctx, order_id: &str) -> AnyView {
    let back = ctx.path.clone();
    let label = format!("{}: {order_id}", ctx.t("look-up"));
    ctx.may(Permission::LookUpAtToss)
        .then(|| {
            view! {
                <form method="post" action=ctx.href(LookUpIap::PATH)>
                    <input type="hidden" name="order_id" value=order_id.to_owned()/>
                    <input type="hidden" name="back" value=back/>
                    <button class="link" type="submit" aria-label=label>{ctx.t("look-up")}</button>
                </form>
            }
        })
        .into_any()
}

/// One order as a row; also on a user's page.
pub fn order_row(ctx: &Ctx, order: Order) -> AnyView {
    let status = messages::status(ctx, order.status.as_deref());
    let meaning = order.status.as_deref().map(|word| ctx.words.word("iap-meaning", word));
    view! {
        <tr>
            <td class="id"><code>{order.order_id.clone()}</code></td>
            <td class="buyer">{user_link(ctx, order.user_key)}</td>
            <td class="state">{badge::badge(status)}</td>
            <td class="what">{meaning} " " <code class="soft">{order.sku.clone()}</code> {look_up(ctx, &order.order_id)}</td>
            <td class="platform">{platform(ctx, order.platform)}</td>
            <td class="when">{list::time(order.determined_at.unwrap_or(order.created_at))}</td>
        </tr>
    }
    .into_any()
}

/// The columns of [`order_row`].
pub fn order_heads(ctx: &Ctx) -> Vec<(String, bool)> {
    vec![
        list::head(ctx, "col-order"),
        ("userKey".into(), false),
        list::head(ctx, "col-status"),
        list::head(ctx, "iap-meaning"),
        list::head(ctx, "iap-platform"),
        list::head(ctx, "col-at"),
    ]
}

fn decide(ctx: &Ctx, refund: &Refund) -> AnyView {
    if !ctx.may(Permission::Refund) {
        return ().into_any();
    }
    let form = |decision: &'static str, class: &'static str, key: &str| {
        let word = ctx.words.get(key, &[]);
        let label = format!("{word}: {}", refund.order_id);
        view! {
            <form method="post" action=ctx.href(DecideIap::PATH)>
                <input type="hidden" name="id" value=refund.id.to_string()/>
                <input type="hidden" name="decision" value=decision/>
                <button class=class type="submit" aria-label=label>{word}</button>
            </form>
        }
        .into_any()
    };
    match refund.decider() {
        Decider::You => view! {
            <div class="actions">
                {form("approve", "button", "approve")}
                {form("reject", "button quiet", "refund-decline")}
            </div>
        }
        .into_any(),
        Decider::Google => {
            view! { <div class="actions">{form("store_rejected", "button quiet", "iap-store-rejected")}</div> }
                .into_any()
        }
        Decider::Apple => {
            let text = ctx.tr("iap-ios-text", &[("order", refund.order_id.clone())]);
            view! {
                <details>
                    <summary>{ctx.t("iap-ios-send")}</summary>
                    <p class="quote">{text.clone()}</p>
                    <Copy text=text label=ctx.t("copy") done=ctx.t("copied")/>
                    {form("store_rejected", "button quiet", "iap-store-rejected")}
                </details>
            }
            .into_any()
        }
        Decider::Nobody => ().into_any(),
    }
}

fn refund_row(ctx: &Ctx, refund: Refund) -> AnyView {
    let status = messages::status(ctx, refund.status.as_deref());
    let decided = refund.decided_by_name.as_ref().zip(refund.decided_at).map(|(by, at)| {
        let note = refund.decision_note.clone().unwrap_or_default();
        format!("{by} · {} {note}", format::short_time(at))
    });
    let settled = refund.settled_at.map(|at| ctx.tr("iap-settled", &[("time", format::short_time(at))]));
    let what: Vec<String> = [Some(refund.reason.clone()), decided, settled]
        .into_iter()
        .flatten()
        .filter(|t| !t.is_empty())
        .collect();
    view! {
        <tr>
            <td class="id"><code>{refund.order_id.clone()}</code></td>
            <td class="buyer">{user_link(ctx, refund.user_key)}</td>
            <td class="state">{badge::badge(messages::decider(ctx, &refund))} " " {badge::badge(status)}</td>
            <td class="what">{what.join(" · ")} {decide(ctx, &refund)} {look_up(ctx, &refund.order_id)}</td>
            <td class="platform">{platform(ctx, refund.platform)}</td>
            <td class="when">{list::time(refund.requested_at)}</td>
        </tr>
    }
    .into_any()
}

fn tabs(ctx: &Ctx, tab: Option<Tab>) -> AnyView {
    let link = |value: Option<Tab>| {
        let (href, key) = match value {
            None => (routes::IAP.to_owned(), "iap-tab-orders".to_owned()),
            Some(tab) => {
                (format!("{}?tab={}", routes::IAP, tab.as_str()), format!("iap-tab-{}", tab.as_str()))
            }
        };
        let current = (value == tab).then_some("page");
        view! { <a class="tab" href=ctx.href(&href) aria-current=current>{ctx.words.get(&key, &[])}</a> }
    };
    let rest = Tab::ALL.map(|tab| link(Some(tab))).collect_view();
    view! { <nav class="tabs" aria-label=ctx.t("nav-iap")>{link(None)} {rest}</nav> }.into_any()
}

fn record(ctx: &Ctx, flash: &Flash) -> AnyView {
    let platforms = vec![
        (String::new(), ctx.t("iap-platform-unknown")),
        ("ANDROID".to_owned(), ctx.words.word("platform", "ANDROID")),
        ("IOS".to_owned(), ctx.words.word("platform", "IOS")),
    ];
    view! {
        <section class="card">
            <h2>{ctx.t("iap-record")}</h2>
            <form class="pad" method="post" action=ctx.href(RecordIapRequest::PATH)>
                {Field::text("order_id", "orderId".into(), flash).view()}
                {Field { input_mode: "numeric", ..Field::text("user_key", "userKey".into(), flash) }.view()}
                {form::select("platform", ctx.t("iap-platform"), platforms, "ANDROID", flash)}
                {Field::text("reason", ctx.t("iap-reason"), flash).view()}
                <button class="button" type="submit">{ctx.t("iap-record")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn import(ctx: &Ctx, flash: &Flash) -> AnyView {
    let list = Field {
        lines: 4,
        hint: Some(ctx.t("iap-list-hint")),
        ..Field::text("list", ctx.t("iap-paste"), flash)
    };
    view! {
        <section class="card">
            <h2>{ctx.t("iap-list")}</h2>
            <form class="pad" method="post" action=ctx.href(ImportIapRequests::PATH) enctype="multipart/form-data">
                {list.view()}
                <label class="field">
                    <span class="label">{ctx.t("batch-file")}</span>
                    <input type="file" name="file" accept=".csv,.txt,.tsv,text/csv" aria-describedby="file-note"/>
                    <span class="note error" id="file-note">{flash.error("file").unwrap_or_default()}</span>
                </label>
                <button class="button quiet" type="submit">{ctx.t("iap-import")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn filters(ctx: &Ctx, query: &Query) -> AnyView {
    let typed = query.typed(&["q", "status"]);
    let statuses = std::iter::once((String::new(), ctx.t("all-statuses")))
        .chain(STATUSES.map(|word| (word.to_owned(), ctx.words.word("iap-status", word))))
        .collect();
    view! {
        <form class="filters" method="get" action=ctx.href(routes::IAP)>
            {Field { kind: "search", ..Field::text("q", ctx.t("iap-q"), &typed) }.view()}
            {form::select("status", ctx.t("col-status"), statuses, "", &typed)}
            <div class="filter-actions"><button class="button" type="submit">{ctx.t("filter-apply")}</button></div>
        </form>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let mut flash = ctx.take_flash().await;
    let of = |form: &str| if flash.form == form { flash.clone() } else { Flash::default() };
    let (record_flash, list_flash) = (of("iap"), of("iap-list"));
    let tab = query.get("tab").and_then(|tab| Tab::parse(&tab));
    let beside = ctx.may(Permission::Refund).then(|| {
        view! { <div class="beside">{record(&ctx, &record_flash)} {import(&ctx, &list_flash)}</div> }
    });
    if flash.is_error && !flash.errors.is_empty() {
        flash.notice = None;
    }
    let repeaters = match tab {
        Some(_) => backoffice::iap::refund_requests::repeaters(ctx.backoffice(), 10).await?,
        None => Vec::new(),
    };
    let repeated = (!repeaters.is_empty()).then(|| {
        let items = repeaters
            .into_iter()
            .map(|one| {
                let count = ctx.tr("iap-refund-count", &[("count", one.refunds.to_string())]);
                view! { <li>{user_link(&ctx, Some(one.user_key))} " " <span class="soft">{count}</span></li> }
            })
            .collect_view();
        view! { <section class="card"><h2>{ctx.t("iap-repeaters")}</h2><ul class="refunds">{items}</ul></section> }
    });
    let heading =
        view! { <h1>{ctx.t("nav-iap")}</h1> {tabs(&ctx, tab)} <p class="soft lead">{ctx.t("iap-lead")}</p> };
    let list = match (query.cursor(), tab) {
        (Err(_), _) => list::bad_cursor(&ctx, routes::IAP),
        (Ok(cursor), None) => {
            let filter = Filter { q: query.get("q"), status: query.get("status"), user_key: None };
            let page =
                backoffice::iap::orders::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::IAP,
                class: "iap-rows",
                headers: order_heads(&ctx),
                empty: (ctx.t("iap-empty"), ctx.t("iap-empty-hint")),
            };
            view! { {filters(&ctx, &query)} {list::view(&ctx, &query, spec, page, order_row)} {export::form(&ctx, "iap_orders", &query)} }.into_any()
        }
        (Ok(cursor), Some(tab)) => {
            let page =
                backoffice::iap::refund_requests::list(ctx.backoffice(), tab, None, cursor.as_ref(), SIZE)
                    .await?;
            let spec = list::ListSpec {
                path: routes::IAP,
                class: "iap-rows",
                headers: vec![
                    list::head(&ctx, "col-order"),
                    ("userKey".into(), false),
                    list::head(&ctx, "iap-who-decides"),
                    list::head(&ctx, "iap-reason"),
                    list::head(&ctx, "iap-platform"),
                    list::head(&ctx, "col-requested-at"),
                ],
                empty: (ctx.t("iap-refunds-empty"), ctx.t("iap-refunds-empty-hint")),
            };
            list::view(&ctx, &query, spec, page, refund_row)
        }
    };
    let body = view! {
        {heading}
        <div class="two">
            <div>{list} {repeated}</div>
            {beside}
        </div>
    };
    Ok(Frame { title: ctx.t("nav-iap"), active: routes::IAP, flash, body: body.into_any() })
}
