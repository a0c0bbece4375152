//! The form that uploads the bank's statement.

use backoffice::staff::Permission;
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::UploadStatement;
use crate::{context::Ctx, flash::Flash};

pub fn form(ctx: &Ctx, flash: &Flash) -> AnyView {
    if !ctx.may(Permission::Reconcile) {
        return ().into_any();
    }
    let wrong = flash.error("file");
    let invalid = if wrong.is_some() { "true" } else { "false" };
    let note_class = if wrong.is_some() { "note error" } else { "note" };
    let note = wrong.unwrap_or_else(|| ctx.t("statement-hint"));
    view! {
        <section class="card" id="statement">
            <h2>{ctx.t("statement")}</h2>
            <form class="pad" method="post" action=ctx.href(UploadStatement::PATH) enctype="multipart/form-data">
                <label class="field">
                    <span class="label">{ctx.t("statement-file")}</span>
                    <input type="file" name="file" accept=".csv,.txt,.tsv,text/csv" aria-invalid=invalid aria-describedby="statement-note"/>
                    <span class=note_class id="statement-note">{note}</span>
                </label>
                <button class="button quiet" type="submit">{ctx.t("statement-do")}</button>
            </form>
        </section>
    }
    .into_any()
}
