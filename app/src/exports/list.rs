//! Files that somebody asked for. Nobody sees those of others.

use backoffice::exports::{Export, State};
use leptos::prelude::*;

use crate::{
    components::{
        badge,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    routes,
};

pub fn state(ctx: &Ctx, state: State) -> (&'static str, String) {
    let tone = match state {
        State::Waiting | State::Running => "waiting",
        State::Done => "done",
        State::Failed => "failed",
        State::Gone => "ended",
    };
    (tone, ctx.words.word("export-state", state.as_str()))
}

fn row(ctx: &Ctx, export: Export) -> AnyView {
    let href = ctx.href(&routes::export(&export.id));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{export.title}</a></td>
            <td class="state">{badge::badge(state(ctx, export.state))}</td>
            <td class="what">{export.reason}</td>
            <td class="n amount">{export.rows}</td>
            <td class="when">{list::time(export.requested_at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let staff = ctx.visitor.staff.as_ref().map(|staff| staff.id);
    let exports = match staff {
        Some(staff) => backoffice::exports::of_staff(ctx.backoffice(), staff).await?,
        None => Vec::new(),
    };
    let spec = list::ListSpec {
        path: routes::EXPORTS,
        class: "export-rows",
        headers: vec![
            list::head(&ctx, "export-what"),
            list::head(&ctx, "col-status"),
            list::head(&ctx, "export-reason"),
            list::figures(&ctx, "sum-rows"),
            list::head(&ctx, "col-requested-at"),
        ],
        empty: (ctx.t("exports-empty"), ctx.t("exports-empty-hint")),
    };
    let rows = exports.into_iter().map(|export| row(&ctx, export)).collect();
    let body = view! {
        <h1>{ctx.t("exports-mine")}</h1>
        <p class="soft lead">{ctx.t("exports-hint")}</p>
        {list::table(spec, rows)}
    };
    Ok(Frame { title: ctx.t("exports-mine"), active: "", flash, body: body.into_any() })
}
