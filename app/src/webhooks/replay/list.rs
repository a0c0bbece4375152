//! Looking into deliveries once more: what a filter finds, before it is done, and what was done before.

use backoffice::{
    staff::Permission,
    webhooks::{Replay, shortened},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{functions::StartReplay, messages};
use crate::{
    components::{
        badge,
        layout::{Answer, Frame},
        list::{self, Query},
    },
    context::Ctx,
    routes,
    webhooks::{filter, tabs},
};

/// The filter in words: what stands in the address, or "everything".
pub fn describe(ctx: &Ctx, query: &Query) -> String {
    let parts: Vec<String> = filter::NAMES
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
    let (filter, wrong) = filter::from_query(ctx, query);
    if let Some(message) = wrong.errors.into_values().next() {
        return Ok(view! { <p class="notice bad" role="alert">{message}</p> }.into_any());
    }
    let count = backoffice::webhooks::replay::count(ctx.backoffice(), &filter).await?;
    let fields = filter::NAMES
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
            <p>{describe(ctx, query)}</p>
            <p class="soft">{hint}</p>
            <div class="actions">{start} <a class="link" href=back>{ctx.t("replay-other-filter")}</a></div>
        </section>
    }
    .into_any())
}

fn row(ctx: &Ctx, replay: Replay) -> AnyView {
    let href = ctx.href(&routes::webhook_replay(&replay.id));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{describe(ctx, &filter::to_query(&replay.filter))}</a></td>
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
    let rows = backoffice::webhooks::replay::list(ctx.backoffice())
        .await?
        .into_iter()
        .map(|replay| row(&ctx, replay))
        .collect();
    let spec = list::ListSpec {
        path: routes::WEBHOOK_REPLAYS,
        class: "refund-rows",
        headers: vec![
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
        {tabs::tabs(&ctx, routes::WEBHOOK_REPLAYS)}
        {preview}
        <section class="below">{list::table(spec, rows)}</section>
    };
    Ok(Frame { title: ctx.t("nav-replays"), active: routes::WEBHOOKS, flash, body: body.into_any() })
}
