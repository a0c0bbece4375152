//! What came back and is not paid back yet, worst first.

use backoffice::returns::Return;
use leptos::prelude::*;

use super::clock;
use crate::{
    components::{
        badge,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    format, refunds, routes,
};

fn row(ctx: &Ctx, kept: Return) -> AnyView {
    let href = ctx.href(&format!("{}#refund", routes::order(&kept.order_id)));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{kept.order_id.clone()}</code></a></td>
            <td class="state">{badge::badge(clock::left(ctx, &kept))}</td>
            <td class="what">{ctx.words.word("return", &kept.kind)} " " {kept.note.clone()}</td>
            <td class="buyer">{kept.recorded_by_name.clone()}</td>
            <td class="when">{format::iso_day(kept.received_on)}</td>
            <td class="n amount">{format::iso_day(kept.due_on)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let open = backoffice::returns::list_open(ctx.backoffice()).await?;
    let rows = open.into_iter().map(|kept| row(&ctx, kept)).collect();
    let spec = list::ListSpec {
        path: routes::RETURNS,
        class: "return-rows",
        headers: vec![
            list::head(&ctx, "col-order"),
            list::head(&ctx, "col-left-days"),
            list::head(&ctx, "return-kind"),
            list::head(&ctx, "col-by"),
            list::head(&ctx, "return-day"),
            list::figures(&ctx, "col-due"),
        ],
        empty: (ctx.t("returns-empty"), ctx.t("returns-empty-hint")),
    };
    let body = view! {
        <h1>{ctx.t("nav-refunds")}</h1>
        {refunds::tabs::tabs(&ctx, routes::RETURNS)}
        <p class="soft lead">{ctx.t("returns-law")}</p>
        {list::table(spec, rows)}
    };
    Ok(Frame { title: ctx.t("nav-returns"), active: routes::REFUNDS, flash, body: body.into_any() })
}
