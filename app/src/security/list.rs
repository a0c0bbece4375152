//! What happened at the door, newest first.

use backoffice::security::{Kind, Row, list as read};
use leptos::prelude::*;

use super::filter;
use crate::{
    components::{
        agent::browser,
        badge::badge,
        form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    routes,
};

/// How much it asks to be looked at.
fn tone(kind: Kind) -> &'static str {
    match kind {
        Kind::LogIn | Kind::LogOut | Kind::Proven => "done",
        Kind::LogInWrong | Kind::LogInRefused | Kind::FactorWrong | Kind::Refused => "waiting",
        Kind::LogInThrottled | Kind::LogInBusy => "failed",
        Kind::NewDevice | Kind::FactorReset | Kind::Unlocked => "part",
        Kind::SessionEnded
        | Kind::SessionExpired
        | Kind::DeviceForgotten
        | Kind::InvitationUsed
        | Kind::PasswordChanged
        | Kind::FactorAdded
        | Kind::FactorRemoved => "ended",
    }
}

fn row(ctx: &Ctx, row: Row) -> AnyView {
    let detail = if row.detail.as_object().is_some_and(|d| d.is_empty()) {
        String::new()
    } else {
        row.detail.to_string()
    };
    let agent = if row.agent.is_empty() {
        ().into_any()
    } else {
        view! { {browser(&ctx.words, &row.agent)} }.into_any()
    };
    // Where it is about an account, one click shows what else happened to it.
    let person = match (row.staff_id, row.staff_name) {
        (Some(id), Some(name)) => {
            let href = format!("{}?person={id}", ctx.href(routes::SECURITY));
            view! { <a href=href>{name}</a> }.into_any()
        }
        _ => view! { <span class="soft">{ctx.t("security-nobody")}</span> }.into_any(),
    };
    // What nobody did from anywhere (a session that ran out) has no address.
    let address = (!row.ip.is_empty()).then(|| {
        let href = format!("{}?ip={}", ctx.href(routes::SECURITY), routes::encode(&row.ip));
        view! { <a href=href><code>{row.ip}</code></a> }
    });
    view! {
        <tr>
            <td class="state">{badge((tone(row.kind), ctx.words.word("security-kind", row.kind.as_str())))}</td>
            <td class="id">{person}</td>
            <td class="subject">{address}</td>
            <td class="what" title=row.agent>{agent}</td>
            <td class="detail"><code>{detail}</code></td>
            <td class="when">{list::time(row.at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let filter = filter::from_query(&query);
    let typed = query.typed(&["kind", "person", "ip"]);
    let kinds = std::iter::once((String::new(), ctx.t("security-kind-any")))
        .chain(Kind::ALL.iter().map(|kind| {
            let word = ctx.words.word("security-kind", kind.as_str());
            (kind.as_str().to_owned(), word)
        }))
        .collect();
    let text = |name, key: &str| form::Field::text(name, ctx.words.get(key, &[]), &typed).view();
    let heading = view! {
        <h1>{ctx.t("nav-security")}</h1>
        <p class="soft">{ctx.t("security-how")}</p>
        <form class="filters" method="get" action=ctx.href(routes::SECURITY)>
            {form::select("kind", ctx.t("security-kind"), kinds, "", &typed)}
            {text("person", "security-person")}
            {text("ip", "session-ip")}
            {form::filter_actions(&ctx, routes::SECURITY)}
        </form>
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::SECURITY)} }.into_any(),
        Ok(cursor) => {
            let page = read(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::SECURITY,
                class: "security-rows",
                headers: vec![
                    list::head(&ctx, "security-kind"),
                    list::head(&ctx, "security-person"),
                    list::head(&ctx, "session-ip"),
                    list::head(&ctx, "session-agent"),
                    list::head(&ctx, "col-detail"),
                    list::head(&ctx, "col-at"),
                ],
                empty: (ctx.t("security-empty"), ctx.t("audit-empty-hint")),
            };
            view! { {heading} {list::view(&ctx, &query, spec, page, row)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-security"), active: routes::SECURITY, flash, body })
}
