//! What is masked is shown to whoever may see it and says why.

use backoffice::staff::Permission;
use leptos::prelude::*;

use super::form::Field;
use crate::{context::Ctx, flash::Flash};

/// Asks for the reason. `path` is that of the function, `name` of the field that says whose data it is.
pub fn form(
    ctx: &Ctx,
    path: &str,
    (name, value): (&'static str, String),
    label: String,
    flash: &Flash,
) -> AnyView {
    if !ctx.may(Permission::RevealPersonal) {
        return ().into_any();
    }
    // Another form of the page may have left its answer.
    let flash = if flash.form == "reveal" { flash.clone() } else { Flash::default() };
    let why =
        Field { hint: Some(ctx.t("profile-why-hint")), ..Field::text("why", ctx.t("profile-why"), &flash) };
    view! {
        <details open=flash.is_error>
            <summary>{label.clone()}</summary>
            <form method="post" action=ctx.href(path)>
                <input type="hidden" name=name value=value/>
                {why.view()}
                <button class="button quiet" type="submit">{label}</button>
            </form>
        </details>
    }
    .into_any()
}
