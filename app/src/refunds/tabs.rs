//! The views of refunds.

use leptos::prelude::*;

use crate::{components::layout, context::Ctx, routes};

/// The four views of refunds.
pub fn tabs(ctx: &Ctx, active: &str) -> AnyView {
    let views = [
        (routes::REFUNDS, "refunds-all"),
        (routes::RETURNS, "nav-returns"),
        (routes::REFUND_BATCHES, "nav-batches"),
        (routes::REFUND_REASONS, "refund-by-reason"),
    ];
    layout::tabs(ctx, "nav-refunds", &views, active)
}
