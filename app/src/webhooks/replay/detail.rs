//! One replay: how far it is, and what it changed.

use backoffice::{staff::Permission, webhooks::ReplayState};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{GoOnWithReplay, StopReplay},
    list::describe,
    messages,
};
use crate::{
    components::{
        badge, errors,
        layout::{Answer, Frame},
    },
    context::Ctx,
    format,
    islands::Progress,
    routes,
    webhooks::filter,
};

/// One of them, while it runs and after.
pub async fn page(ctx: Ctx, id: String) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match uuid::Uuid::try_parse(&id) {
        Ok(id) => backoffice::webhooks::replay::get(ctx.backoffice(), id).await?,
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
    let actions = match replay.state {
        ReplayState::Running => act(StopReplay::PATH, "button danger", ctx.t("batch-stop")),
        ReplayState::Stopped => act(GoOnWithReplay::PATH, "button", ctx.t("batch-go-on")),
        ReplayState::Finished => None,
    };
    let query = filter::to_query(&replay.filter);
    let list = ctx.href(&format!("{}{}", routes::WEBHOOKS, query.with("", "")));
    let ended = replay.ended_at.map(format::short_time);
    let times =
        [Some(format::short_time(replay.created_at)), ended].into_iter().flatten().collect::<Vec<_>>();
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::WEBHOOK_REPLAYS)>{ctx.t("nav-replays")}</a>
            " / "
            <h1>{describe(&ctx, &query)}</h1>
        </nav>
        <section class="card order-head">
            {badge::badge(messages::state(&ctx, replay.state))}
            <p class="soft">{format!("{} · {}", replay.created_by_name, times.join(" – "))}</p>
            <Progress of="replay".to_owned() id=replay.id.to_string() now=now label=ctx.t("nav-replays")/>
            <div class="actions">{actions} <a class="link" href=list>{ctx.t("replay-see-list")}</a></div>
        </section>
    };
    Ok(Frame { title: ctx.t("nav-replays"), active: routes::WEBHOOKS, flash, body: body.into_any() })
}
