//! The form that says from where somebody may come in.

use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::SetAddresses;
use crate::{components::form::Field, context::Ctx, flash::Flash};

/// `whose` is `person` or `role`.
pub fn form(ctx: &Ctx, whose: &'static str, id: &str, nets: &[String], flash: &Flash) -> AnyView {
    let name = format!("addresses-{id}");
    let none = Flash::default();
    let flash = if flash.form == name && flash.is_error { flash } else { &none };
    let hint = if whose == "person" { "addresses-hint-person" } else { "addresses-hint" };
    let field = Field {
        value: nets.join("\n"),
        hint: Some(ctx.words.get(hint, &[("ip", ctx.visitor.ip.clone())])),
        id: Some(name.clone()),
        lines: 2,
        ..Field::text("allowed_ips", ctx.t("addresses"), flash)
    };
    view! {
        <form class="pad" method="post" action=ctx.href(SetAddresses::PATH) id=name>
            <input type="hidden" name="whose" value=whose/>
            <input type="hidden" name="id" value=id.to_owned()/>
            {field.view()}
            <button class="button quiet" type="submit">{ctx.t("keep")}</button>
        </form>
    }
    .into_any()
}
