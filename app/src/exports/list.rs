//! Files that somebody asked for: how far each is, and where it is taken. Nobody sees those of others.

use backoffice::{
    Actor, Fault,
    exports::{Export, State},
    staff::Permission,
};
use leptos::prelude::*;

use crate::{
    components::{
        badge, errors,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    islands::Progress,
    progress::Tick,
    routes,
};

/// An export of whoever asks.
pub async fn own(ctx: &Ctx, actor: &Actor, id: &str) -> Result<Option<Export>, Fault> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let export = ctx.books().export(id).await?;
    Ok(export.filter(|export| export.asked_by.is_some() && export.asked_by == actor.staff_id()))
}

pub fn tick(ctx: &Ctx, export: &Export) -> Tick {
    Tick {
        done: export.rows,
        // Lists are not counted before they are read.
        lines: 0,
        words: ctx.tr("export-rows", &[("count", export.rows.to_string())]),
        running: export.state.is_under_way(),
    }
}

fn state(ctx: &Ctx, state: State) -> (&'static str, String) {
    let tone = match state {
        State::Waiting | State::Running => "waiting",
        State::Done => "done",
        State::Failed => "failed",
        State::Gone => "ended",
    };
    (tone, ctx.words.word("export-state", state.as_str()))
}

fn size(bytes: i64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} kB", bytes / 1024),
        _ => format!("{} MB", bytes / 1_048_576),
    }
}

fn row(ctx: &Ctx, export: Export) -> AnyView {
    let href = ctx.href(&routes::export(&export.id));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{export.title}</a></td>
            <td class="state">{badge::badge(state(ctx, export.state))}</td>
            <td class="what">{export.reason}</td>
            <td class="n amount">{export.rows}</td>
            <td class="when">{list::time(export.asked_at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let staff = ctx.visitor.staff.as_ref().map(|staff| staff.id);
    let exports = match staff {
        Some(staff) => ctx.books().exports_of(staff).await?,
        None => Vec::new(),
    };
    let look = list::Look {
        path: routes::EXPORTS,
        class: "export-rows",
        heads: vec![
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
        {list::table(look, rows)}
    };
    Ok(Frame { title: ctx.t("exports-mine"), active: "", flash, body: body.into_any() })
}

pub async fn one(ctx: Ctx, id: String) -> Answer {
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
                <div class="acts"><a class="button" href=href download=export.file_name()>{label}</a></div>
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
                <dt>{ctx.t("col-requested-at")}</dt><dd>{list::time(export.asked_at)}</dd>
            </dl>
            {part}
        </section>
    };
    Ok(Frame { title: export.title, active: "", flash, body: body.into_any() })
}
