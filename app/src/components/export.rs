//! The way out of a list or report: format and reason, and a job writes the file.

use backoffice::{exports::sheet::Format, staff::Permission};
use leptos::prelude::*;

use super::list::Query;
use crate::{context::Ctx, routes};

/// `list` is a name of `exports::request::what`; the query is that of the page.
pub fn form(ctx: &Ctx, list: &'static str, query: &Query) -> AnyView {
    if !ctx.may(Permission::Export) {
        return ().into_any();
    }
    let filter = query.with("at", "");
    let reason = format!("export-{list}-reason");
    let formats = Format::ALL
        .map(|format| {
            let word = ctx.words.word("export-format", format.as_str());
            view! { <option value=format.as_str()>{word}</option> }
        })
        .collect_view();
    let personal = (list == "orders" && ctx.may(Permission::RevealPersonal)).then(|| {
        view! {
            <label class="check">
                <input type="checkbox" name="unmasked" value="1"/>
                <span>{ctx.t("export-unmasked")}</span>
            </label>
        }
    });
    view! {
        <details class="export">
            <summary>{ctx.words.get(&format!("export-{}", list.replace('_', "-")), &[])}</summary>
            <form class="filters" method="post" action=ctx.href(routes::ASK_FOR_EXPORT)>
                <input type="hidden" name="list" value=list/>
                <input type="hidden" name="filter" value=filter/>
                <label class="field">
                    <span class="label">{ctx.t("export-reason")}</span>
                    <input name="reason" required autocomplete="off" id=reason/>
                </label>
                <label class="field">
                    <span class="label">{ctx.t("export-format")}</span>
                    <select name="format">{formats}</select>
                </label>
                {personal}
                <div class="filter-actions">
                    <button class="button quiet" type="submit">{ctx.t("export-do")}</button>
                    <a class="link" href=ctx.href(routes::EXPORTS)>{ctx.t("exports-mine")}</a>
                </div>
            </form>
        </details>
    }
    .into_any()
}
