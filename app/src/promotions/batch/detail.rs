//! One file of grants: what would happen line by line, then how far it is.

use backoffice::{
    promotions::batch::{Batch, Line},
    refunds::batch::State,
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{ApproveGrants, DeclineGrants, StartGrants, StopGrants},
    progress::tick,
};
use crate::{
    components::{
        badge, errors,
        layout::{Answer, Frame},
        list::{self, Query},
    },
    context::Ctx,
    format,
    islands::Progress,
    promotions::messages::{self, points},
    routes,
};

/// Lines on a page.
const LINES: usize = 100;

fn actions(ctx: &Ctx, batch: &Batch) -> AnyView {
    let own = ctx.is_me(batch.created_by);
    let button = |path: &'static str, class: &'static str, word: String| {
        view! {
            <form method="post" action=ctx.href(path)>
                <input type="hidden" name="id" value=batch.id.to_string()/>
                <button class=class type="submit">{word}</button>
            </form>
        }
        .into_any()
    };
    let sum = [("count", batch.ready.to_string()), ("amount", points(batch.ready_amount))];
    match batch.state {
        State::Previewed if batch.ready == 0 => {
            view! { <p class="soft">{ctx.t("grants-nothing")}</p> }.into_any()
        }
        State::Previewed if own => button(StartGrants::PATH, "button", ctx.tr("grants-start", &sum)),
        State::Stopped if own => button(StartGrants::PATH, "button", ctx.t("batch-go-on")),
        State::Running if ctx.may(Permission::Grant) => {
            button(StopGrants::PATH, "button danger", ctx.t("batch-stop"))
        }
        State::WaitingForApproval if own => {
            view! { <p class="soft">{ctx.t("refund-waiting-own")}</p> }.into_any()
        }
        State::WaitingForApproval if ctx.may(Permission::ManageCampaigns) => view! {
            {button(ApproveGrants::PATH, "button", ctx.tr("grants-approve", &sum))}
            {button(DeclineGrants::PATH, "button quiet", ctx.t("refund-decline"))}
        }
        .into_any(),
        State::WaitingForApproval => view! { <p class="soft">{ctx.t("refund-waiting-other")}</p> }.into_any(),
        _ => ().into_any(),
    }
}

fn row(ctx: &Ctx, batch: State, line: Line) -> AnyView {
    let (state, note) = match (&line.grant, &line.why) {
        (Some(state), _) => {
            let said = format::with_code(line.error.as_deref(), line.code.as_deref());
            (messages::state(ctx, *state), said.unwrap_or_default())
        }
        (None, Some(why)) => (("failed", ctx.t("grants-line-refused")), messages::line_refused(ctx, why)),
        (None, None) if batch == State::Declined => (("ended", ctx.t("grants-line-refused")), String::new()),
        (None, None) => (("waiting", ctx.t("grants-line-ready")), String::new()),
    };
    view! {
        <tr>
            <td class="n">{line.line}</td>
            <td class="id"><code>{line.user_key}</code></td>
            <td class="n amount">{line.amount.map(points).unwrap_or_default()}</td>
            <td class="state">{badge::badge(state)}</td>
            <td class="what">{note}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, id: String, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match uuid::Uuid::parse_str(&id) {
        Ok(id) => backoffice::promotions::batch::get(ctx.backoffice(), id).await?,
        Err(_) => None,
    };
    let Some(batch) = found else { return Ok(errors::missing(&ctx, ctx.t("batch-not-found"))) };
    let done = backoffice::promotions::batch::progress(ctx.backoffice(), batch.id).await?;
    let after = query.get("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let mut lines = backoffice::promotions::batch::lines(ctx.backoffice(), batch.id, after, 101).await?;
    let path = routes::grant_batch(&batch.id);
    let more = lines.len() > LINES;
    lines.truncate(LINES);
    let next = lines.last().filter(|_| more).map(|last| {
        let href = ctx.href(&format!("{path}?after={}", last.line));
        view! {
            <nav class="pager" aria-label=ctx.t("pager")>
                <span class="soft"></span>
                <a class="button quiet" rel="next" href=href>{ctx.t("older")}</a>
            </nav>
        }
    });
    let spec = list::ListSpec {
        path: &path,
        class: "batch-rows",
        headers: vec![
            list::figures(&ctx, "col-line"),
            ("userKey".into(), false),
            list::figures(&ctx, "campaign-amount"),
            list::head(&ctx, "col-status"),
            list::head(&ctx, "col-detail"),
        ],
        empty: (ctx.t("batch-no-lines"), String::new()),
    };
    let rows = lines.into_iter().map(|line| row(&ctx, batch.state, line)).collect();
    let approved = batch.approved_by_name.clone().map(|by| ctx.tr("batch-approved-by", &[("by", by)]));
    let facts = [
        Some(format!("{} · {}", batch.created_by_name, format::short_time(batch.created_at))),
        Some(batch.event.clone()),
        approved,
    ];
    let begun = matches!(batch.state, State::Running | State::Stopped | State::Finished);
    let now = tick(&ctx, &done, batch.state);
    let campaign = ctx.href(&routes::campaign(&batch.promotion_code));
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::PROMOTIONS)>{ctx.t("nav-promotions")}</a>
            " / "
            <a href=campaign><code>{batch.promotion_code.clone()}</code></a>
            " / "
            <h1>{batch.file_name.clone()}</h1>
        </nav>
        <section class="card order-head">
            {badge::badge(badge::batch_state(&ctx, batch.state))}
            <p class="sum">
                <strong>{points(batch.ready_amount)}</strong>
                <span class="soft">
                    {ctx.tr("grants-lines", &[("ready", batch.ready.to_string()), ("lines", batch.lines.to_string())])}
                </span>
            </p>
            <p class="soft">{facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")}</p>
            {begun.then(|| view! { <Progress of="grants".to_owned() id=batch.id.to_string() now=now label=ctx.t("grants-bar")/> })}
            <div class="actions">{actions(&ctx, &batch)}</div>
        </section>
        {list::table(spec, rows)}
        {next}
    };
    Ok(Frame { title: batch.file_name, active: routes::PROMOTIONS, flash, body: body.into_any() })
}
