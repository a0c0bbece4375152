//! Users of the mini-app.

use backoffice::users::User;
use leptos::prelude::*;

use crate::{
    components::{
        form::Field,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

pub fn standing(ctx: &Ctx, user: &User) -> (&'static str, String) {
    match &user.unlinked_at {
        None => ("done", ctx.t("user-linked")),
        Some(_) => {
            let why = user.unlink_referrer.as_deref().unwrap_or("UNLINK");
            ("ended", ctx.words.word("unlink", why))
        }
    }
}

fn row(ctx: &Ctx, user: User) -> AnyView {
    let href = ctx.href(&routes::user(user.user_key));
    let name = backoffice::users::open_profile(ctx.backoffice(), &user)
        .get("name")
        .map(|name| format::mask_name(name))
        .unwrap_or_default();
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{user.user_key}</code></a></td>
            <td class="buyer">{name}</td>
            <td class="state">{crate::components::badge::badge(standing(ctx, &user))}</td>
            <td class="when">{list::time(user.last_login_at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let mut typed = Flash::default();
    let q = query.get("q");
    if let Some(q) = &q {
        typed.values.insert("q".into(), q.clone());
    }
    let asked = q.as_deref().map(backoffice::users::parse_key);
    if asked == Some(None) {
        typed.errors.insert("q".into(), ctx.t("grant-error-user"));
    }
    // Somebody who never logged in may still have bought something.
    let direct = asked.flatten().map(|key| {
        let href = ctx.href(&routes::user(key.0));
        view! { <p><a class="button quiet" href=href>{ctx.tr("user-open", &[("user", key.to_string())])}</a></p> }
    });
    let list = match query.cursor() {
        Err(_) => list::bad_cursor(&ctx, routes::USERS),
        Ok(cursor) => {
            let page = backoffice::users::list(ctx.backoffice(), cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::USERS,
                class: "user-rows",
                headers: vec![
                    ("userKey".into(), false),
                    list::head(&ctx, "col-name"),
                    list::head(&ctx, "col-status"),
                    list::head(&ctx, "user-last-login"),
                ],
                empty: (ctx.t("users-empty"), ctx.t("users-empty-hint")),
            };
            list::view(&ctx, &query, spec, page, row)
        }
    };
    let body = view! {
        <h1>{ctx.t("nav-users")}</h1>
        <form class="filters" method="get" action=ctx.href(routes::USERS)>
            {Field { kind: "search", input_mode: "numeric", ..Field::text("q", "userKey".into(), &typed) }.view()}
            <div class="filter-actions"><button class="button" type="submit">{ctx.t("filter-apply")}</button></div>
        </form>
        {direct}
        {list}
    };
    Ok(Frame { title: ctx.t("nav-users"), active: routes::USERS, flash, body: body.into_any() })
}
