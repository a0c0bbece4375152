//! The views of finance.

use leptos::prelude::*;

use crate::{components::layout, context::Ctx, routes};

pub fn tabs(ctx: &Ctx, active: &str) -> AnyView {
    let tabs = [
        (routes::RECONCILIATION, "reconciliation-calendar"),
        (routes::DIFFERENCES, "reconciliation-differences"),
        (routes::PAYOUTS, "reconciliation-payouts"),
        (routes::CASH_RECEIPTS, "cash-receipts"),
        (routes::REPORTS, "reconciliation-reports"),
        (routes::CONTRACT, "reconciliation-contract"),
    ];
    let open: Vec<_> = tabs.into_iter().filter(|(path, _)| ctx.may_open(path)).collect();
    layout::tabs(ctx, "nav-reconciliation", &open, active)
}
