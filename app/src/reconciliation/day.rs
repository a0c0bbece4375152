//! One day of the books: its sums, its classes, the rows of one class, and the signature under it.

use backoffice::{
    Fault, Rail,
    reconciliation::{
        Class, ClassSums, Day, Finding, Row, Sums,
        close::{Closed, LateRow},
    },
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};
use time::Date;

use super::{
    differences, fee_parts,
    functions::{CloseDay, ReadDay},
    messages::past,
    month::{arithmetic, light},
    tabs,
};
use crate::{
    components::{
        badge, errors, export,
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format,
    orders::messages::method_word,
    routes,
};

/// In an address, the rows that came after the close.
const AFTER_CLOSE: &str = "after_close";

/// Sums of a rail and currency, of all their classes.
fn together(sums: &[ClassSums]) -> Vec<(Rail, String, Sums)> {
    let mut all: Vec<(Rail, String, Sums)> = Vec::new();
    for s in sums {
        match all.iter_mut().find(|(rail, currency, _)| *rail == s.rail && *currency == s.currency) {
            Some((.., sum)) => *sum += s.sums,
            None => all.push((s.rail, s.currency.clone(), s.sums)),
        }
    }
    all
}

/// Only Toss Payments tells what it settles: of the other rails the sum begins with what moved.
fn paid(rail: Rail, all: &Sums) -> Sums {
    if rail == Rail::TossPayments {
        return *all;
    }
    Sums { settled: all.toss, payout: all.toss - all.discount - all.points - all.fee, ..*all }
}

fn rail(ctx: &Ctx, rail: Rail, sums: &[ClassSums], currency: &str, all: &Sums, query: &Query) -> AnyView {
    let unsettled = |sums: &Sums| match rail {
        Rail::TossPayments => format::figures(sums.settled - sums.toss, currency),
        _ => "–".to_owned(),
    };
    let rows = sums
        .iter()
        .filter(|s| s.rail == rail && s.currency == currency)
        .map(|s| {
            let href = query.with("class", s.class.as_str());
            let figure = |amount| format::figures(amount, currency);
            let chosen = query.get("class").as_deref() == Some(s.class.as_str());
            view! {
                <tr>
                    <th scope="row">
                        <a href=href aria-current=chosen.then_some("true")>{badge::badge(differences::messages::class(ctx, s.class))}</a>
                    </th>
                    <td class="n">{s.sums.rows}</td>
                    <td class="n">{figure(s.sums.ours)}</td>
                    <td class="n">{figure(s.sums.toss)}</td>
                    <td class="n">{figure(s.sums.difference())}</td>
                    <td class="n">{figure(s.sums.settled)}</td>
                    <td class="n">{unsettled(&s.sums)}</td>
                    <td class="n">{figure(s.sums.payout)}</td>
                </tr>
            }
        })
        .collect_view();
    let figure = |amount| format::figures(amount, currency);
    let estimate = (all.estimates > 0).then(|| view! { <p class="soft">{ctx.t("estimate-hint")}</p> });
    let name = ctx.words.word("rail", rail.as_str());
    let label = if currency == "KRW" { name } else { format!("{name} · {currency}") };
    view! {
        <section class="card part-of-day">
            <h2>{label.clone()}</h2>
            <div class="pad">{arithmetic(ctx, currency, &paid(rail, all))} {estimate}</div>
            <div class="scroll" tabindex="0" role="region" aria-label=label>
                <table class="reasons sums">
                    <thead>
                        <tr>
                            <th scope="col">{ctx.t("difference-class")}</th>
                            <th scope="col" class="n">{ctx.t("sum-rows")}</th>
                            <th scope="col" class="n">{ctx.t("sum-ours")}</th>
                            <th scope="col" class="n">{ctx.t("sum-toss")}</th>
                            <th scope="col" class="n">{ctx.t("sum-difference")}</th>
                            <th scope="col" class="n">{ctx.t("sum-settled")}</th>
                            <th scope="col" class="n">{ctx.t("sum-unsettled")}</th>
                            <th scope="col" class="n">{ctx.t("sum-payout")}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                    <tfoot>
                        <tr>
                            <th scope="row">{ctx.t("sum")}</th>
                            <td class="n">{all.rows}</td>
                            <td class="n">{figure(all.ours)}</td>
                            <td class="n">{figure(all.toss)}</td>
                            <td class="n">{figure(all.difference())}</td>
                            <td class="n">{figure(all.settled)}</td>
                            <td class="n">{unsettled(all)}</td>
                            <td class="n">{figure(all.payout)}</td>
                        </tr>
                    </tfoot>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn signature(ctx: &Ctx, day: &Day, closed: Option<Closed>, flash: &Flash) -> AnyView {
    if let Some(closed) = closed {
        let late = (day.after_close > 0).then(|| {
            let href = format!("{}?class={AFTER_CLOSE}", ctx.href(&routes::day(day.day)));
            let line = ctx.tr("day-after-close", &[("count", day.after_close.to_string())]);
            view! { <p><a href=href>{line}</a></p> }
        });
        return view! {
            <section class="card pad signed">
                <h2>{ctx.t("day-closed")}</h2>
                <dl class="facts">
                    <dt>{ctx.t("col-by")}</dt><dd>{closed.closed_by_name}</dd>
                    <dt>{ctx.t("col-at")}</dt><dd>{list::time(closed.closed_at)}</dd>
                    <dt>{ctx.t("sum-rows")}</dt><dd>{closed.rows}</dd>
                    <dt>"SHA-256"</dt><dd><code>{closed.hash}</code></dd>
                    {closed.note.map(|note| view! { <dt>{ctx.t("difference-note")}</dt><dd>{note}</dd> })}
                </dl>
                {late}
            </section>
        }
        .into_any();
    }
    if !ctx.may(Permission::Reconcile) {
        return ().into_any();
    }
    let own = flash.form == "close" && flash.is_error;
    let none = Flash::default();
    let flash = if own { flash } else { &none };
    let blocked = if day.day >= ctx.backoffice().clock.today() {
        Some(ctx.t("close-not-over"))
    } else if day.open + day.pending > 0 {
        Some(ctx.tr("close-open", &[("count", (day.open + day.pending).to_string())]))
    } else if day.expected > 0 {
        Some(ctx.tr("close-expected", &[("count", day.expected.to_string())]))
    } else {
        None
    };
    let act = match blocked {
        Some(why) => view! { <p class="soft">{why}</p> }.into_any(),
        None => view! {
            <form method="post" action=ctx.href(CloseDay::PATH)>
                <input type="hidden" name="day" value=day.day.to_string()/>
                {Field::text("note", ctx.t("close-note"), flash).view()}
                <button class="button" type="submit">{ctx.tr("close-do", &[("day", format::iso_day(day.day))])}</button>
            </form>
        }
        .into_any(),
    };
    view! {
        <section class="card pad decide" id="close">
            <h2>{ctx.t("close-heading")}</h2>
            {own.then(|| form::notice(flash))}
            <p class="soft">{ctx.t("close-hint")}</p>
            {act}
        </section>
    }
    .into_any()
}

fn plain_row(ctx: &Ctx, row: Row) -> AnyView {
    let href = ctx.href(&routes::order_on(row.rail, &row.order_id));
    let settled = |amount| match &row.settled_currency {
        Some(other) => format::amount(ctx.words, amount, other),
        None => format::figures(amount, &row.currency),
    };
    let method = row.method.as_deref().map_or_else(|| "–".into(), |m| method_word(ctx, m));
    let waits = row.due.filter(|_| row.findings.contains(&Finding::NotDue));
    let mut notes = match (row.paid_out_date, waits) {
        (Some(paid), _) => vec![ctx.tr("row-paid-out", &[("day", format::iso_day(paid))])],
        (None, Some(due)) => vec![ctx.tr("row-due", &[("day", format::iso_day(due))])],
        (None, None) => Vec::new(),
    };
    let others: Vec<Finding> = row.findings.iter().copied().filter(|f| *f != Finding::NotDue).collect();
    notes.extend(differences::messages::findings(ctx, &others));
    notes.extend(fee_parts::line(
        ctx,
        &row.fee_parts,
        row.settled_currency.as_deref().unwrap_or(&row.currency),
    ));
    let note = notes.join(" · ");
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{row.order_id.clone()}</code></a></td>
            <td class="method">{method}</td>
            <td class="n amount">{format::figures(row.toss, &row.currency)}</td>
            <td class="n fee">{settled(row.fee)}</td>
            <td class="n paid">{settled(row.payout)}</td>
            <td class="what">{note}</td>
            <td class="when">{list::time(row.transaction_at)}</td>
        </tr>
    }
    .into_any()
}

fn late_row(ctx: &Ctx, row: LateRow) -> AnyView {
    let key = if row.occurrence > 1 {
        format!("{}~{}", row.transaction_key, row.occurrence)
    } else {
        row.transaction_key
    };
    let settled = match &row.settled_currency {
        Some(other) => format::amount(ctx.words, row.settled, other),
        None => format::figures(row.settled, &row.currency),
    };
    let tone = Class::parse(&row.class).map(|class| badge::badge(differences::messages::class(ctx, class)));
    view! {
        <tr>
            <td class="id"><code>{key}</code></td>
            <td class="state">{tone}</td>
            <td class="n amount">{format::figures(row.toss, &row.currency)}</td>
            <td class="n paid">{settled}</td>
            <td class="when">{list::time(row.found_at)}</td>
        </tr>
    }
    .into_any()
}

async fn rows(ctx: &Ctx, day: Date, query: &Query, chosen: &str) -> Result<AnyView, Fault> {
    let path = routes::day(day);
    let Ok(cursor) = query.cursor() else { return Ok(list::bad_cursor(ctx, &path)) };
    let backoffice = ctx.backoffice();
    if chosen == AFTER_CLOSE {
        let page =
            backoffice::reconciliation::close::late_rows(backoffice, day, cursor.as_ref(), SIZE).await?;
        let spec = list::ListSpec {
            path: &path,
            class: "late-rows",
            headers: vec![
                ("transactionKey".to_owned(), false),
                list::head(ctx, "difference-class"),
                list::figures(ctx, "sum-toss"),
                list::figures(ctx, "sum-settled"),
                list::head(ctx, "found-at"),
            ],
            empty: (ctx.t("rows-empty"), ctx.t("rows-empty-hint")),
        };
        return Ok(list::view(ctx, query, spec, page, late_row));
    }
    let Some(class) = Class::parse(chosen) else { return Ok(().into_any()) };
    if class.is_difference() {
        let page = backoffice::reconciliation::differences::list_of_day(
            backoffice,
            day,
            class,
            cursor.as_ref(),
            SIZE,
        )
        .await?;
        return Ok(list::view(ctx, query, differences::list::look(ctx, &path), page, differences::list::row));
    }
    let page = backoffice::reconciliation::list_rows(backoffice, day, class, cursor.as_ref(), SIZE).await?;
    let spec = list::ListSpec {
        path: &path,
        class: "book-rows",
        headers: vec![
            list::head(ctx, "col-order"),
            list::head(ctx, "col-method"),
            list::figures(ctx, "col-amount"),
            list::figures(ctx, "fee-with-vat"),
            list::figures(ctx, "sum-payout"),
            list::head(ctx, "col-detail"),
            list::head(ctx, "col-at"),
        ],
        empty: (ctx.t("rows-empty"), ctx.t("rows-empty-hint")),
    };
    Ok(list::view(ctx, query, spec, page, plain_row))
}

pub async fn page(ctx: Ctx, day: String, query: Query) -> Answer {
    let Ok(date) = past(&ctx, &day) else { return Ok(errors::missing(&ctx, ctx.t("day-not-found"))) };
    let mut flash = ctx.take_flash().await;
    let own = flash.clone();
    if own.form == "close" && own.is_error {
        flash.notice = None;
    }
    let (day, sums, closed) = backoffice::reconciliation::get_day(ctx.backoffice(), date).await?;
    // Without a choice, what has to be worked first.
    let first = sums.iter().map(|s| s.class).find(|class| class.is_difference());
    let chosen =
        query.get("class").or_else(|| first.map(|class| class.as_str().to_owned())).unwrap_or_default();
    let parts = together(&sums)
        .iter()
        .map(|(name, currency, all)| rail(&ctx, *name, &sums, currency, all, &query))
        .collect_view();
    let never = sums.is_empty().then(|| {
        view! {
            <div class="empty">
                <p class="empty-title">{ctx.t("day-nothing")}</p>
                <p class="soft">{ctx.t("day-nothing-hint")}</p>
            </div>
        }
    });
    let when = day
        .reconciled_at
        .map(|at| view! { <span class="soft">{ctx.t("reconciled-at")} " " {list::time(at)}</span> });
    let again = ctx.may(Permission::Reconcile).then(|| {
        view! {
            <form method="post" action=ctx.href(ReadDay::PATH)>
                <input type="hidden" name="day" value=date.to_string()/>
                <button class="button quiet" type="submit">{ctx.t("read-day")}</button>
            </form>
        }
    });
    let heading = (!chosen.is_empty()).then(|| {
        let word = match Class::parse(&chosen) {
            Some(class) => differences::messages::class(&ctx, class).1,
            None => ctx.t("after-close"),
        };
        view! { <h2>{word}</h2> }
    });
    let list = rows(&ctx, date, &query, &chosen).await?;
    let month =
        format!("{}?month={}-{:02}", ctx.href(routes::RECONCILIATION), date.year(), u8::from(date.month()));
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")><a href=month>{ctx.t("reconciliation-calendar")}</a></nav>
        <h1>{format::iso_day(date)}</h1>
        {tabs::tabs(&ctx, "")}
        <div class="day-head">{badge::badge(light(&ctx, day.light))} {when} {again}</div>
        {never}
        <div class="two">
            <div class="stack">{parts}</div>
            {signature(&ctx, &day, closed, &own)}
        </div>
        <div class="below">{heading} {list}</div>
        {export::form(&ctx, "day", &Query(vec![("day".to_owned(), date.to_string())]))}
    };
    Ok(Frame { title: format::iso_day(date), active: routes::RECONCILIATION, flash, body: body.into_any() })
}
