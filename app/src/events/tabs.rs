//! Events, and where they go.

use leptos::prelude::*;

use crate::{components::layout, context::Ctx, routes};

pub fn tabs(ctx: &Ctx, active: &str) -> AnyView {
    let views = [(routes::EVENTS, "nav-events"), (routes::EVENT_ENDPOINTS, "event-endpoints")];
    layout::tabs(ctx, "nav-events", &views, active)
}
