//! One call: what was asked, what came back, what Toss's support wants to know.

use backoffice::toss_calls::{Api, Opened, Row, VERSION};
use leptos::prelude::*;
use serde_json::Value;

use super::list;
use crate::{
    components::{
        badge, errors,
        layout::{Answer, Frame},
    },
    context::Ctx,
    format,
    islands::Copy,
    routes,
};

fn fact(name: String, value: AnyView) -> AnyView {
    view! {
        <dt>{name}</dt>
        <dd>{value}</dd>
    }
    .into_any()
}

/// A text in the words of the contract.
fn code(text: impl Into<String>) -> AnyView {
    view! { <code>{text.into()}</code> }.into_any()
}

/// Toss's support asks for it first.
fn trace(ctx: &Ctx, id: String) -> AnyView {
    view! {
        <code>{id.clone()}</code>
        " "
        <Copy text=id label=ctx.t("copy") done=ctx.t("copied")/>
    }
    .into_any()
}

fn version(ctx: &Ctx, row: &Row) -> Option<AnyView> {
    let version = row.version.clone()?;
    let other = row.is_other_version.then(|| {
        let word = ctx.tr("toss-call-other-than", &[("ours", VERSION.into())]);
        view! { " " {badge::badge(("failed", word))} }
    });
    Some(view! { <code>{version}</code> {other} }.into_any())
}

fn facts(ctx: &Ctx, row: &Row) -> AnyView {
    let documented = row.documented().map(|said| view! { " " <span lang="ko">{said}</span> });
    let order = row.order_id.as_deref().map(|id| {
        let href = ctx.href(&routes::order(id));
        let all = ctx.href(&routes::toss_calls_of(id));
        view! {
            <a href=href><code>{id.to_owned()}</code></a>
            " · "
            <a href=all>{ctx.t("toss-calls-of-order")}</a>
        }
        .into_any()
    });
    let key_name = match row.api {
        Api::TossPayments => "paymentKey",
        Api::AppsInToss => "payToken",
    };
    let failure = row.failure.as_deref().map(|failure| {
        let word = ctx.words.word("toss-call-failure", failure);
        let why = row.why.clone().map(|why| view! { <br/> <small class="soft" lang="en">{why}</small> });
        view! { {word} {why} }.into_any()
    });
    view! {
        <dl class="facts">
            {fact(ctx.t("toss-call-api"), list::api_name(ctx, row.api).into_any())}
            {fact(ctx.t("toss-call-path"), view! { {row.method.clone()} " " {list::narrowed(ctx, "path", &row.path)} }.into_any())}
            {order.map(|order| fact("orderId".into(), order))}
            {row.payment_key.as_deref().map(|key| fact(key_name.into(), list::narrowed(ctx, "order", key)))}
            {fact(ctx.t("toss-call-at"), format::full_time(row.at).into_any())}
            {fact(ctx.t("toss-call-took"), format!("{} ms", row.took_ms).into_any())}
            {row.status.map(|status| fact("HTTP".into(), status.to_string().into_any()))}
            {row.result_type.clone().map(|word| fact("resultType".into(), code(word)))}
            {row.code.as_deref().map(|word| fact(ctx.t("toss-call-code"), view! { {list::narrowed(ctx, "code", word)} {documented} }.into_any()))}
            {failure.map(|failure| fact(ctx.t("toss-call-failure"), failure))}
            {row.trace_id.clone().map(|id| fact(ctx.t("toss-call-trace"), trace(ctx, id)))}
            {row.first_trace_id.as_deref().map(|id| fact(ctx.t("toss-call-first-trace"), list::narrowed(ctx, "trace", id)))}
            {version(ctx, row).map(|version| fact(ctx.t("toss-call-version"), version))}
        </dl>
    }
    .into_any()
}

fn body(title: String, nothing: String, body: Option<&Value>) -> AnyView {
    let body = match body {
        Some(body) => {
            let text = serde_json::to_string_pretty(body).unwrap_or_default();
            view! { <pre tabindex="0" aria-label=title.clone()>{text}</pre> }.into_any()
        }
        None => view! { <p class="soft">{nothing}</p> }.into_any(),
    };
    view! { <h2>{title}</h2> {body} }.into_any()
}

pub async fn page(ctx: Ctx, id: String) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match id.parse() {
        Ok(id) => backoffice::toss_calls::get(ctx.backoffice(), id).await?,
        Err(_) => None,
    };
    let Some(Opened { row, request, answer }) = found else {
        return Ok(errors::missing(&ctx, ctx.t("toss-call-not-found")));
    };
    let title = format!("{} · {}", ctx.t("toss-call"), format::full_time(row.at));
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::TOSS_CALLS)>{ctx.t("nav-toss-calls")}</a>
            " / "
            <h1>{title.clone()}</h1>
        </nav>
        <div class="two even">
            <section class="card pad">
                <p class="badges">{badge::badge(list::outcome(&ctx, row.outcome))}</p>
                {facts(&ctx, &row)}
            </section>
            <section class="card pad">
                <p class="soft">{ctx.t("toss-call-redacted")}</p>
                {body(ctx.t("toss-call-request"), ctx.t("toss-call-no-request"), request.as_ref())}
                {body(ctx.t("toss-call-answer"), ctx.t("toss-call-no-answer"), answer.as_ref())}
            </section>
        </div>
    };
    Ok(Frame { title, active: routes::TOSS_CALLS, flash, body: body.into_any() })
}
