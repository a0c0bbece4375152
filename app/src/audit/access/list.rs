//! The access record, newest first.

use backoffice::audit::access::{Kind, Record, list as read};
use leptos::prelude::*;

use super::filter;
use crate::{
    audit::rows::{self, Cells, Look},
    components::{
        form,
        layout::Answer,
        list::{self, Query, SIZE},
    },
    context::Ctx,
    routes,
};

const LOOK: Look = Look {
    path: routes::ACCESS_RECORDS,
    title: "nav-access",
    heads: ["col-by", "access-kind", "access-whose", "access-what"],
    empty: "access-empty",
    export: "access_records",
};

/// How much it asks to be looked at.
fn tone(kind: Kind) -> &'static str {
    match kind {
        Kind::Viewed | Kind::Searched => "plain",
        Kind::Revealed => "waiting",
        Kind::Exported => "part",
    }
}

/// Whose data it was, and where that can be looked at.
fn whose(ctx: &Ctx, record: &Record) -> AnyView {
    let key = &record.subject;
    let (href, shown) = match record.subject_kind.as_str() {
        "order" => (Some(routes::order(key)), key.clone()),
        "webhook" => (Some(routes::webhook(key)), key.clone()),
        "user" => (key.parse().ok().map(routes::user), key.clone()),
        "export" => {
            let people = record.people.unwrap_or_default().to_string();
            (None, ctx.tr("access-people", &[("count", people)]))
        }
        // Which words they were, nobody can tell any more; who searched by the same ones, the filter can.
        _ => (None, ctx.t("access-words")),
    };
    let kind = ctx.words.word("access-subject", &record.subject_kind);
    match href {
        Some(href) => view! {
            <span class="soft">{kind}</span> " " <a href=ctx.href(&href)><code>{shown}</code></a>
        }
        .into_any(),
        None => view! { <span class="soft">{kind}</span> " " {shown} }.into_any(),
    }
}

fn row(ctx: &Ctx, record: Record) -> AnyView {
    let of = format!("{}?staff={}", ctx.href(routes::ACCESS_RECORDS), record.staff_id);
    let what = record.what.iter().map(|what| ctx.words.word("access-what", what));
    let what = what.collect::<Vec<_>>().join(", ");
    let masked = record.is_masked.then(|| ctx.t("access-masked"));
    let reason = record.reason.clone().map(|reason| view! { <br/><q>{reason}</q> });
    let subject = whose(ctx, &record);
    let by = view! { <a href=of>{record.staff_name}</a> " " <small class="soft">{record.ip}</small> };
    let cells = Cells {
        seq: record.seq,
        by: by.into_any(),
        what: (tone(record.kind), ctx.words.word("access-kind", record.kind.as_str())),
        subject,
        detail: view! { {what} " " <span class="soft">{masked}</span> {reason} }.into_any(),
        at: record.at,
    };
    rows::row(ctx, cells)
}

/// Records on a page of something else.
pub(in crate::audit) fn table(ctx: &Ctx, records: Vec<Record>) -> AnyView {
    list::table(LOOK.spec(ctx), records.into_iter().map(|record| row(ctx, record)).collect())
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let (filter, typed) = filter::from_query(&ctx, &query);
    let all = || (String::new(), ctx.t("rights-all"));
    let people = backoffice::staff::list(ctx.backoffice()).await?.into_iter();
    let people = people.map(|person| (person.id.to_string(), format!("{} · {}", person.name, person.email)));
    let kinds =
        Kind::ALL.map(|kind| (kind.as_str().to_owned(), ctx.words.word("access-kind", kind.as_str())));
    let people = std::iter::once(all()).chain(people).collect();
    let kinds = std::iter::once(all()).chain(kinds).collect();
    let heading = view! {
        <h1>{ctx.t("nav-access")}</h1>
        <p class="soft lead">{ctx.t("access-hint")} " " <a href=ctx.href(routes::ACCESS_REVIEW)>{ctx.t("access-review")}</a></p>
        <form class="filters" method="get" action=ctx.href(routes::ACCESS_RECORDS)>
            {form::select("staff", ctx.t("col-by"), people, "", &typed)}
            {form::select("kind", ctx.t("access-kind"), kinds, "", &typed)}
            {form::Field::text("subject", ctx.t("access-subject"), &typed).view()}
            {form::filter_days(&ctx, &typed)}
            {form::filter_actions(&ctx, routes::ACCESS_RECORDS)}
        </form>
    };
    let page = match query.cursor() {
        Ok(cursor) => Ok(read(&ctx.backoffice().pool, &filter, cursor.as_ref(), SIZE).await?),
        Err(bad) => Err(bad),
    };
    Ok(LOOK.frame(&ctx, &query, heading.into_any(), flash, page, row))
}
