//! The views of people and rights.

use leptos::prelude::*;

use crate::{components::layout, context::Ctx, routes};

pub fn tabs(ctx: &Ctx, active: &str) -> AnyView {
    let tabs = [(routes::STAFF, "staff-people"), (routes::ROLES, "roles"), (routes::RIGHTS, "rights")];
    let open: Vec<_> = tabs.into_iter().filter(|(path, _)| ctx.may_open(path)).collect();
    layout::tabs(ctx, "nav-staff", &open, active)
}
