//! What was told of one order, beside its story.

use backoffice::events::{self, Filter, Told, data::order_subject};
use leptos::prelude::*;

use super::words;
use crate::{components::list, context::Ctx, routes};

/// Events that are shown; the rest is behind a link.
const SHOWN: usize = 5;

fn line(ctx: &Ctx, told: &Told) -> AnyView {
    let event = &told.event;
    let href = ctx.href(&routes::event(&event.id));
    view! {
        <li>
            <a href=href>{words::kind(ctx, event.kind)}</a>
            <span>{words::told(ctx, told)}</span>
            <span class="when soft">{list::time(event.at)}</span>
        </li>
    }
    .into_any()
}

pub async fn view(ctx: &Ctx, order_id: &str) -> Result<AnyView, backoffice::Fault> {
    let filter = Filter { subject: Some(order_subject(order_id)), ..Filter::default() };
    let page = events::list(ctx.backoffice(), &filter, None, SHOWN).await?;
    if page.rows.is_empty() {
        return Ok(().into_any());
    }
    let lines = page.rows.iter().map(|told| line(ctx, told)).collect_view();
    let all = ctx.href(&format!("{}?order={}", routes::EVENTS, routes::encode(order_id)));
    Ok(view! {
        <section class="card">
            <h2>{ctx.t("nav-events")} " " <small><a href=all>{ctx.t("events-of-order")}</a></small></h2>
            <ul class="told-lines">{lines}</ul>
        </section>
    }
    .into_any())
}
