//! One campaign: spend against budget, a grant, a file of grants, and everything granted.

use backoffice::{
    promotions::{Campaign, Filter, Grant, State, batch::Batch},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    batch::functions::PreviewGrants,
    functions::{ApproveCampaign, ApproveGrant, DecideGrant, DeclineGrant, GrantPromotion, StopCampaign},
    list::{period, standing},
    messages::{self, points},
};
use crate::{
    components::{
        badge, chart, errors,
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

fn head(ctx: &Ctx, campaign: &Campaign, chart: Option<String>) -> AnyView {
    let stopped = campaign.stopped_at.is_some();
    let turn = ctx.may(Permission::ManageCampaigns).then(|| {
        let (stop, word) = if stopped { ("", "campaign-resume") } else { ("1", "campaign-stop") };
        view! {
            <form method="post" action=ctx.href(StopCampaign::PATH)>
                <input type="hidden" name="promotion_code" value=campaign.promotion_code.clone()/>
                <input type="hidden" name="stop" value=stop/>
                <button class="button quiet" type="submit">{ctx.words.get(word, &[])}</button>
            </form>
        }
    });
    let own = ctx.is_me(campaign.created_by);
    let approve = (campaign.waits() && !own && ctx.may(Permission::ManageCampaigns)).then(|| {
        view! {
            <form method="post" action=ctx.href(ApproveCampaign::PATH)>
                <input type="hidden" name="promotion_code" value=campaign.promotion_code.clone()/>
                <button class="button" type="submit">{ctx.t("campaign-approve")}</button>
            </form>
        }
    });
    let waits = campaign.waits().then(|| {
        let line = ctx.tr("campaign-waits", &[("by", campaign.created_by_name.clone())]);
        view! { <p class="waiting-box">{line}</p> }
    });
    let tested = match campaign.tested_at {
        Some(at) => ctx.tr("campaign-tested", &[("time", format::short_time(at))]),
        None => ctx.t("campaign-not-tested"),
    };
    let second = match campaign.approval_above {
        Some(limit) => ctx.tr("campaign-second", &[("limit", points(limit))]),
        None => ctx.t("campaign-no-second"),
    };
    let spent = ctx.tr(
        "campaign-spent-of",
        &[
            ("spent", points(campaign.promised)),
            ("budget", points(campaign.budget)),
            ("left", points(campaign.left())),
        ],
    );
    view! {
        <section class="card order-head">
            {badge::badge(standing(ctx, campaign))}
            <p class="sum">
                <strong>{points(campaign.promised)}</strong>
                <span class="soft">{spent}</span>
            </p>
            {chart.map(|svg| view! { <div class="chart-box" inner_html=svg></div> })}
            <dl class="facts">
                <dt>{ctx.t("col-name")}</dt><dd>{campaign.name.clone()}</dd>
                <dt>{ctx.t("campaign-period")}</dt><dd>{period(campaign)}</dd>
                <dt>{ctx.t("campaign-amount")}</dt><dd>{points(campaign.amount)}</dd>
                <dt>{ctx.t("campaign-cap")}</dt><dd>{points(campaign.user_cap)}</dd>
                <dt>{ctx.t("campaign-approval")}</dt><dd>{second}</dd>
                <dt>{ctx.t("campaign-test")}</dt><dd>{tested}</dd>
            </dl>
            {waits}
            <div class="actions">{approve} {turn}</div>
        </section>
    }
    .into_any()
}

fn grant_form(ctx: &Ctx, campaign: &Campaign, flash: &Flash) -> AnyView {
    let error = flash.is_error.then(|| form::notice(flash));
    let amount = Field {
        input_mode: "numeric",
        hint: Some(ctx.tr("grant-amount-hint", &[("most", points(campaign.amount))])),
        ..Field::text("amount", ctx.t("campaign-amount"), flash)
    };
    let event =
        Field { hint: Some(ctx.t("grant-event-hint")), ..Field::text("event", ctx.t("grant-event"), flash) };
    let user = Field { input_mode: "numeric", ..Field::text("user_key", "userKey".into(), flash) };
    view! {
        <section class="card" id="grant">
            <h2>{ctx.t("grant-one")}</h2>
            {error}
            <form class="pad" method="post" action=ctx.href(GrantPromotion::PATH)>
                <input type="hidden" name="promotion_code" value=campaign.promotion_code.clone()/>
                <input type="hidden" name="intent" value=backoffice::refunds::new_intent()/>
                {user.view()}
                {event.view()}
                {amount.view()}
                <label class="check">
                    <input type="checkbox" name="is_test" value="1"/>
                    <span>{ctx.t("grant-test")}</span>
                </label>
                <button class="button wide" type="submit">{ctx.t("grant-submit")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn file_form(ctx: &Ctx, campaign: &Campaign, flash: &Flash) -> AnyView {
    let error = flash.error("file");
    let invalid = if error.is_some() { "true" } else { "false" };
    let note_class = if error.is_some() { "note error" } else { "note" };
    let note = error.unwrap_or_else(|| ctx.t("grants-file-hint"));
    let event = Field {
        id: Some("file-event".into()),
        hint: Some(ctx.t("grant-event-hint")),
        ..Field::text("event", ctx.t("grant-event"), flash)
    };
    view! {
        <section class="card" id="file">
            <h2>{ctx.t("grants-file")}</h2>
            <form class="pad" method="post" action=ctx.href(PreviewGrants::PATH) enctype="multipart/form-data">
                <input type="hidden" name="promotion_code" value=campaign.promotion_code.clone()/>
                {event.view()}
                <label class="field">
                    <span class="label">{ctx.t("batch-file")}</span>
                    <input type="file" name="file" accept=".csv,.txt,.tsv,text/csv" aria-invalid=invalid aria-describedby="file-note"/>
                    <span class=note_class id="file-note">{note}</span>
                </label>
                <button class="button quiet" type="submit">{ctx.t("batch-preview")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn files(ctx: &Ctx, batches: Vec<Batch>) -> AnyView {
    if batches.is_empty() {
        return ().into_any();
    }
    let rows = batches
        .into_iter()
        .map(|batch| {
            let href = ctx.href(&routes::grant_batch(&batch.id));
            let lines =
                ctx.tr("batch-lines", &[("ready", batch.ready.to_string()), ("lines", batch.lines.to_string())]);
            view! {
                <li>
                    <span class="refund-line">
                        <a href=href>{batch.file_name}</a>
                        {badge::badge(badge::batch_state(ctx, batch.state))}
                    </span>
                    <span class="soft">{format!("{lines} · {} · {}", batch.created_by_name, format::short_time(batch.created_at))}</span>
                </li>
            }
        })
        .collect_view();
    view! { <section class="card"><h2>{ctx.t("grants-files")}</h2><ul class="refunds">{rows}</ul></section> }
        .into_any()
}

/// What a second person, or somebody who has looked into Toss's console, may do with it.
fn actions(ctx: &Ctx, grant: &Grant) -> AnyView {
    if !ctx.may(Permission::ManageCampaigns) {
        return ().into_any();
    }
    let button = |path: &'static str, paid: &'static str, class: &'static str, key: &str| {
        let word = ctx.words.get(key, &[]);
        let label = format!("{word}: {} {}", grant.user_key, points(grant.amount));
        view! {
            <form method="post" action=ctx.href(path)>
                <input type="hidden" name="promotion_code" value=grant.promotion_code.clone()/>
                <input type="hidden" name="id" value=grant.id.to_string()/>
                <input type="hidden" name="paid" value=paid/>
                <button class=class type="submit" aria-label=label>{word}</button>
            </form>
        }
    };
    if grant.state == State::WaitingForApproval {
        return view! {
            <div class="actions">
                {button(ApproveGrant::PATH, "", "button", "approve")}
                {button(DeclineGrant::PATH, "", "button quiet", "refund-decline")}
            </div>
        }
        .into_any();
    }
    if !grant.needs_person(ctx.backoffice().clock.now()) {
        return ().into_any();
    }
    view! {
        <details class="confirm">
            <summary>{ctx.t("grant-decide")}</summary>
            <p>{ctx.t("grant-decide-hint")}</p>
            {grant.not_paid_by_name.clone().map(|by| {
                view! { <p><strong>{ctx.tr("grant-not-paid-by", &[("by", by)])}</strong></p> }
            })}
            <div class="actions">
                {button(DecideGrant::PATH, "1", "button quiet", "grant-decide-paid")}
                {button(DecideGrant::PATH, "", "button danger", "grant-decide-not-paid")}
            </div>
        </details>
    }
    .into_any()
}

/// One grant as a row; also on a user's page.
pub fn row(ctx: &Ctx, grant: Grant) -> AnyView {
    let user = ctx.href(&routes::user(grant.user_key));
    let note = match grant.error_code.is_some() || grant.error_message.is_some() {
        true => messages::failure_text(ctx, &grant),
        false => grant
            .approved_by_name
            .clone()
            .map(|by| ctx.tr("refund-approved-by", &[("by", by)]))
            .unwrap_or_default(),
    };
    let test = grant.is_test.then(|| ctx.t("grant-is-test"));
    let what = [Some(grant.event.clone()), test, Some(note)]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" · ");
    view! {
        <tr>
            <td class="id"><a class="row-link" href=user><code>{grant.user_key}</code></a></td>
            <td class="n amount">{points(grant.amount)}</td>
            <td class="state">{badge::badge(messages::state(ctx, grant.state))}</td>
            <td class="what">{what} {actions(ctx, &grant)}</td>
            <td class="buyer">{grant.requested_by_name.clone()}</td>
            <td class="when">{list::time(grant.requested_at)}</td>
        </tr>
    }
    .into_any()
}

/// The columns of [`row`].
pub fn headers(ctx: &Ctx) -> Vec<(String, bool)> {
    vec![
        ("userKey".into(), false),
        list::figures(ctx, "campaign-amount"),
        list::head(ctx, "col-status"),
        list::head(ctx, "grant-event"),
        list::head(ctx, "col-by"),
        list::head(ctx, "col-requested-at"),
    ]
}

pub async fn page(ctx: Ctx, code: String, query: Query) -> Answer {
    let mut flash = ctx.take_flash().await;
    let Some(campaign) = backoffice::promotions::campaigns::get(ctx.backoffice(), &code).await? else {
        return Ok(errors::missing(&ctx, ctx.t("campaign-not-found")));
    };
    let of = |form: &str| if flash.form == form { flash.clone() } else { Flash::default() };
    let (grant_flash, file_flash) = (of("grant"), of("grants"));
    if grant_flash.is_error {
        flash.notice = None;
    }
    let path = routes::campaign(&code);
    let state = query.get("state").and_then(|state| State::parse(&state));
    let spend = backoffice::promotions::campaigns::spend(ctx.backoffice(), &code).await?;
    let days: Vec<_> = spend.iter().map(|day| (day.day, day.amount)).collect();
    let chart = chart::running_sum(&days, campaign.budget, points);
    let batches = backoffice::promotions::batch::list(ctx.backoffice(), &code, None, 10).await?.rows;
    let chip = |value: &str, word: String, on: bool| {
        let href = ctx.href(&format!("{path}{}", query.with("state", value)));
        let current = on.then_some("true");
        view! { <a class="chip" href=href aria-current=current>{word}</a> }
    };
    let chips = std::iter::once(chip("", ctx.t("all-states"), state.is_none()))
        .chain(
            [State::WaitingForApproval, State::Unknown, State::Pending, State::Failed, State::Succeeded]
                .map(|one| chip(one.as_str(), messages::state(&ctx, one).1, state == Some(one))),
        )
        .collect_view();
    let list = match query.cursor() {
        Err(_) => list::bad_cursor(&ctx, &path),
        Ok(cursor) => {
            let filter = Filter { promotion_code: Some(code.clone()), state, ..Filter::default() };
            let page = backoffice::promotions::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: &path,
                class: "refund-rows",
                headers: headers(&ctx),
                empty: (ctx.t("grants-empty"), ctx.t("grants-empty-hint")),
            };
            list::view(&ctx, &query, spec, page, row)
        }
    };
    let may = ctx.may(Permission::Grant);
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::PROMOTIONS)>{ctx.t("nav-promotions")}</a>
            " / "
            <h1><code>{code.clone()}</code></h1>
        </nav>
        <div class="two">
            <div>
                {head(&ctx, &campaign, chart)}
                <div class="chips">{chips}</div>
                {list}
            </div>
            <div class="beside">
                {may.then(|| grant_form(&ctx, &campaign, &grant_flash))}
                {may.then(|| file_form(&ctx, &campaign, &file_flash))}
                {files(&ctx, batches)}
            </div>
        </div>
    };
    Ok(Frame { title: campaign.name, active: routes::PROMOTIONS, flash, body: body.into_any() })
}
