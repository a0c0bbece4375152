//! The cash receipts of one day: ours beside Toss's.

use backoffice::{
    cash_receipts::{Day, Finding, Receipt, Side},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};
use time::Date;

use super::{
    functions::ReadCashReceipts,
    section::{asked_by, kind, state, transaction},
};
use crate::{
    components::{
        badge,
        figures::{Table, cell},
        form::Field,
        layout::{Answer, Frame},
        list::{self, ListSpec, Query},
    },
    context::Ctx,
    flash::Flash,
    format, reconciliation, routes,
};

fn row(ctx: &Ctx, receipt: &Receipt, finding: Option<Finding>) -> AnyView {
    let href = ctx.href(&format!("{}#cash-receipt", routes::order(&receipt.order_id)));
    let finding = finding
        .map(|finding| badge::badge(("failed", ctx.words.word("cash-receipt-finding", finding.as_str()))));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{receipt.order_id.clone()}</code></a></td>
            <td class="state">{badge::badge(state(ctx, receipt))} " " {finding}</td>
            <td class="what">{transaction(ctx, receipt)} " · " {kind(ctx, receipt)}</td>
            <td class="buyer">{asked_by(ctx, receipt)}</td>
            <td class="when">{list::time(receipt.requested_at)}</td>
            <td class="n amount">{format::amount(ctx.words, receipt.amount, "KRW")}</td>
        </tr>
    }
    .into_any()
}

fn sums(ctx: &Ctx, day: &Day) -> AnyView {
    let line = |key: &str, side: &Side| {
        let figure = |sum| format::figures(sum, "KRW");
        view! {
            <tr>
                <th scope="row">{ctx.words.get(key, &[])}</th>
                {cell(format::count(i64::try_from(side.receipts).unwrap_or(i64::MAX)))}
                {cell(figure(side.issued))}
                {cell(figure(-side.cancelled))}
                {cell(figure(side.standing()))}
            </tr>
        }
        .into_any()
    };
    let differs = day.read_at.is_some() && day.ours != day.toss;
    let difference = Side {
        receipts: day.ours.receipts.abs_diff(day.toss.receipts),
        issued: day.ours.issued - day.toss.issued,
        cancelled: day.ours.cancelled - day.toss.cancelled,
    };
    let mut rows = vec![line("cash-receipts-ours", &day.ours), line("cash-receipts-toss", &day.toss)];
    if day.with_payments.receipts > 0 {
        rows.push(line("cash-receipts-with-payments", &day.with_payments));
    }
    let headers = vec![
        list::head(ctx, "cash-receipts-side"),
        list::figures(ctx, "cash-receipts-count"),
        list::figures(ctx, "cash-receipt-confirm"),
        list::figures(ctx, "cash-receipt-cancel"),
        list::figures(ctx, "sum"),
    ];
    let table = Table {
        label: ctx.t("cash-receipts"),
        class: "ledger",
        headers,
        rows,
        sums: if differs { line("cash-receipts-difference", &difference) } else { ().into_any() },
    };
    table.view()
}

fn picker(ctx: &Ctx, day: Date, typed: &Flash) -> AnyView {
    let field = Field {
        kind: "date",
        value: format::iso_day(day),
        ..Field::text("day", ctx.t("cash-receipts-day"), typed)
    };
    let step = |day: Option<Date>, rel: &'static str, key: &str| {
        let day = day.filter(|day| *day <= ctx.backoffice().clock.today())?;
        let href = format!("{}?day={day}", ctx.href(routes::CASH_RECEIPTS));
        Some(view! { <a class="button quiet" rel=rel href=href>{ctx.words.get(key, &[])}</a> })
    };
    view! {
        <form class="filters month" method="get" action=ctx.href(routes::CASH_RECEIPTS)>
            {field.view()}
            <div class="filter-actions">
                <button class="button" type="submit">{ctx.t("month-show")}</button>
                {step(day.previous_day(), "prev", "cash-receipts-before")}
                {step(day.next_day(), "next", "cash-receipts-after")}
            </div>
        </form>
    }
    .into_any()
}

fn spec(ctx: &Ctx) -> ListSpec<'static> {
    ListSpec {
        path: routes::CASH_RECEIPTS,
        class: "cash-receipt-rows",
        headers: vec![
            list::head(ctx, "col-order"),
            list::head(ctx, "col-status"),
            list::head(ctx, "cash-receipt"),
            list::head(ctx, "col-by"),
            list::head(ctx, "col-at"),
            list::figures(ctx, "col-amount"),
        ],
        empty: (ctx.t("cash-receipts-empty"), ctx.t("cash-receipts-empty-hint")),
    }
}

/// What waits for somebody, of all days.
async fn failed(ctx: Ctx, flash: Flash) -> Answer {
    let receipts = backoffice::cash_receipts::failed(ctx.backoffice()).await?;
    let rows: Vec<_> = receipts.iter().map(|receipt| row(&ctx, receipt, None)).collect();
    let nothing = (ctx.t("cash-receipts-failed-none"), String::new());
    let spec = ListSpec { empty: nothing, ..spec(&ctx) };
    let body = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {reconciliation::tabs::tabs(&ctx, routes::CASH_RECEIPTS)}
        <section class="part">
            <h2>{ctx.t("cash-receipts-failed")}</h2>
            <p class="soft lead">{ctx.t("cash-receipts-failed-hint")}</p>
            {list::table(spec, rows)}
        </section>
    };
    Ok(Frame { title: ctx.t("cash-receipts"), active: routes::RECONCILIATION, flash, body: body.into_any() })
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    if query.get("failed").is_some() {
        return failed(ctx, flash).await;
    }
    let today = ctx.backoffice().clock.today();
    let mut typed = Flash::default();
    let day = match query.get("day").map(|text| list::parse_day(&text)) {
        None => today,
        Some(Some(day)) => day,
        Some(None) => {
            typed.errors.insert("day".into(), ctx.t("filter-error-day"));
            today
        }
    };
    let found = backoffice::cash_receipts::day(ctx.backoffice(), day).await?;
    let rows: Vec<_> = found.rows.iter().map(|(receipt, finding)| row(&ctx, receipt, *finding)).collect();
    let read = match found.read_at {
        Some(at) => ctx.tr("cash-receipts-read-at", &[("time", format::full_time(at))]),
        None => ctx.t("cash-receipts-unread"),
    };
    let ask = (ctx.may(Permission::LookUpAtToss) && day <= today).then(|| {
        view! {
            <form method="post" action=ctx.href(ReadCashReceipts::PATH)>
                <input type="hidden" name="day" value=format::iso_day(day)/>
                <button class="button quiet" type="submit">{ctx.t("cash-receipts-read-now")}</button>
            </form>
        }
    });
    let body = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {reconciliation::tabs::tabs(&ctx, routes::CASH_RECEIPTS)}
        {picker(&ctx, day, &typed)}
        <section class="part">
            <h2>{format::iso_day(day)}</h2>
            <div class="read-line"><p class="soft">{read}</p> {ask}</div>
            {sums(&ctx, &found)}
        </section>
        <section class="part">{list::table(spec(&ctx), rows)}</section>
    };
    Ok(Frame { title: ctx.t("cash-receipts"), active: routes::RECONCILIATION, flash, body: body.into_any() })
}
