//! The register of right changes: whose, from what to what, by whom, and who was the second person.

use backoffice::staff::register::{self, Filter, Kind, Right, Row};
use leptos::prelude::*;

use super::{tabs, words};
use crate::{
    components::{
        form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    routes,
};

fn right(ctx: &Ctx, right: Option<&Right>) -> AnyView {
    let Some(right) = right else {
        return view! { <span class="soft">{ctx.t("right-none")}</span> }.into_any();
    };
    let all = right.permissions.map(|may| words::permissions(ctx, may));
    view! { <span title=all>{words::right(ctx, right)}</span> }.into_any()
}

fn row(ctx: &Ctx, row: Row) -> AnyView {
    let by = match row.by.strip_prefix("job:") {
        Some(job) => ctx.words.word("job", job),
        None if row.by == "command-line" => ctx.t("actor-command-line"),
        None => row.by_name.clone(),
    };
    let second = row
        .second_name
        .map(|name| view! { <small class="soft">{ctx.tr("right-second", &[("name", name)])}</small> });
    let change =
        row.before.as_ref().zip(row.after.as_ref()).and_then(|(from, to)| words::change(ctx, from, to));
    let whose = format!("{}?staff={}", ctx.href(routes::RIGHTS), row.staff);
    view! {
        <tr>
            <td class="id"><a href=whose>{row.name}</a></td>
            <td class="state">{ctx.words.word("right-kind", row.kind.as_str())}</td>
            <td class="what">
                {right(ctx, row.before.as_ref())} " → " {right(ctx, row.after.as_ref())}
                {change.map(|text| view! { <br/><small class="soft">{text}</small> })}
            </td>
            <td class="buyer">{by} " " {second}</td>
            <td class="when">{list::time(row.at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let typed = query.typed(&["staff", "kind"]);
    let filter = Filter {
        staff: query.get("staff").and_then(|text| text.parse().ok()),
        kind: query.get("kind").and_then(|text| Kind::parse(&text)),
    };
    let all = || (String::new(), ctx.t("rights-all"));
    let people = backoffice::staff::list(ctx.backoffice()).await?.into_iter();
    let people = people.map(|person| (person.id.to_string(), format!("{} · {}", person.name, person.email)));
    let kinds = Kind::ALL.map(|kind| (kind.as_str().to_owned(), ctx.words.word("right-kind", kind.as_str())));
    let people = std::iter::once(all()).chain(people).collect();
    let kinds = std::iter::once(all()).chain(kinds).collect();
    let heading = view! {
        <h1>{ctx.t("rights")}</h1>
        {tabs::tabs(&ctx, routes::RIGHTS)}
        <p class="soft lead">{ctx.t("rights-hint")}</p>
        <form class="filters" method="get" action=ctx.href(routes::RIGHTS)>
            {form::select("staff", ctx.t("right-whose"), people, "", &typed)}
            {form::select("kind", ctx.t("right-how"), kinds, "", &typed)}
            {form::filter_actions(&ctx, routes::RIGHTS)}
        </form>
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::RIGHTS)} }.into_any(),
        Ok(cursor) => {
            let page = register::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::RIGHTS,
                class: "right-rows",
                headers: ["right-whose", "right-how", "right-change", "col-by", "col-at"]
                    .map(|key| list::head(&ctx, key))
                    .to_vec(),
                empty: (ctx.t("rights-empty"), ctx.t("audit-empty-hint")),
            };
            view! { {heading} {list::view(&ctx, &query, spec, page, row)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("rights"), active: routes::STAFF, flash, body })
}
