//! What the contract with Toss says of fees and payouts, and what in-app products cost.

use backoffice::{
    iap::Price,
    orders::METHODS,
    reconciliation::contract::{ANY, Cycle, Rate},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{functions::SetRate, tabs};
use crate::{
    components::{
        form::{self, Field},
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    flash::Flash,
    format,
    iap::functions::SetIapPrice,
    orders::messages::method_word,
    routes,
};

fn method(ctx: &Ctx, method: &str) -> String {
    if method == ANY { ctx.t("method-any") } else { method_word(ctx, method) }
}

fn rates(ctx: &Ctx, rates: Vec<Rate>) -> AnyView {
    let spec = list::ListSpec {
        path: routes::CONTRACT,
        class: "rate-rows",
        headers: vec![
            list::head(ctx, "col-method"),
            list::figures(ctx, "rate-per-cent"),
            list::figures(ctx, "rate-flat"),
            list::head(ctx, "rate-cycle"),
            list::head(ctx, "rate-payout"),
            list::head(ctx, "rate-valid-from"),
        ],
        empty: (ctx.t("rates-empty"), ctx.t("rates-empty-hint")),
    };
    let rows = rates
        .into_iter()
        .map(|rate| {
            let per_cent = rate.per_mille.unwrap_or_default() / backoffice::Decimal::TEN;
            let days = ctx.tr("rate-days", &[("days", rate.payout_days.to_string())]);
            let name = method(ctx, &rate.method);
            let name = if rate.currency == "KRW" { name } else { format!("{name} · {}", rate.currency) };
            view! {
                <tr>
                    <td class="id">{name}</td>
                    <td class="n amount">{format!("{} %", per_cent.normalize())}</td>
                    <td class="n flat">{format::figures(rate.flat, &rate.currency)}</td>
                    <td class="state">{ctx.words.word("cycle", rate.cycle.as_str())}</td>
                    <td class="what">{days}</td>
                    <td class="when">{format::iso_day(rate.valid_from)}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    list::table(spec, rows)
}

fn rate_form(ctx: &Ctx, flash: &Flash) -> AnyView {
    let own = flash.form == "rate";
    let none = Flash::default();
    let flash = if own { flash } else { &none };
    let mut methods: Vec<(String, String)> = METHODS
        .iter()
        .filter(|(_, code)| !code.starts_with("toss_"))
        .map(|(word, _)| ((*word).to_owned(), method_word(ctx, word)))
        .collect();
    methods.push((ANY.to_owned(), ctx.t("method-any")));
    let cycles =
        Cycle::ALL.map(|cycle| (cycle.as_str().to_owned(), ctx.words.word("cycle", cycle.as_str()))).to_vec();
    let number = |name: &'static str, key: &str, hint: &str, value: &str| Field {
        input_mode: "decimal",
        hint: Some(ctx.words.get(hint, &[])),
        value: value.to_owned(),
        ..Field::text(name, ctx.words.get(key, &[]), flash)
    };
    let from = Field {
        kind: "date",
        value: format::iso_day(ctx.backoffice().clock.today()),
        ..Field::text("valid_from", ctx.t("rate-valid-from"), flash)
    };
    let currency = Field { value: "KRW".into(), ..Field::text("currency", ctx.t("rate-currency"), flash) };
    view! {
        <section class="card" id="rate">
            <h2>{ctx.t("rate-new")}</h2>
            {(own && flash.is_error).then(|| form::notice(flash))}
            <form class="pad" method="post" action=ctx.href(SetRate::PATH)>
                {form::select("method", ctx.t("col-method"), methods, "카드", flash)}
                {currency.view()}
                {number("per_cent", "rate-per-cent", "rate-per-cent-hint", "").view()}
                {number("flat", "rate-flat", "rate-flat-hint", "0").view()}
                {form::select("cycle", ctx.t("rate-cycle"), cycles, "daily", flash)}
                {number("payout_days", "rate-payout", "rate-payout-hint", "").view()}
                {from.view()}
                <button class="button" type="submit">{ctx.t("rate-add")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn prices(ctx: &Ctx, prices: Vec<Price>, flash: &Flash) -> AnyView {
    let own = flash.form == "price";
    let none = Flash::default();
    let flash = if own { flash } else { &none };
    let rows = prices
        .into_iter()
        .map(|price| {
            let figure = price
                .price
                .map_or_else(|| ctx.t("price-unknown"), |amount| format::amount(ctx.words, amount, "KRW"));
            view! { <dt><code>{price.sku}</code></dt><dd>{figure} " " <span class="soft">{ctx.tr("price-orders", &[("count", price.orders.to_string())])}</span></dd> }
        })
        .collect_view();
    let form = ctx.may(Permission::Reconcile).then(|| {
        let price = Field { input_mode: "numeric", ..Field::text("price", ctx.t("price"), flash) };
        view! {
            <form method="post" action=ctx.href(SetIapPrice::PATH)>
                {Field::text("sku", "sku".into(), flash).view()}
                {price.view()}
                <button class="button quiet" type="submit">{ctx.t("price-save")}</button>
            </form>
        }
    });
    view! {
        <section class="card pad" id="price">
            <h2>{ctx.t("prices")}</h2>
            <p class="soft">{ctx.t("prices-hint")}</p>
            <dl class="facts">{rows}</dl>
            {form}
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let mut flash = ctx.take_flash().await;
    let own = flash.clone();
    if own.is_error {
        flash.notice = None;
    }
    let known = backoffice::reconciliation::contract::rates(ctx.backoffice()).await?;
    let products = if ctx.backoffice().apps_in_toss.is_some() {
        Some(prices(&ctx, backoffice::iap::prices::list(ctx.backoffice()).await?, &own))
    } else {
        None
    };
    let form = ctx.may(Permission::Reconcile).then(|| rate_form(&ctx, &own));
    let body = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {tabs::tabs(&ctx, routes::CONTRACT)}
        <p class="soft lead">{ctx.t("contract-hint")}</p>
        <div class="two">
            <div class="stack">{rates(&ctx, known)} {products}</div>
            {form}
        </div>
    };
    Ok(Frame {
        title: ctx.t("reconciliation-contract"),
        active: routes::RECONCILIATION,
        flash,
        body: body.into_any(),
    })
}
