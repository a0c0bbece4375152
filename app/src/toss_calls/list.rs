//! Calls to Toss, newest first.

use backoffice::toss_calls::{Api, Outcome, PREFIX, Row};
use leptos::prelude::*;

use super::filter;
use crate::{
    components::{
        badge, form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    routes,
};

/// How a call ended, as a dot and a word.
pub fn outcome(ctx: &Ctx, outcome: Outcome) -> (&'static str, String) {
    let tone = match outcome {
        Outcome::Ok => "done",
        Outcome::Refused => "waiting",
        Outcome::NoAnswer => "failed",
    };
    (tone, ctx.words.word("toss-call-outcome", outcome.as_str()))
}

/// Without what stands in front of all of them.
fn short(path: &str) -> &str {
    path.trim_start_matches(PREFIX)
}

/// The other calls of which this is true.
pub fn narrowed(ctx: &Ctx, name: &str, value: &str) -> AnyView {
    let href = format!("{}?{name}={}", ctx.href(routes::TOSS_CALLS), routes::encode(value));
    view! { <a href=href><code>{value.to_owned()}</code></a> }.into_any()
}

/// What a call was about: the order where it names one, else the payment.
fn subject(ctx: &Ctx, row: &Row) -> AnyView {
    match (&row.order_id, &row.payment_key) {
        (Some(id), _) => {
            let href = ctx.href(&routes::order(id));
            view! { <a href=href><code>{id.clone()}</code></a> }.into_any()
        }
        (None, Some(key)) => narrowed(ctx, "order", key),
        (None, None) => "–".into_any(),
    }
}

/// Toss's code, or why there is no answer.
fn said(ctx: &Ctx, row: &Row) -> Option<String> {
    let failure = row.failure.as_deref().map(|failure| ctx.words.word("toss-call-failure", failure));
    row.code.clone().or(failure)
}

fn row(ctx: &Ctx, row: Row) -> AnyView {
    let href = ctx.href(&routes::toss_call(row.id));
    let status = row.status.map(|status| status.to_string());
    let other = row.is_other_version.then(|| {
        let title = ctx.t("toss-call-other-version");
        view! { " " <span class="flag" role="img" aria-label=title.clone() title=title>"!"</span> }
    });
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{row.method.clone()} " " <code>{short(&row.path).to_owned()}</code></a> {other}</td>
            <td class="state">{badge::badge(outcome(ctx, row.outcome))}</td>
            <td class="what">{subject(ctx, &row)}</td>
            <td class="detail">{said(ctx, &row)}</td>
            <td class="n left">{status}</td>
            <td class="n left">{row.took_ms} " ms"</td>
            <td class="when">{list::time(row.at)}</td>
        </tr>
    }
    .into_any()
}

fn filters(ctx: &Ctx, typed: &Flash) -> AnyView {
    let options = |all: &str, words: Vec<(String, String)>| {
        std::iter::once((String::new(), ctx.words.get(all, &[]))).chain(words).collect::<Vec<_>>()
    };
    let apis = Api::ALL.map(|api| (api.as_str().to_owned(), api_name(ctx, api))).to_vec();
    let outcomes = Outcome::ALL.map(|one| (one.as_str().to_owned(), outcome(ctx, one).1)).to_vec();
    let paths = Api::ALL.into_iter().flat_map(Api::paths);
    let paths = paths.map(|path| ((*path).to_owned(), short(path).to_owned())).collect();
    let text = |name, key: &str| form::Field::text(name, ctx.words.get(key, &[]), typed).view();
    view! {
        <form class="filters" method="get" action=ctx.href(routes::TOSS_CALLS)>
            {text("order", "toss-call-order")}
            {text("trace", "toss-call-trace")}
            {form::select("api", ctx.t("toss-call-api"), options("toss-call-api-any", apis), "", typed)}
            {form::select("outcome", ctx.t("toss-call-outcome"), options("all-states", outcomes), "", typed)}
            {form::select("path", ctx.t("toss-call-path"), options("toss-call-path-any", paths), "", typed)}
            {text("code", "toss-call-code")}
            {form::filter_actions(ctx, routes::TOSS_CALLS)}
        </form>
    }
    .into_any()
}

pub fn api_name(ctx: &Ctx, api: Api) -> String {
    ctx.words.word("toss-call-api", api.as_str())
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let filter = filter::from_query(&query);
    let typed = query.typed(&filter::NAMES);
    let heading = view! {
        <h1>{ctx.t("nav-toss-calls")}</h1>
        <p class="soft">{ctx.t("toss-calls-how")}</p>
        {filters(&ctx, &typed)}
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::TOSS_CALLS)} }.into_any(),
        Ok(cursor) => {
            let page = backoffice::toss_calls::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::TOSS_CALLS,
                class: "call-rows",
                headers: vec![
                    list::head(&ctx, "toss-call-path"),
                    list::head(&ctx, "toss-call-outcome"),
                    list::head(&ctx, "toss-call-about"),
                    list::head(&ctx, "toss-call-code"),
                    list::figures(&ctx, "toss-call-status"),
                    list::figures(&ctx, "toss-call-took"),
                    list::head(&ctx, "col-at"),
                ],
                empty: (ctx.t("toss-calls-empty"), ctx.t("toss-calls-empty-hint")),
            };
            view! { {heading} {list::view(&ctx, &query, spec, page, row)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-toss-calls"), active: routes::TOSS_CALLS, flash, body })
}
