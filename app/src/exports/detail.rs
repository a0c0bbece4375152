//! One export: how far it is, and where it is taken.

use backoffice::{exports::State, staff::Permission};
use leptos::prelude::*;

use super::{
    list::state,
    progress::{own, tick},
};
use crate::{
    components::{
        badge, errors,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    islands::Progress,
    routes,
};

fn size(bytes: i64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} kB", bytes / 1024),
        _ => format!("{} MB", bytes / 1_048_576),
    }
}

pub async fn page(ctx: Ctx, id: String) -> Answer {
    let Ok(actor) = ctx.allow(Permission::Export) else { return Ok(errors::forbidden(&ctx)) };
    let Some(export) = own(&ctx, &actor, &id).await? else {
        return Ok(errors::missing(&ctx, ctx.t("export-not-found")));
    };
    let flash = ctx.take_flash().await;
    let now = tick(&ctx, &export);
    let masked = if export.is_masked { "export-masked" } else { "export-is-unmasked" };
    let part = match export.state {
        State::Waiting | State::Running => view! {
            <Progress of="export".to_owned() id=export.id.to_string() now=now label=ctx.t("export-bar")/>
            <noscript><p class="soft">{ctx.t("export-reload")}</p></noscript>
        }
        .into_any(),
        State::Done => {
            let href = ctx.href(&routes::export_file(&export.id));
            let label = ctx.tr("export-take", &[("size", size(export.bytes))]);
            view! {
                <div class="actions"><a class="button" href=href download=export.file_name()>{label}</a></div>
                <p class="soft">{ctx.t("export-kept")}</p>
            }
            .into_any()
        }
        State::Failed => view! { <p class="notice bad" role="alert">{ctx.t("export-failed")}</p> }.into_any(),
        State::Gone => view! { <p class="soft">{ctx.t("export-gone")}</p> }.into_any(),
    };
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")><a href=ctx.href(routes::EXPORTS)>{ctx.t("exports-mine")}</a></nav>
        <h1>{export.title.clone()}</h1>
        <section class="card pad">
            {badge::badge(state(&ctx, export.state))}
            <dl class="facts">
                <dt>{ctx.t("export-format")}</dt><dd>{ctx.words.word("export-format", export.format.as_str())}</dd>
                <dt>{ctx.t("export-reason")}</dt><dd>{export.reason.clone()}</dd>
                <dt>{ctx.t("sum-rows")}</dt><dd>{export.rows}</dd>
                <dt>{ctx.t("export-personal")}</dt><dd>{ctx.words.get(masked, &[])}</dd>
                <dt>{ctx.t("col-requested-at")}</dt><dd>{list::time(export.requested_at)}</dd>
            </dl>
            {part}
        </section>
    };
    Ok(Frame { title: export.title, active: "", flash, body: body.into_any() })
}
