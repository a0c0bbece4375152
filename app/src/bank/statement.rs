//! The upload of the bank's statement, and what may be wrong with one.

use backoffice::{bank::FileError, staff::Permission};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::UploadStatement;
use crate::{context::Ctx, flash::Flash};

pub fn error(ctx: &Ctx, error: FileError) -> String {
    let (key, line, most) = match error {
        FileError::Empty => ("statement-error-empty", None, None),
        FileError::TooLarge { .. } => ("statement-error-large", None, None),
        FileError::Workbook => ("statement-error-workbook", None, None),
        FileError::Encoding => ("statement-error-encoding", None, None),
        FileError::NoHead => ("statement-error-head", None, None),
        FileError::TooManyLines { most } => ("statement-error-many", None, Some(most)),
        FileError::Day { line } => ("statement-error-day", Some(line), None),
        FileError::Amount { line } => ("statement-error-amount", Some(line), None),
        FileError::Quote { line } => ("statement-error-quote", Some(line), None),
        FileError::NothingIn => ("statement-error-nothing", None, None),
    };
    let line = line.map(|line| line.to_string()).unwrap_or_default();
    let most = most.map(|most| most.to_string()).unwrap_or_default();
    ctx.words.get(key, &[("line", line), ("most", most)])
}

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
