//! One person as they know themselves: what there is of them, the copy and the erasure, and what was asked before.

use backoffice::personal_data::{self, DataRequest, Found, NoPerson, Person};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::{CopyPersonalData, ErasePersonalData, not_a_person};
use crate::{
    components::{
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, Query},
    },
    context::Ctx,
    flash::Flash,
    routes,
};

const FIELDS: [&str; 4] = ["phone", "email", "user_key", "order_id"];

/// Orders that are listed.
const SHOWN: usize = 50;

fn counts(ctx: &Ctx, found: &Found) -> AnyView {
    let all = [
        ("nav-orders", found.orders),
        ("person-restricted", found.restricted),
        ("person-payments", found.payments),
        ("nav-refunds", found.refunds),
        ("cash-receipts", found.cash_receipts),
        ("person-returns", found.returns),
        ("nav-webhooks", found.webhooks),
        ("person-profiles", found.profiles),
        ("nav-messages", found.messages),
        ("person-grants", found.grants),
        ("nav-iap", found.in_app_purchases),
        ("nav-access", found.access_records),
    ];
    let facts = all
        .into_iter()
        .map(|(key, count)| view! { <dt>{ctx.words.get(key, &[])}</dt><dd>{count}</dd> })
        .collect_view();
    view! { <dl class="facts pad">{facts}</dl> }.into_any()
}

/// What whom a form is about was found by.
fn hidden(query: &Query) -> AnyView {
    FIELDS
        .iter()
        .filter_map(|name| {
            let value = query.get(name)?;
            Some(view! { <input type="hidden" name=*name value=value/> })
        })
        .collect_view()
        .into_any()
}

fn deeds(ctx: &Ctx, query: &Query, flash: &Flash) -> AnyView {
    let of = |form: &str| if flash.form == form { flash.clone() } else { Flash::default() };
    let (copy, erase) = (of("copy"), of("erase"));
    let reason = |flash: &Flash, id: &str| {
        Field { id: Some(id.to_owned()), ..Field::text("reason", ctx.t("person-reason"), flash) }.view()
    };
    let formats = vec![("xlsx".to_owned(), "XLSX".to_owned()), ("csv".to_owned(), "CSV".to_owned())];
    view! {
        <section class="card">
            <h2>{ctx.t("person-copy")}</h2>
            <form class="pad" method="post" action=ctx.href(CopyPersonalData::PATH)>
                <p class="soft">{ctx.t("person-copy-hint")}</p>
                {hidden(query)}
                {form::select("format", ctx.t("export-format"), formats, "xlsx", &copy)}
                {reason(&copy, "copy-reason")}
                <button class="button" type="submit">{ctx.t("person-copy")}</button>
            </form>
        </section>
        <section class="card">
            <h2>{ctx.t("person-erase")}</h2>
            <details class="confirm pad" open=erase.is_error>
                <summary>{ctx.t("person-erase")}</summary>
                <form method="post" action=ctx.href(ErasePersonalData::PATH)>
                    <p>{ctx.t("person-erase-sure")}</p>
                    {hidden(query)}
                    {reason(&erase, "erase-reason")}
                    <button class="button danger" type="submit">{ctx.t("person-erase")}</button>
                </form>
            </details>
        </section>
    }
    .into_any()
}

fn requests(ctx: &Ctx, requests: Vec<DataRequest>) -> AnyView {
    if requests.is_empty() {
        return ().into_any();
    }
    let row = |request: DataRequest| {
        let figures = if request.kind == "erased" {
            ctx.tr(
                "person-erased",
                &[
                    ("erased", request.orders_erased.to_string()),
                    ("restricted", request.orders_restricted.to_string()),
                    ("profiles", request.profiles_erased.to_string()),
                ],
            )
        } else {
            ctx.tr("person-copied", &[("orders", request.orders.to_string())])
        };
        view! {
            <tr>
                <td class="state">{ctx.words.word("data-request", &request.kind)}</td>
                <td class="id">{request.made_by_name}</td>
                <td class="what">{figures} <br/><q>{request.reason}</q></td>
                <td class="when">{list::time(request.made_at)}</td>
            </tr>
        }
        .into_any()
    };
    let spec = list::ListSpec {
        path: routes::PERSONAL_DATA,
        class: "request-rows",
        headers: ["person-request", "col-by", "col-detail", "col-at"]
            .map(|key| list::head(ctx, key))
            .to_vec(),
        empty: (String::new(), String::new()),
    };
    view! {
        <section class="part">
            <h2>{ctx.t("person-requests")}</h2>
            {list::table(spec, requests.into_iter().map(row).collect())}
        </section>
    }
    .into_any()
}

/// What there is of somebody.
async fn person(
    ctx: &Ctx,
    query: &Query,
    person: &Person,
    flash: &Flash,
) -> Result<AnyView, backoffice::Fault> {
    let backoffice = ctx.backoffice();
    if let Some(actor) = ctx.actor() {
        personal_data::note_find(backoffice, &actor, person).await?;
    }
    let (orders, found) = personal_data::find(backoffice, person).await?;
    if found.is_nothing() {
        return Ok(list::empty(ctx.t("person-none"), ctx.t("person-none-hint")));
    }
    let links = orders.iter().take(SHOWN).map(|id| {
        view! { <li><a href=ctx.href(&routes::order(id))><code>{id.clone()}</code></a></li> }
    });
    let more = orders.len().saturating_sub(SHOWN);
    let more = (more > 0)
        .then(|| view! { <li class="soft">{ctx.tr("person-more", &[("count", more.to_string())])}</li> });
    Ok(view! {
        <section class="card">
            <h2>{ctx.t("person-found")}</h2>
            {counts(ctx, &found)}
            <details class="pad"><summary>{ctx.t("nav-orders")}</summary><ul class="ids">{links.collect_view()}{more}</ul></details>
        </section>
        {deeds(ctx, query, flash)}
    }
    .into_any())
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let mut typed = query.typed(&FIELDS);
    let [phone, email, user_key, order_id] = FIELDS.map(|name| query.get(name).unwrap_or_default());
    let asked = Person::parse(&phone, &email, &user_key, &order_id);
    if let Err(no) = &asked
        && *no != NoPerson::Nothing
    {
        let (field, sentence) = not_a_person(&ctx, *no);
        typed.errors.insert(field.to_owned(), sentence);
    }
    let found = match &asked {
        Ok(somebody) => person(&ctx, &query, somebody, &flash).await?,
        Err(_) => ().into_any(),
    };
    let before = requests(&ctx, personal_data::requests(ctx.backoffice()).await?);
    let text = |name, key: &str| Field::text(name, ctx.words.get(key, &[]), &typed).view();
    let body = view! {
        <h1>{ctx.t("nav-personal-data")}</h1>
        <p class="soft lead">{ctx.t("person-hint")}</p>
        <form class="filters" method="get" action=ctx.href(routes::PERSONAL_DATA)>
            {text("phone", "access-what-phone")}
            {text("email", "access-what-email")}
            {text("user_key", "person-user-key")}
            {text("order_id", "col-order")}
            {form::filter_actions(&ctx, routes::PERSONAL_DATA)}
        </form>
        <div class="stack">{found}{before}</div>
    };
    Ok(Frame {
        title: ctx.t("nav-personal-data"),
        active: routes::PERSONAL_DATA,
        flash,
        body: body.into_any(),
    })
}
