//! One key: what it opens, its secrets, what was called with it last, and what can be done with it.

use backoffice::{
    Fault,
    api_keys::{self, ApiKey, Filter},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    form,
    functions::{ChangeApiKey, RevokeApiKey, RotateApiKey},
    requests, words,
};
use crate::{
    components::{
        badge::badge,
        errors,
        layout::{Answer, Frame},
        list, once,
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

/// Calls that are shown; the rest is behind a link.
const SHOWN: usize = 10;

fn head(ctx: &Ctx, key: &ApiKey) -> AnyView {
    let fact = |word: &str, value: AnyView| {
        view! {
            <dt>{ctx.words.get(word, &[])}</dt>
            <dd>{value}</dd>
        }
    };
    let time = |at: Option<time::OffsetDateTime>, none: &str| {
        at.map_or_else(|| ctx.words.get(none, &[]), format::full_time).into_any()
    };
    let limits = words::limits(ctx, key);
    let limits = (!limits.is_empty()).then(|| fact("api-key-limits", limits.join(" · ").into_any()));
    let made = format!("{} · {}", key.created_by_name, format::full_time(key.created_at));
    let revoked = key.revoked_at.map(|at| {
        let by = key.revoked_by_name.clone().unwrap_or_default();
        fact("api-key-revoked", format!("{by} · {}", format::full_time(at)).into_any())
    });
    let revoke = (ctx.may(Permission::ManageApiKeys) && key.revoked_at.is_none()).then(|| {
        let sure = ctx.tr("api-key-revoke-sure", &[("name", key.name.clone())]);
        view! { <div class="actions">{once::confirmed(ctx, RevokeApiKey::PATH, &key.id, "api-key-revoke", sure)}</div> }
    });
    view! {
        <section class="card order-head">
            {badge(words::state(ctx, key))}
            <dl class="facts">
                {fact("api-key-scopes", words::scopes(ctx, key).into_any())}
                {limits}
                {fact("api-key-until", time(key.expires_at, "api-key-forever"))}
                {fact("api-key-last-used", time(key.last_used_at, "never"))}
                {fact("api-key-made-by", made.into_any())}
                {revoked}
            </dl>
            {revoke}
        </section>
    }
    .into_any()
}

fn secrets(ctx: &Ctx, key: &ApiKey) -> AnyView {
    let lines = key
        .secrets
        .iter()
        .map(|secret| {
            let made = ctx.tr("endpoint-secret-made", &[("time", format::full_time(secret.made_at))]);
            let used = match secret.last_used_at {
                Some(at) => ctx.tr("api-key-secret-used", &[("time", format::short_time(at))]),
                None => ctx.t("api-key-secret-unused"),
            };
            let state = match secret.ends_at {
                None => badge(("done", ctx.t("endpoint-secret-current"))),
                Some(ends) => {
                    let until = ctx.tr("api-key-secret-until", &[("time", format::short_time(ends))]);
                    badge(("waiting", until))
                }
            };
            let ending = format!("…{}", secret.ending);
            view! { <li>{state} " " <code>{ending}</code> " " <span class="soft">{made} " · " {used}</span></li> }
        })
        .collect_view();
    let rotate = ctx.may(Permission::ManageApiKeys).then(|| {
        let sure = ctx.t("api-key-rotate-sure");
        once::confirmed(ctx, RotateApiKey::PATH, &key.id, "api-key-rotate", sure)
    });
    view! {
        <section class="card">
            <h2>{ctx.t("api-key-secrets")}</h2>
            <div class="pad stack">
                <ul class="attempts">{lines}</ul>
                {rotate}
            </div>
        </section>
    }
    .into_any()
}

fn change(ctx: &Ctx, key: &ApiKey, flash: &Flash) -> AnyView {
    let none = Flash::default();
    let flash = if flash.form == "api-key-change" && flash.is_error { flash } else { &none };
    view! {
        <section class="card" id="change">
            <h2>{ctx.t("api-key-change")}</h2>
            <form class="pad" method="post" action=ctx.href(ChangeApiKey::PATH)>
                <input type="hidden" name="id" value=key.id.to_string()/>
                {form::fields(ctx, Some(key), flash)}
                <button class="button" type="submit">{ctx.t("keep")}</button>
            </form>
        </section>
    }
    .into_any()
}

/// The last that was called with it.
async fn last(ctx: &Ctx, key: &ApiKey) -> Result<AnyView, Fault> {
    let filter = Filter { key: Some(key.id), ..Filter::default() };
    let page = api_keys::requests(ctx.backoffice(), &filter, None, SHOWN).await?;
    let spec = list::ListSpec {
        empty: (ctx.t("api-key-called-nothing"), ctx.t("api-key-called-nothing-hint")),
        ..requests::spec(ctx)
    };
    let rows = page.rows.into_iter().map(|row| requests::row(ctx, row)).collect();
    let all = ctx.href(&format!("{}?key={}", routes::API_REQUESTS, key.id));
    Ok(view! {
        <section class="below">
            <div class="read-line">
                <h2>{ctx.t("api-key-called")}</h2>
                <a href=all>{ctx.t("api-requests-all")}</a>
            </div>
            {list::table(spec, rows)}
        </section>
    }
    .into_any())
}

pub async fn page(ctx: Ctx, id: String) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match uuid::Uuid::try_parse(&id) {
        Ok(id) => api_keys::get(ctx.backoffice(), id).await?,
        Err(_) => None,
    };
    let Some(key) = found else { return Ok(errors::missing(&ctx, ctx.t("api-key-error-gone"))) };
    let is_there = key.revoked_at.is_none();
    let may_change = is_there && ctx.may(Permission::ManageApiKeys);
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::API_KEYS)>{ctx.t("nav-api-keys")}</a>
            " / "
            <h1>{key.name.clone()}</h1>
        </nav>
        {once::shown(&ctx, &flash, "secret", "api-key-secret", "api-key-secret-once")}
        <div class="two even">
            <div class="stack">
                {head(&ctx, &key)}
                {is_there.then(|| secrets(&ctx, &key))}
            </div>
            <div class="stack">{may_change.then(|| change(&ctx, &key, &flash))}</div>
        </div>
        {last(&ctx, &key).await?}
    };
    Ok(Frame { title: key.name.clone(), active: routes::API_KEYS, flash, body: body.into_any() })
}
