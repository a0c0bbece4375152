//! What one person may do on their own word, by role, and what waits for a second administrator.

use backoffice::{
    Decimal, Fault,
    limits::{Limit, Request},
    money,
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::{DecideLimit, SetRefundLimit};
use crate::{components::form::Field, context::Ctx, flash::Flash, format, promotions::messages::points};

fn line(ctx: &Ctx, limit: &Limit) -> String {
    let won = |limit: Option<Decimal>| {
        limit.map_or_else(|| ctx.t("limit-none"), |limit| format::amount(ctx.words, limit, "KRW"))
    };
    ctx.tr(
        "limit-line",
        &[
            ("one", won(limit.one_refund)),
            ("day", won(limit.per_day)),
            ("points", limit.grants_per_day.map_or_else(|| ctx.t("limit-none"), points)),
        ],
    )
}

fn form(ctx: &Ctx, limit: &Limit, flash: &Flash) -> AnyView {
    let role = limit.role.as_str();
    let word = ctx.words.word("role", role);
    let own = if flash.form == format!("limit-{role}") { flash.clone() } else { Flash::default() };
    let field = |name: &'static str, key: &str, value: Option<Decimal>| Field {
        value: value.map_or_else(|| ctx.t("limit-none"), |limit| money::group(limit, "KRW")),
        id: Some(format!("{name}-{role}")),
        ..Field::text(name, ctx.words.get(key, &[]), &own)
    };
    view! {
        <form class="limit" method="post" action=ctx.href(SetRefundLimit::PATH) aria-label=word.clone()>
            <strong>{word.clone()}</strong>
            <input type="hidden" name="role" value=role/>
            {field("one_refund", "limit-one", limit.one_refund).view()}
            {field("per_day", "limit-day", limit.per_day).view()}
            {field("grants_per_day", "limit-points", limit.grants_per_day.map(Decimal::from)).view()}
            <button class="button quiet" type="submit">{ctx.t("keep")}</button>
        </form>
    }
    .into_any()
}

fn request(ctx: &Ctx, request: &Request, now: Option<&Limit>) -> AnyView {
    let role = request.limit.role.as_str();
    let own = ctx.is_me(Some(request.requested_by));
    let asked = ctx.tr(
        "limit-request",
        &[
            ("by", request.requested_by_name.clone()),
            ("role", ctx.words.word("role", role)),
            ("time", format::short_time(request.requested_at)),
        ],
    );
    let button = |agree: &'static str, class: &'static str, key: &str| {
        view! {
            <form method="post" action=ctx.href(DecideLimit::PATH)>
                <input type="hidden" name="role" value=role/>
                <input type="hidden" name="seen" value=request.version()/>
                <input type="hidden" name="agree" value=agree/>
                <button class=class type="submit">{ctx.words.get(key, &[])}</button>
            </form>
        }
    };
    let actions = ctx.may(Permission::ChangeSettings).then(|| {
        let approve = (!own).then(|| button("1", "button", "approve"));
        let decline = if own { "refund-withdraw" } else { "refund-decline" };
        view! { <div class="actions">{approve} {button("", "button quiet", decline)}</div> }
    });
    view! {
        <div class="waiting-box">
            <p><strong>{asked}</strong></p>
            <p>{now.map(|now| line(ctx, now))} " → " {line(ctx, &request.limit)}</p>
            {own.then(|| view! { <p class="soft">{ctx.t("refund-waiting-own")}</p> })}
            {actions}
        </div>
    }
    .into_any()
}

/// Said plainly where nobody could be the second person.
pub async fn alone(ctx: &Ctx) -> Result<Option<AnyView>, Fault> {
    let me = ctx.visitor.staff.as_ref().map(|me| me.id);
    let others = backoffice::staff::others_who_approve(ctx.backoffice(), me).await?;
    Ok((others == 0)
        .then(|| view! { <p class="notice bad" role="note">{ctx.t("limits-alone")}</p> }.into_any()))
}

/// One form per role, for whoever may change what holds for everybody; figures for everybody else.
pub async fn view(ctx: &Ctx, flash: &Flash) -> Result<AnyView, Fault> {
    let limits = backoffice::limits::list(ctx.backoffice()).await?;
    let requests = backoffice::limits::requests(ctx.backoffice()).await?;
    let alone = alone(ctx).await?;
    let may = ctx.may(Permission::ChangeSettings);
    let waiting = requests
        .iter()
        .map(|waits| request(ctx, waits, limits.iter().find(|limit| limit.role == waits.limit.role)))
        .collect_view();
    let rows = limits
        .iter()
        .map(|limit| {
            if may {
                return form(ctx, limit, flash);
            }
            let word = ctx.words.word("role", limit.role.as_str());
            view! { <p><strong>{word}</strong> " " {line(ctx, limit)}</p> }.into_any()
        })
        .collect_view();
    Ok(view! {
        <section class="card" id="limits">
            <h2>{ctx.t("limits")}</h2>
            <div class="pad">
                <p class="soft">{ctx.t("limits-hint")}</p>
                {alone}
                {waiting}
                {rows}
            </div>
        </section>
    }
    .into_any())
}
