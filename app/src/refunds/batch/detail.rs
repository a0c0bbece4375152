//! One file of refunds: what would happen line by line, then how far it is.

use backoffice::{
    refunds::batch::{Batch, Line, Progress as Done, State},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{ApproveBatch, DeclineBatch, StartBatch, StopBatch},
    progress::tick,
};
use crate::{
    components::{
        badge, errors,
        form::Field,
        layout::{Answer, Frame},
        list::{self, Query},
    },
    context::Ctx,
    flash::Flash,
    format,
    islands::Progress,
    refunds::messages,
    routes,
};

/// Lines on a page.
const LINES: i64 = 100;

fn button(ctx: &Ctx, path: &str, id: &str, class: &'static str, word: String) -> AnyView {
    view! {
        <form method="post" action=ctx.href(path)>
            <input type="hidden" name="id" value=id.to_owned()/>
            <button class=class type="submit">{word}</button>
        </form>
    }
    .into_any()
}

/// What may be done with it now, by whoever looks at it.
fn actions(ctx: &Ctx, batch: &Batch, done: &Done, flash: &Flash) -> AnyView {
    let id = batch.id.to_string();
    let own = ctx.is_me(batch.created_by);
    let foreign = (done.foreign > 0).then(|| ctx.tr("batch-foreign", &[("count", done.foreign.to_string())]));
    let won = format::amount(ctx.words, done.ready_amount, "KRW");
    let money = [
        ("count", done.ready.to_string()),
        ("amount", [Some(won), foreign].into_iter().flatten().collect::<Vec<_>>().join(" ")),
    ];
    match batch.state {
        State::Previewed if done.ready == 0 => {
            view! { <p class="soft">{ctx.t("batch-nothing-to-do")}</p> }.into_any()
        }
        State::Previewed if own => {
            button(ctx, StartBatch::PATH, &id, "button", ctx.tr("batch-start", &money))
        }
        State::Stopped if own => button(ctx, StartBatch::PATH, &id, "button", ctx.t("batch-go-on")),
        State::Running if ctx.may(Permission::Refund) => {
            button(ctx, StopBatch::PATH, &id, "button danger", ctx.t("batch-stop"))
        }
        State::WaitingForApproval if own => {
            view! { <p class="soft">{ctx.t("refund-waiting-own")}</p> }.into_any()
        }
        State::WaitingForApproval if !ctx.may(Permission::ApproveRefund) => {
            view! { <p class="soft">{ctx.t("refund-waiting-other")}</p> }.into_any()
        }
        State::WaitingForApproval => view! {
            {button(ctx, ApproveBatch::PATH, &id, "button", ctx.tr("batch-approve", &money))}
            <form class="decline" method="post" action=ctx.href(DeclineBatch::PATH)>
                <input type="hidden" name="id" value=id.clone()/>
                {Field::text("note", ctx.t("refund-decline-why"), flash).view()}
                <button class="button quiet" type="submit">{ctx.t("refund-decline")}</button>
            </form>
        }
        .into_any(),
        _ => ().into_any(),
    }
}

fn row(ctx: &Ctx, batch: State, line: Line) -> AnyView {
    let currency = line.currency.clone().unwrap_or_else(|| "KRW".into());
    // What cannot be read may be of any length.
    let typed = line.amount_text.chars().take(24).collect();
    let amount = line.amount.map_or(typed, |amount| format::figures(amount, &currency));
    let (state, note) = match (&line.refund, &line.why) {
        (Some(state), _) => {
            let said = messages::failure_text(ctx, *state, line.code.as_deref(), line.error.as_deref());
            (badge::refund_state(ctx, *state), said.unwrap_or_default())
        }
        (None, Some(why)) => (("failed", ctx.t("batch-line-refused")), messages::line_refused(ctx, why)),
        (None, None) if batch == State::Declined => (("ended", ctx.t("batch-line-refused")), String::new()),
        (None, None) => (("waiting", ctx.t("batch-line-ready")), String::new()),
    };
    // Whoever approves the file sees where each line's money goes.
    let account = line
        .account_masked
        .clone()
        .zip(line.account_check)
        .map(|(masked, check)| format!("{masked} · {}", messages::account_check(ctx, check)));
    let note =
        [Some(note).filter(|note| !note.is_empty()), account].into_iter().flatten().collect::<Vec<_>>();
    let id = match &line.currency {
        Some(_) => {
            let href = ctx.href(&routes::order(&line.order_id));
            view! { <a class="row-link" href=href><code>{line.order_id}</code></a> }.into_any()
        }
        None => view! { <code>{line.order_id}</code> }.into_any(),
    };
    view! {
        <tr>
            <td class="n">{line.line}</td>
            <td class="id">{id}</td>
            <td class="n amount">{amount}</td>
            <td class="state">{badge::badge(state)}</td>
            <td class="what">{note.join(" · ")}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, id: String, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match uuid::Uuid::parse_str(&id) {
        Ok(id) => backoffice::refunds::batch::get(ctx.backoffice(), id).await?,
        Err(_) => None,
    };
    let Some(batch) = found else { return Ok(errors::missing(&ctx, ctx.t("batch-not-found"))) };
    let done = backoffice::refunds::batch::progress(ctx.backoffice(), batch.id).await?;
    let only_refused = query.get("only").as_deref() == Some("refused");
    let after = query.get("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let lines =
        backoffice::refunds::batch::lines(ctx.backoffice(), batch.id, only_refused, after, LINES + 1).await?;
    let path = routes::refund_batch(&batch.id);
    let next = (lines.len() > 100).then(|| lines.get(99).map(|line| line.line)).flatten().map(|last| {
        let only = if only_refused { "&only=refused" } else { "" };
        let href = ctx.href(&format!("{path}?after={last}{only}"));
        view! {
            <nav class="pager" aria-label=ctx.t("pager")>
                <span class="soft"></span>
                <a class="button quiet" rel="next" href=href>{ctx.t("older")}</a>
            </nav>
        }
    });
    let rows = lines.into_iter().take(100).map(|line| row(&ctx, batch.state, line)).collect();
    let spec = list::ListSpec {
        path: &path,
        class: "batch-rows",
        headers: vec![
            list::figures(&ctx, "col-line"),
            list::head(&ctx, "col-order"),
            list::figures(&ctx, "col-amount"),
            list::head(&ctx, "col-status"),
            list::head(&ctx, "col-detail"),
        ],
        empty: (ctx.t("batch-no-lines"), String::new()),
    };
    let seen = batch.seen_before.map(|at| {
        let line = ctx.tr("batch-seen-before", &[("time", format::short_time(at))]);
        view! { <p class="notice bad" role="note">{line}</p> }
    });
    let chip = |only: &str, word: String, on: bool| {
        let href = ctx.href(&format!("{path}{only}"));
        let current = on.then_some("true");
        view! { <a class="chip" href=href aria-current=current>{word}</a> }
    };
    let because = batch
        .approval_reason
        .filter(|_| batch.state == State::WaitingForApproval)
        .map(|because| messages::because(&ctx, because));
    let approved = batch.approved_by_name.clone().map(|by| ctx.tr("batch-approved-by", &[("by", by)]));
    let facts = [
        Some(format!("{} · {}", batch.created_by_name, format::short_time(batch.created_at))),
        Some(batch.reason.clone()),
        approved,
        because,
    ];
    let begun = matches!(batch.state, State::Running | State::Stopped | State::Finished);
    let now = tick(&ctx, &done, batch.state == State::Running);
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::REFUND_BATCHES)>{ctx.t("nav-batches")}</a>
            " / "
            <h1>{batch.file_name.clone()}</h1>
        </nav>
        {seen}
        <section class="card order-head">
            {badge::badge(badge::batch_state(&ctx, batch.state))}
            <p class="sum">
                <strong>{format::amount(ctx.words, batch.ready_amount, "KRW")}</strong>
                <span class="soft">
                    {ctx.tr("batch-lines", &[("ready", batch.ready.to_string()), ("lines", batch.lines.to_string())])}
                </span>
            </p>
            <p class="soft">{facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")}</p>
            {begun.then(|| view! { <Progress of="batch".to_owned() id=batch.id.to_string() now=now label=ctx.t("batch-bar")/> })}
            <div class="actions">{actions(&ctx, &batch, &done, &flash)}</div>
        </section>
        <div class="chips">
            {chip("", ctx.t("all-states"), !only_refused)}
            {chip("?only=refused", ctx.t("batch-only-refused"), only_refused)}
        </div>
        {list::table(spec, rows)}
        {next}
    };
    Ok(Frame { title: batch.file_name, active: routes::REFUNDS, flash, body: body.into_any() })
}
