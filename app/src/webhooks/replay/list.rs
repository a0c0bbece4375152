//! Looking into deliveries once more: what a filter finds, before it is done, and what was done before.

use backoffice::{
    staff::Permission,
    webhooks::{Replay, ReplayState, shortened},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{GoOnWithReplay, StartReplay, StopReplay},
    messages,
};
use crate::{
    components::{
        badge, errors,
        layout::{Answer, Frame},
        list::{self, Query},
    },
    context::Ctx,
    format,
    islands::Progress,
    routes, webhooks,
};

/// The filter in words: what stands in the address, or "everything".
fn said(ctx: &Ctx, query: &Query) -> String {
    let parts: Vec<String> = webhooks::list::FILTERS
        .iter()
        .filter_map(|name| {
            let value = query.get(name)?;
            Some(match *name {
                "event" => ctx.words.word("event-type", &value),
                "state" => badge::delivery_state(ctx, &value).1,
                "badge" => badge::trust(ctx, &value).1,
                "from" => ctx.tr("replay-from", &[("day", value)]),
                "to" => ctx.tr("replay-to", &[("day", value)]),
                _ => shortened(&value),
            })
        })
        .collect();
    if parts.is_empty() { ctx.t("replay-everything") } else { parts.join(" · ") }
}

/// How many it would be, and the button.
async fn preview(ctx: &Ctx, query: &Query) -> Result<AnyView, backoffice::Fault> {
    let (filter, wrong) = webhooks::list::filter(ctx, query);
    if let Some(message) = wrong.errors.into_values().next() {
        return Ok(view! { <p class="notice bad" role="alert">{message}</p> }.into_any());
    }
    let count = ctx.books().count_for_replay(&filter).await?;
    let fields = webhooks::list::FILTERS
        .iter()
        .filter_map(|name| {
            let value = query.get(name)?;
            Some(view! { <input type="hidden" name=*name value=value/> })
        })
        .collect_view();
    let hint = if count == 0 { ctx.t("replay-nothing") } else { ctx.t("replay-hint") };
    let start = (count > 0 && ctx.may(Permission::LookUpAtToss)).then(|| {
        view! {
            <form method="post" action=ctx.href(StartReplay::PATH)>
                {fields}
                <button class="button" type="submit">{ctx.tr("replay-start", &[("count", count.to_string())])}</button>
            </form>
        }
    });
    let back = ctx.href(&format!("{}{}", routes::WEBHOOKS, query.with("", "")));
    Ok(view! {
        <section class="card pad">
            <h2>{ctx.tr("replay-count", &[("count", count.to_string())])}</h2>
            <p>{said(ctx, query)}</p>
            <p class="soft">{hint}</p>
            <div class="acts">{start} <a class="link" href=back>{ctx.t("replay-other-filter")}</a></div>
        </section>
    }
    .into_any())
}

fn row(ctx: &Ctx, replay: Replay) -> AnyView {
    let href = ctx.href(&routes::webhook_replay(&replay.id));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{said(ctx, &webhooks::list::query_of(&replay.filter))}</a></td>
            <td class="n amount">{format!("{} / {}", replay.done, replay.total)}</td>
            <td class="state">{badge::badge(messages::state(ctx, replay.state))}</td>
            <td class="what">{ctx.tr("replay-changed", &[("count", replay.changed.to_string())])}</td>
            <td class="buyer">{replay.created_by_name}</td>
            <td class="when">{list::time(replay.created_at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let preview = preview(&ctx, &query).await?;
    let rows = ctx.books().replays().await?.into_iter().map(|replay| row(&ctx, replay)).collect();
    let look = list::Look {
        path: routes::WEBHOOK_REPLAYS,
        class: "refund-rows",
        heads: vec![
            list::head(&ctx, "replay-filter"),
            list::figures(&ctx, "replay-deliveries"),
            list::head(&ctx, "col-status"),
            list::head(&ctx, "webhook-changed"),
            list::head(&ctx, "col-by"),
            list::head(&ctx, "col-at"),
        ],
        empty: (ctx.t("replays-empty"), ctx.t("replays-empty-hint")),
    };
    let body = view! {
        <h1>{ctx.t("nav-webhooks")}</h1>
        {webhooks::list::tabs(&ctx, routes::WEBHOOK_REPLAYS)}
        {preview}
        <section class="below">{list::table(look, rows)}</section>
    };
    Ok(Frame { title: ctx.t("nav-replays"), active: routes::WEBHOOKS, flash, body: body.into_any() })
}

/// One of them, while it runs and after.
pub async fn one(ctx: Ctx, id: String) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match uuid::Uuid::try_parse(&id) {
        Ok(id) => ctx.books().replay(id).await?,
        Err(_) => None,
    };
    let Some(replay) = found else { return Ok(errors::missing(&ctx, ctx.t("replay-not-found"))) };
    let now = messages::tick(&ctx, &replay);
    let act = |path: &str, class: &'static str, word: String| {
        ctx.may(Permission::LookUpAtToss).then(|| {
            view! {
                <form method="post" action=ctx.href(path)>
                    <input type="hidden" name="id" value=replay.id.to_string()/>
                    <button class=class type="submit">{word}</button>
                </form>
            }
        })
    };
    let acts = match replay.state {
        ReplayState::Running => act(StopReplay::PATH, "button danger", ctx.t("batch-stop")),
        ReplayState::Stopped => act(GoOnWithReplay::PATH, "button", ctx.t("batch-go-on")),
        ReplayState::Finished => None,
    };
    let query = webhooks::list::query_of(&replay.filter);
    let list = ctx.href(&format!("{}{}", routes::WEBHOOKS, query.with("", "")));
    let ended = replay.ended_at.map(format::short_time);
    let times =
        [Some(format::short_time(replay.created_at)), ended].into_iter().flatten().collect::<Vec<_>>();
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::WEBHOOK_REPLAYS)>{ctx.t("nav-replays")}</a>
            " / "
            <h1>{said(&ctx, &query)}</h1>
        </nav>
        <section class="card order-head">
            {badge::badge(messages::state(&ctx, replay.state))}
            <p class="soft">{format!("{} · {}", replay.created_by_name, times.join(" – "))}</p>
            <Progress of="replay".to_owned() id=replay.id.to_string() now=now label=ctx.t("nav-replays")/>
            <div class="acts">{acts} <a class="link" href=list>{ctx.t("replay-see-list")}</a></div>
        </section>
    };
    Ok(Frame { title: ctx.t("nav-replays"), active: routes::WEBHOOKS, flash, body: body.into_any() })
}
