//! What is theirs and open, whom to hand it to, and the end of the account.

use backoffice::{
    Fault,
    leaving::{self, Item, Kind},
    staff::Staff,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::DisableStaff;
use crate::{components::form, context::Ctx, flash::Flash, routes};

fn item(ctx: &Ctx, item: Item) -> AnyView {
    let path = match item.kind {
        Kind::Difference => routes::difference(&item.key),
        Kind::Refund => routes::order(&item.key),
        Kind::RefundBatch => routes::refund_batch(&item.key),
        Kind::Grant => routes::campaign(&item.key),
        Kind::GrantBatch => routes::grant_batch(&item.key),
        Kind::Limit => format!("{}#limits", routes::SETTINGS),
        Kind::Right => routes::STAFF.to_owned(),
        Kind::ApiKey => routes::api_key(&item.key),
    };
    let what = match item.kind {
        Kind::Limit => ctx.words.word("role", &item.what),
        _ => item.what,
    };
    view! { <li>{ctx.words.word("leaving", item.kind.as_str())} " " <a href=ctx.href(&path)>{what}</a></li> }
        .into_any()
}

/// Nothing where there is nothing to end and nothing to hand over.
pub async fn view(ctx: &Ctx, person: &Staff, flash: &Flash) -> Result<AnyView, Fault> {
    let items = leaving::open(ctx.backoffice(), person.id).await?;
    let is_open = person.disabled_at.is_none();
    if !is_open && items.is_empty() {
        return Ok(().into_any());
    }
    let has = |kinds: &[Kind]| items.iter().any(|item| kinds.contains(&item.kind));
    let to_hand = has(&[Kind::Difference]);
    let to_decide = has(&[Kind::Refund, Kind::Grant, Kind::Limit]);
    let ends = has(&[Kind::RefundBatch, Kind::GrantBatch, Kind::Right]);
    let colleagues =
        if to_hand { leaving::colleagues(ctx.backoffice(), person.id).await? } else { Vec::new() };
    let nobody = std::iter::once((String::new(), ctx.t("leaving-to-nobody")));
    let heirs = nobody.chain(colleagues.into_iter().map(|one| (one.id.to_string(), one.name))).collect();
    let hand_to = to_hand.then(|| form::select("hand_to", ctx.t("leaving-to"), heirs, "", flash));
    let choices =
        vec![(String::new(), ctx.t("leaving-stay")), ("withdraw".to_owned(), ctx.t("leaving-withdraw"))];
    let waiting = to_decide.then(|| form::select("waiting", ctx.t("leaving-waiting"), choices, "", flash));
    let ends = ends.then(|| view! { <p class="soft">{ctx.t("leaving-ends")}</p> });
    let list = if items.is_empty() {
        view! { <p class="soft">{ctx.t("leaving-nothing")}</p> }.into_any()
    } else {
        let items = items.into_iter().map(|one| item(ctx, one)).collect_view();
        view! { <ul class="open-items">{items}</ul> }.into_any()
    };
    let (title, button) =
        if is_open { ("leaving", "staff-disable") } else { ("leaving-rest", "leaving-hand-over") };
    let sure =
        is_open.then(|| view! { <p>{ctx.tr("staff-disable-sure", &[("name", person.name.clone())])}</p> });
    Ok(view! {
        <section class="card part" id="leaving">
            <h2>{ctx.words.get(title, &[])}</h2>
            <form class="pad" method="post" action=ctx.href(DisableStaff::PATH)>
                <input type="hidden" name="id" value=person.id.to_string()/>
                {list}
                {hand_to}
                {waiting}
                {ends}
                {sure}
                <button class="button danger" type="submit">{ctx.words.get(button, &[])}</button>
            </form>
        </section>
    }
    .into_any())
}
