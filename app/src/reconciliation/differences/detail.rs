//! One difference: what each side says, why it is one, what can be done, and what was.

use backoffice::{
    Decimal,
    reconciliation::{
        Finding,
        differences::{Difference, Key, State, Step, exchange_rate},
    },
    settlements::FeeParts,
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{
        AcceptDifference, AssignDifference, CorrectDifference, DecideDifference, LookIntoDifference,
        NoteDifference,
    },
    messages,
};
use crate::{
    components::{
        badge, errors,
        form::{self, Field},
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    flash::Flash,
    format,
    orders::messages::method_word,
    reconciliation::fee_parts,
    routes,
};

fn sides(ctx: &Ctx, d: &Difference, parts: Option<&FeeParts>) -> AnyView {
    let has = |finding| d.findings.contains(&finding);
    // The row's currency goes without saying; another one does not.
    let in_own = |amount: Decimal, currency: &Option<String>| match currency {
        Some(other) => format::amount(ctx.words, amount, other),
        None => format::figures(amount, &d.currency),
    };
    let figure = |amount: Decimal| in_own(amount, &d.settled_currency);
    let absent = || ctx.t("side-absent");
    let second = d.key.occurrence > 1;
    let ours = if has(Finding::NotBooked) || second { absent() } else { in_own(d.ours, &d.booked_currency) };
    let toss = if has(Finding::NotListed) || has(Finding::ListNotRead) || second {
        absent()
    } else {
        in_own(d.toss, &None)
    };
    let rate = d.settled_currency.as_ref().and_then(|settled| {
        let moved = if d.toss.is_zero() { d.ours } else { d.toss };
        let rate = exchange_rate(moved, d.settled)?;
        let words = [("settled", settled.clone()), ("rate", rate.to_string()), ("currency", d.currency.clone())];
        Some(view! { <dt>{ctx.t("exchange-rate")}</dt><dd class="n">{ctx.tr("exchange-rate-of", &words)}</dd> })
    });
    let is_settled = !d.settled.is_zero() || !d.payout.is_zero();
    let settled = if is_settled { figure(d.settled) } else { absent() };
    let fee_due = d.fee_due.filter(|due| is_settled && *due != d.fee).map(|due| {
        view! { <dt>{ctx.t("fee-due")}</dt><dd class="n">{figure(due)}</dd> }
    });
    let currency = d.settled_currency.as_deref().unwrap_or(&d.currency);
    let parts = parts.and_then(|parts| fee_parts::line(ctx, parts, currency));
    let parts = parts.map(|line| view! { <dt></dt><dd class="soft">{line}</dd> });
    let money = is_settled.then(|| {
        view! {
            <dt>{ctx.t("fee-with-vat")}</dt><dd class="n">{figure(d.fee)}</dd>
            {fee_due}
            {parts}
            <dt>{ctx.t("sum-payout")}</dt><dd class="n">{figure(d.payout)}</dd>
        }
    });
    view! {
        <dl class="facts wide sides">
            <dt>{ctx.t("side-ours")}</dt><dd class="n">{ours}</dd>
            <dt>{ctx.t("side-toss")}</dt><dd class="n">{toss}</dd>
            <dt>{ctx.t("side-settled")}</dt><dd class="n">{settled}</dd>
            {rate}
            {money}
        </dl>
    }
    .into_any()
}

fn head(ctx: &Ctx, d: &Difference, parts: Option<&FeeParts>) -> AnyView {
    let why = messages::findings(ctx, &d.findings)
        .into_iter()
        .map(|sentence| view! { <li>{sentence}</li> })
        .collect_view();
    let order = ctx.href(&routes::order_on(d.rail, &d.order_id));
    let method = d.method.as_deref().map_or_else(|| "–".into(), |m| method_word(ctx, m));
    let late = d.after_close.then(|| badge::badge(("waiting", ctx.t("after-close"))));
    let due = d.due.map(|due| view! { <dt>{ctx.t("due-on")}</dt><dd>{format::iso_day(due)}</dd> });
    view! {
        <section class="card order-head">
            <div class="badges">
                {badge::badge(messages::class(ctx, d.class))}
                {badge::badge(messages::state(ctx, d.state))}
                {late}
            </div>
            <p class="sum">
                <strong>{format::amount(ctx.words, d.at_stake(), &d.currency)}</strong>
                <span class="soft">{ctx.t("at-stake")}</span>
            </p>
            <ul class="terms">{why}</ul>
            {sides(ctx, d, parts)}
            <dl class="facts">
                <dt>{ctx.t("col-order")}</dt><dd><a href=order><code>{d.order_id.clone()}</code></a></dd>
                <dt>"transactionKey"</dt><dd><code>{d.key.transaction_key.clone()}</code></dd>
                <dt>{ctx.t("col-method")}</dt><dd>{method}</dd>
                <dt>{ctx.t("col-at")}</dt><dd>{list::time(d.transaction_at)}</dd>
                <dt>{ctx.t("day-of-books")}</dt>
                <dd><a href=ctx.href(&routes::day(d.day))>{format::iso_day(d.day)}</a></dd>
                {due}
            </dl>
        </section>
    }
    .into_any()
}

fn note_field(ctx: &Ctx, id: &str, label: &str, flash: &Flash) -> AnyView {
    Field { id: Some(id.to_owned()), ..Field::text("note", ctx.words.get(label, &[]), flash) }.view()
}

fn button(ctx: &Ctx, path: &str, key: &Key, class: &'static str, word: String) -> AnyView {
    view! {
        <form method="post" action=ctx.href(path)>
            <input type="hidden" name="key" value=key.to_string()/>
            <button class=class type="submit">{word}</button>
        </form>
    }
    .into_any()
}

fn decide(ctx: &Ctx, d: &Difference, flash: &Flash) -> AnyView {
    let asked = ctx.tr(
        "difference-requested-by",
        &[
            ("who", d.requested_by_name.clone().unwrap_or_else(|| "–".into())),
            ("reason", d.reason.clone().unwrap_or_default()),
        ],
    );
    let own = ctx.visitor.staff.as_ref().is_some_and(|staff| Some(staff.id) == d.requested_by);
    let agree = if own {
        view! { <p class="soft">{ctx.t("difference-own")}</p> }.into_any()
    } else {
        view! {
            <form method="post" action=ctx.href(DecideDifference::PATH)>
                <input type="hidden" name="key" value=d.key.to_string()/>
                <input type="hidden" name="agree" value="1"/>
                <button class="button" type="submit">
                    {ctx.tr("difference-agree", &[("amount", format::amount(ctx.words, d.at_stake(), &d.currency))])}
                </button>
            </form>
        }
        .into_any()
    };
    view! {
        <div class="waiting-box">
            <p>{asked}</p>
            {agree}
        </div>
        <form class="decline" method="post" action=ctx.href(DecideDifference::PATH)>
            <input type="hidden" name="key" value=d.key.to_string()/>
            {note_field(ctx, "give-back", "difference-give-back-why", flash)}
            <button class="button quiet" type="submit">{ctx.t("difference-give-back")}</button>
        </form>
    }
    .into_any()
}

fn work(ctx: &Ctx, d: &Difference, flash: &Flash) -> AnyView {
    if !ctx.may(Permission::Reconcile) {
        return ().into_any();
    }
    let own = flash.form == "difference";
    let none = Flash::default();
    let flash = if own { flash } else { &none };
    let error = (own && flash.is_error).then(|| form::notice(flash));
    let mine = ctx.visitor.staff.as_ref().is_some_and(|staff| Some(staff.id) == d.assignee);
    let assign = if mine { "difference-give-up" } else { "difference-take" };
    let open = d.state == State::Open;
    let correct = (open && d.is_correctable()).then(|| {
        view! {
            <details class="confirm">
                <summary>{ctx.t("difference-correct")}</summary>
                <p>{ctx.t("difference-correct-hint")}</p>
                {button(ctx, CorrectDifference::PATH, &d.key, "button danger", ctx.t("difference-correct-do"))}
            </details>
        }
    });
    let accept = open.then(|| {
        let hint = if d.at_stake().is_zero() { "difference-accept-alone" } else { "difference-accept-two" };
        view! {
            <h3>{ctx.t("difference-accept")}</h3>
            <p class="soft">{ctx.words.get(hint, &[])}</p>
            <form method="post" action=ctx.href(AcceptDifference::PATH)>
                <input type="hidden" name="key" value=d.key.to_string()/>
                {note_field(ctx, "accept", "difference-accept-why", flash)}
                <button class="button quiet" type="submit">{ctx.t("difference-accept-do")}</button>
            </form>
        }
    });
    let decide = (d.state == State::PendingApproval).then(|| decide(ctx, d, flash));
    view! {
        <section class="card pad decide" id="work">
            <h2>{ctx.t("difference-work")}</h2>
            {error}
            {decide}
            <div class="actions">
                {button(ctx, LookIntoDifference::PATH, &d.key, "button", ctx.t("difference-look"))}
                {button(ctx, AssignDifference::PATH, &d.key, "button quiet", ctx.words.get(assign, &[]))}
            </div>
            {correct}
            {accept}
            <h3>{ctx.t("difference-note")}</h3>
            <form method="post" action=ctx.href(NoteDifference::PATH)>
                <input type="hidden" name="key" value=d.key.to_string()/>
                {note_field(ctx, "just-note", "difference-note-what", &none)}
                <button class="button quiet" type="submit">{ctx.t("difference-note-do")}</button>
            </form>
        </section>
    }
    .into_any()
}

/// A person's name, or what we call a job or a program.
fn who(ctx: &Ctx, name: &str) -> String {
    let program = ctx.words.word("actor", name);
    if program == name { ctx.words.word("job", name) } else { program }
}

fn history(ctx: &Ctx, steps: Vec<Step>) -> AnyView {
    let steps = steps
        .into_iter()
        .map(|step| {
            // What a run of the books wrote down is a class; what people write is their own words.
            let note = step.note.map(|note| ctx.words.word("class", &note));
            view! {
                <li>
                    <span class="dot ended" aria-hidden="true"></span>
                    <div>
                        <span class="event">{ctx.words.word("difference-step", &step.kind)}</span>
                        <p class="soft">{[Some(who(ctx, &step.actor_name)), note].into_iter().flatten().collect::<Vec<_>>().join(" · ")}</p>
                    </div>
                    {list::time(step.at)}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <h2>{ctx.t("difference-history")}</h2>
            <ol class="timeline">{steps}</ol>
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, key: String) -> Answer {
    let key = Key::parse(&key);
    let Some(difference) = backoffice::reconciliation::differences::get(ctx.backoffice(), &key).await? else {
        return Ok(errors::missing(&ctx, ctx.t("difference-not-found")));
    };
    let mut flash = ctx.take_flash().await;
    let own = flash.clone();
    if own.form == "difference" && own.is_error {
        flash.notice = None;
    }
    let (transaction, occurrence) = (&key.transaction_key, key.occurrence);
    let parts = backoffice::settlements::fee_parts(ctx.backoffice(), transaction, occurrence).await?;
    let steps = backoffice::reconciliation::differences::steps(ctx.backoffice(), &key).await?;
    let title = format!("{} {}", messages::class(&ctx, difference.class).1, difference.order_id);
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::DIFFERENCES)>{ctx.t("reconciliation-differences")}</a>
        </nav>
        <h1>{title.clone()}</h1>
        <div class="two">
            <div class="stack">{head(&ctx, &difference, parts.as_ref())} {history(&ctx, steps)}</div>
            {work(&ctx, &difference, &own)}
        </div>
    };
    Ok(Frame { title, active: routes::RECONCILIATION, flash, body: body.into_any() })
}
