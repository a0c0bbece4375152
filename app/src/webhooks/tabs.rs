//! The views of deliveries.

use leptos::prelude::*;

use crate::{components::layout, context::Ctx, routes};

pub fn tabs(ctx: &Ctx, active: &str) -> AnyView {
    let views = [
        (routes::WEBHOOKS, "webhooks-came"),
        (routes::MISSING_EVENTS, "nav-missing"),
        (routes::WEBHOOK_REPLAYS, "nav-replays"),
    ];
    layout::tabs(ctx, "nav-webhooks", &views, active)
}
