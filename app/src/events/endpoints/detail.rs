//! One endpoint: how it stands, what it is told, its secrets, and what can be done with it.

use backoffice::{
    Fault,
    events::{self, Endpoint, Filter, Secret, State, Way},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    form,
    functions::{
        ChangeEndpoint, DisableEndpoint, EnableEndpoint, RemoveEndpoint, RotateEndpointSecret, TestEndpoint,
    },
    resend,
};
use crate::{
    components::{
        badge::badge,
        errors,
        layout::{Answer, Frame},
        list::{self, Query},
        once,
    },
    context::Ctx,
    events::{list as of_events, words},
    flash::Flash,
    format, routes,
};

/// Events that are shown; the rest is behind a link.
const SHOWN: usize = 10;

/// A button that does one thing to this endpoint.
fn act(ctx: &Ctx, path: &'static str, endpoint: &Endpoint, class: &'static str, word: &str) -> AnyView {
    view! {
        <form method="post" action=ctx.href(path)>
            <input type="hidden" name="id" value=endpoint.id.to_string()/>
            <button class=class type="submit">{ctx.words.get(word, &[])}</button>
        </form>
    }
    .into_any()
}

fn actions(ctx: &Ctx, endpoint: &Endpoint) -> AnyView {
    if !ctx.may(Permission::ManageEvents) {
        return ().into_any();
    }
    let count = [("count", words::waiting(endpoint))];
    let enable = match endpoint.state {
        State::Active => None,
        State::Paused => Some(ctx.tr("endpoint-enable-paused", &count)),
        State::Disabled => Some(ctx.t("endpoint-enable-disabled")),
    };
    let enable = enable.map(|hint| {
        view! {
            <div class="actions">
                {act(ctx, EnableEndpoint::PATH, endpoint, "button", "endpoint-enable")}
                <span class="soft">{hint}</span>
            </div>
        }
    });
    let test = (endpoint.state == State::Active).then(|| {
        view! {
            <div class="actions">
                {act(ctx, TestEndpoint::PATH, endpoint, "button quiet", "endpoint-test")}
                <span class="soft">{ctx.t("endpoint-test-hint")}</span>
            </div>
        }
    });
    let disable = (endpoint.state != State::Disabled).then(|| {
        let sure = ctx.tr("endpoint-disable-sure", &count);
        once::confirmed(ctx, DisableEndpoint::PATH, &endpoint.id, "endpoint-disable", sure)
    });
    let sure = ctx.tr("endpoint-remove-sure", &[("name", endpoint.name.clone())]);
    view! {
        {enable}
        {test}
        <div class="actions">
            {disable}
            {once::confirmed(ctx, RemoveEndpoint::PATH, &endpoint.id, "endpoint-remove", sure)}
        </div>
    }
    .into_any()
}

fn head(ctx: &Ctx, endpoint: &Endpoint) -> AnyView {
    let fact = |key: &str, value: AnyView| {
        view! {
            <dt>{ctx.words.get(key, &[])}</dt>
            <dd>{value}</dd>
        }
    };
    let why = words::why(ctx, endpoint).map(|why| {
        let class = if endpoint.state == State::Paused { "notice bad" } else { "notice unsure" };
        view! { <p class=class role="note">{why}</p> }
    });
    let waiting = match endpoint.waiting_since {
        Some(since) if endpoint.waiting > 0 => {
            let since = ctx.tr("endpoint-waiting-since", &[("time", format::short_time(since))]);
            format!("{} · {since}", words::waiting(endpoint))
        }
        _ => ctx.t("endpoint-waiting-none"),
    };
    let time = |at: Option<time::OffsetDateTime>| at.map_or_else(|| ctx.t("never"), format::full_time);
    let last_error = endpoint.last_error.as_deref();
    view! {
        <section class="card order-head">
            {why}
            {badge(words::state(ctx, endpoint))}
            <dl class="facts">
                {fact("endpoint-url", view! { <code>{words::address(ctx, endpoint)}</code> }.into_any())}
                {fact("col-event", words::kinds(ctx, endpoint).into_any())}
                {fact("endpoint-waiting", waiting.into_any())}
                {fact("endpoint-last-success", time(endpoint.last_success_at).into_any())}
                {last_error.map(|error| fact("endpoint-last-error", words::error(ctx, error).into_any()))}
                {fact("endpoint-made", format!("{} · {}", endpoint.created_by_name, format::full_time(endpoint.created_at)).into_any())}
            </dl>
            {actions(ctx, endpoint)}
        </section>
    }
    .into_any()
}

fn change(ctx: &Ctx, endpoint: &Endpoint, flash: &Flash) -> AnyView {
    let none = Flash::default();
    let flash = if flash.form == "endpoint-change" && flash.is_error { flash } else { &none };
    view! {
        <section class="card" id="change">
            <h2>{ctx.t("endpoint-change")}</h2>
            <form class="pad" method="post" action=ctx.href(ChangeEndpoint::PATH)>
                <input type="hidden" name="id" value=endpoint.id.to_string()/>
                {form::fields(ctx, Some(endpoint), flash)}
                <button class="button" type="submit">{ctx.t("keep")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn secrets(ctx: &Ctx, endpoint: &Endpoint, secrets: &[Secret]) -> AnyView {
    let lines = secrets
        .iter()
        .map(|secret| {
            let made = ctx.tr("endpoint-secret-made", &[("time", format::full_time(secret.made_at))]);
            let state = match secret.ends_at {
                None => badge(("done", ctx.t("endpoint-secret-current"))),
                Some(ends) => {
                    let until = ctx.tr("endpoint-secret-until", &[("time", format::short_time(ends))]);
                    badge(("waiting", until))
                }
            };
            view! { <li>{state} " " <span class="soft">{made}</span></li> }
        })
        .collect_view();
    let rotate = ctx.may(Permission::ManageEvents).then(|| {
        let sure = ctx.t("endpoint-rotate-sure");
        once::confirmed(ctx, RotateEndpointSecret::PATH, &endpoint.id, "endpoint-rotate", sure)
    });
    view! {
        <section class="card">
            <h2>{ctx.t("endpoint-secrets")}</h2>
            <div class="pad stack">
                <ul class="attempts">{lines}</ul>
                {rotate}
            </div>
        </section>
    }
    .into_any()
}

/// The last that it was told, or is to be.
async fn last(ctx: &Ctx, endpoint: &Endpoint) -> Result<AnyView, Fault> {
    let filter = Filter { endpoint: Some(endpoint.id), ..Filter::default() };
    let page = events::list(ctx.backoffice(), &filter, None, SHOWN).await?;
    let spec = list::ListSpec {
        empty: (ctx.t("endpoint-told-nothing"), ctx.t("endpoint-told-nothing-hint")),
        ..of_events::spec(ctx)
    };
    let rows = page.rows.into_iter().map(|told| of_events::row(ctx, told)).collect();
    let all = ctx.href(&format!("{}?endpoint={}", routes::EVENTS, endpoint.id));
    Ok(view! {
        <section class="below">
            <div class="read-line">
                <h2>{ctx.t("endpoint-told")}</h2>
                <a href=all>{ctx.t("events-all")}</a>
            </div>
            {list::table(spec, rows)}
        </section>
    }
    .into_any())
}

pub async fn page(ctx: Ctx, id: String, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match uuid::Uuid::try_parse(&id) {
        Ok(id) => events::endpoint(ctx.backoffice(), id).await?,
        Err(_) => None,
    };
    let Some(endpoint) = found else { return Ok(errors::missing(&ctx, ctx.t("endpoint-error-gone"))) };
    let is_address = endpoint.way == Way::Http;
    let may = ctx.may(Permission::ManageEvents);
    let of_secrets = match is_address {
        true => Some(secrets(&ctx, &endpoint, &events::secrets(ctx.backoffice(), endpoint.id).await?)),
        false => None,
    };
    let again = if may { Some(resend::view(&ctx, &endpoint, &query).await?) } else { None };
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::EVENT_ENDPOINTS)>{ctx.t("event-endpoints")}</a>
            " / "
            <h1>{endpoint.name.clone()}</h1>
        </nav>
        {once::shown(&ctx, &flash, "secret", "endpoint-secret", "endpoint-secret-once")}
        <div class="two even">
            <div class="stack">
                {head(&ctx, &endpoint)}
                {of_secrets}
            </div>
            <div class="stack">
                {(may && is_address).then(|| change(&ctx, &endpoint, &flash))}
                {again}
            </div>
        </div>
        {last(&ctx, &endpoint).await?}
    };
    Ok(Frame { title: endpoint.name.clone(), active: routes::EVENTS, flash, body: body.into_any() })
}
