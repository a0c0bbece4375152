//! What the log and the record of who saw what have in common: rows by their number in the log, newest first, and the way out as a
//! file.

use backoffice::page::{BadCursor, Page};
use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    components::{
        badge::badge,
        export,
        layout::Frame,
        list::{self, ListSpec, Query},
    },
    context::Ctx,
    flash::Flash,
    routes,
};

/// How one of the two looks.
pub(super) struct Look {
    pub path: &'static str,
    pub title: &'static str,
    /// Of the columns between the number and the moment.
    pub heads: [&'static str; 4],
    pub empty: &'static str,
    /// What it is called as a file.
    pub export: &'static str,
}

impl Look {
    pub fn spec(&self, ctx: &Ctx) -> ListSpec<'static> {
        let mut headers = vec![("#".to_owned(), true)];
        headers.extend(self.heads.into_iter().chain(["col-at"]).map(|key| list::head(ctx, key)));
        ListSpec {
            path: self.path,
            class: "audit-rows",
            headers,
            empty: (ctx.words.get(self.empty, &[]), ctx.t("audit-empty-hint")),
        }
    }

    /// The page, with `heading` above its rows.
    pub fn frame<T>(
        &self,
        ctx: &Ctx,
        query: &Query,
        heading: AnyView,
        flash: Flash,
        page: Result<Page<T>, BadCursor>,
        row: impl Fn(&Ctx, T) -> AnyView,
    ) -> Frame {
        let rows = match page {
            Err(BadCursor) => list::bad_cursor(ctx, self.path),
            Ok(page) => view! {
                {list::view(ctx, query, self.spec(ctx), page, row)}
                {export::form(ctx, self.export, query)}
            }
            .into_any(),
        };
        let body = view! { {heading} {rows} }.into_any();
        Frame { title: ctx.words.get(self.title, &[]), active: self.path, flash, body }
    }
}

/// What stands in a row.
pub(super) struct Cells {
    pub seq: i64,
    pub by: AnyView,
    /// What was done, and its colour.
    pub what: (&'static str, String),
    pub subject: AnyView,
    pub detail: AnyView,
    pub at: OffsetDateTime,
}

pub(super) fn row(ctx: &Ctx, cells: Cells) -> AnyView {
    view! {
        <tr>
            <td class="n seq"><a href=ctx.href(&routes::audit_row(cells.seq))>{cells.seq}</a></td>
            <td class="id">{cells.by}</td>
            <td class="state">{badge(cells.what)}</td>
            <td class="subject">{cells.subject}</td>
            <td class="what detail">{cells.detail}</td>
            <td class="when">{list::time(cells.at)}</td>
        </tr>
    }
    .into_any()
}
