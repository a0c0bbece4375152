//! Everything known of one user.

use std::collections::BTreeMap;

use backoffice::{iap, orders, promotions, staff::Permission, users::User};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{RevealProfile, UnlinkUser},
    list::standing,
};
use crate::{
    components::{
        errors, form,
        layout::{Answer, Frame},
        list, reveal,
    },
    context::Ctx,
    flash::Flash,
    format,
    iap::list as iap_list,
    messages,
    orders::list::order_row,
    promotions::campaign,
    routes,
};

/// Rows of each kind on one user's page.
const FEW: usize = 20;

/// A field of the profile, masked until somebody has said why.
fn shown(name: &str, text: &str, clear: bool) -> String {
    if clear {
        return text.to_owned();
    }
    match name {
        "name" => format::mask_name(text),
        "phone" => format::mask_phone(text),
        "email" => format::mask_email(text),
        // As many for everybody: the length would tell.
        _ => "•".repeat(8),
    }
}

fn profile(ctx: &Ctx, user: &User, fields: &BTreeMap<String, String>, clear: bool, flash: &Flash) -> AnyView {
    let rows = fields
        .iter()
        .map(|(name, text)| view! { <dt>{ctx.words.word("profile", name)}</dt> <dd>{shown(name, text, clear)}</dd> })
        .collect_view();
    let unread = user.sealed.len() - fields.len();
    let why_not = (unread > 0).then(|| {
        let key = if ctx.backoffice().apps_in_toss.as_ref().is_some_and(|apps| apps.profile_key.is_some()) {
            "profile-wrong-key"
        } else {
            "profile-no-key"
        };
        view! { <p class="notice bad" role="note">{ctx.words.get(key, &[])}</p> }
    });
    let show = (!clear && !fields.is_empty()).then(|| {
        let of = ("user_key", user.user_key.to_string());
        reveal::form(ctx, RevealProfile::PATH, of, ctx.t("profile-show"), flash)
    });
    view! { {why_not} <dl class="facts">{rows}</dl> {show} }.into_any()
}

fn head(ctx: &Ctx, user: &User, clear: bool, flash: &Flash) -> AnyView {
    let fields = backoffice::users::open_profile(ctx.backoffice(), user);
    let unlink = (user.unlinked_at.is_none() && ctx.may(Permission::UnlinkUser)).then(|| {
        view! {
            <details class="confirm">
                <summary>{ctx.t("user-unlink")}</summary>
                <form method="post" action=ctx.href(UnlinkUser::PATH)>
                    <input type="hidden" name="user_key" value=user.user_key.to_string()/>
                    <p>{ctx.t("user-unlink-sure")}</p>
                    <button class="button danger" type="submit">{ctx.t("user-unlink")}</button>
                </form>
            </details>
        }
    });
    let unlinked = user.unlinked_at.map(|at| {
        view! { <dt>{ctx.t("user-unlinked-at")}</dt> <dd>{format::full_time(at)}</dd> }
    });
    view! {
        <section class="card order-head" id="profile">
            {crate::components::badge::badge(standing(ctx, user))}
            {profile(ctx, user, &fields, clear, flash)}
            <dl class="facts">
                <dt>{ctx.t("user-first-login")}</dt><dd>{format::full_time(user.first_login_at)}</dd>
                <dt>{ctx.t("user-last-login")}</dt><dd>{format::full_time(user.last_login_at)}</dd>
                {unlinked}
                <dt>{ctx.t("user-terms")}</dt><dd>{user.agreed_terms.join(", ")}</dd>
                <dt>"scope"</dt><dd>{user.scope.clone()}</dd>
            </dl>
            <div class="actions">{unlink}</div>
        </section>
    }
    .into_any()
}

fn part(title: String, headers: Vec<(String, bool)>, class: &'static str, rows: Vec<AnyView>) -> AnyView {
    if rows.is_empty() {
        return ().into_any();
    }
    let spec = list::ListSpec { path: routes::USERS, class, headers, empty: (String::new(), String::new()) };
    view! { <section class="part"><h2>{title}</h2>{list::table(spec, rows)}</section> }.into_any()
}

pub async fn page(ctx: Ctx, key: String) -> Answer {
    let flash = ctx.take_flash().await;
    let Some(key) = backoffice::users::parse_key(&key) else {
        return Ok(errors::missing(&ctx, ctx.t("user-not-found")));
    };
    let backoffice = ctx.backoffice();
    let user = backoffice::users::get(backoffice, key.0).await?;
    let clear = ctx.is_revealed(&routes::user(key.0)).await;
    if let (Some(user), Some(actor)) = (&user, ctx.actor()) {
        backoffice::users::note_view(backoffice, &actor, user, !clear).await?;
    }
    let order_filter = orders::Filter { user_key: Some(key.to_string()), ..orders::Filter::default() };
    let grant_filter = promotions::Filter { user_key: Some(key.0), ..promotions::Filter::default() };
    let iap_filter = iap::Filter { user_key: Some(key.0), ..iap::Filter::default() };
    let orders = backoffice::orders::list(backoffice, &order_filter, None, FEW).await?.rows;
    let grants = backoffice::promotions::list(backoffice, &grant_filter, None, FEW).await?.rows;
    let purchases = backoffice::iap::orders::list(backoffice, &iap_filter, None, FEW).await?.rows;
    let sent = backoffice::messages::list(backoffice, Some(key.0), None, FEW).await?.rows;
    if user.is_none() && orders.is_empty() && grants.is_empty() && purchases.is_empty() && sent.is_empty() {
        return Ok(errors::missing(&ctx, ctx.t("user-not-found")));
    }
    let head = match &user {
        Some(user) => head(&ctx, user, clear, &flash),
        None => view! { <p class="soft">{ctx.t("user-never-logged-in")}</p> }.into_any(),
    };
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::USERS)>{ctx.t("nav-users")}</a>
            " / "
            <h1><code>{key.0}</code></h1>
        </nav>
        {form::notice(&Flash { notice: clear.then(|| ctx.t("profile-is-shown")), ..Flash::default() })}
        <div class="stack">
            {head}
            {part(ctx.t("nav-orders"), crate::orders::list::headers(&ctx), "orders", orders.into_iter().map(|o| order_row(&ctx, o)).collect())}
            {part(ctx.t("nav-iap"), iap_list::order_heads(&ctx), "iap-rows", purchases.into_iter().map(|o| iap_list::order_row(&ctx, o)).collect())}
            {part(ctx.t("nav-promotions"), campaign::headers(&ctx), "refund-rows", grants.into_iter().map(|g| campaign::row(&ctx, g)).collect())}
            {part(ctx.t("nav-messages"), messages::list::headers(&ctx), "message-rows", sent.into_iter().map(|m| messages::list::row(&ctx, m)).collect())}
        </div>
    };
    Ok(Frame { title: key.to_string(), active: routes::USERS, flash, body: body.into_any() })
}
