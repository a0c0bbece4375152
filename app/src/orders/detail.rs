//! One order: how much, how much is left, what state; what happened; the refund beside it.

use backoffice::{
    Rail,
    orders::Order,
    payments::Record,
    refunds::{self, eligibility},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{LookUp, SettleAttention},
    messages::{buyer, method_text},
    timeline,
};
use crate::{
    cash_receipts,
    components::{
        badge, errors,
        layout::{Answer, Frame},
    },
    context::Ctx,
    events,
    flash::Flash,
    format,
    islands::Copy,
    refunds::form as refund_form,
    returns, routes,
};

fn fact(name: String, value: AnyView) -> AnyView {
    view! {
        <dt>{name}</dt>
        <dd>{value}</dd>
    }
    .into_any()
}

fn copied(ctx: &Ctx, id: &str) -> AnyView {
    view! {
        <code>{id.to_owned()}</code>
        " "
        <Copy text=id.to_owned() label=ctx.t("copy") done=ctx.t("copied")/>
    }
    .into_any()
}

/// Toss's own name for its key.
fn key_name(order: &Order) -> &'static str {
    if order.rail == Rail::TossPay { "payToken" } else { "paymentKey" }
}

/// Of a mini-app: everything known of the user stands on their page.
fn user(ctx: &Ctx, key: &str) -> AnyView {
    match backoffice::users::parse_key(key) {
        Some(key) => view! { <a href=ctx.href(&routes::user(key.0))><code>{key.0}</code></a> }.into_any(),
        None => copied(ctx, key),
    }
}

fn head(ctx: &Ctx, order: &Order, record: Option<&Record>) -> AnyView {
    let money = |amount| format::amount(ctx.words, amount, &order.currency);
    let left = order
        .balance_amount
        .filter(|_| order.paid_at.is_some() || order.status == "WAITING_FOR_DEPOSIT")
        .map(|left| ctx.tr("order-left", &[("amount", money(left))]));
    let contact = [
        order.customer_mobile_phone.as_deref().map(format::mask_phone),
        order.customer_email.as_deref().map(format::mask_email),
    ];
    let who =
        std::iter::once(buyer(order)).chain(contact.into_iter().flatten()).collect::<Vec<_>>().join(" · ");
    let method = method_text(ctx, order.method.as_deref(), order.method_detail.as_deref());
    let account =
        record.and_then(|r| r.raw.pointer("/virtualAccount/accountNumber")?.as_str().map(str::to_owned));
    let card = record.and_then(|r| {
        r.raw.pointer("/card/number").or(r.raw.pointer("/card/cardNumber"))?.as_str().map(str::to_owned)
    });
    let number = card.or(account.map(|a| format::mask_number(&a)));
    let failure = record.and_then(Record::failure);
    let failure = failure.and_then(|(code, documented)| format::with_code(documented, Some(&code)));
    let attention = order.attention.as_deref().map(|why| {
        let settle = ctx.may(Permission::Refund).then(|| {
            view! {
                <form method="post" action=ctx.href(SettleAttention::PATH)>
                    <input type="hidden" name="order_id" value=order.order_id.clone()/>
                    <button class="link" type="submit">{ctx.t("attention-settle")}</button>
                </form>
            }
        });
        view! {
            <div class="notice bad" role="note">
                <strong>{ctx.words.word("attention", why)}</strong>
                {settle}
            </div>
        }
    });
    let look_up = ctx.may(Permission::LookUpAtToss).then(|| {
        view! {
            <form method="post" action=ctx.href(LookUp::PATH)>
                <input type="hidden" name="order_id" value=order.order_id.clone()/>
                <button class="button quiet" type="submit">{ctx.t("look-up")}</button>
            </form>
        }
    });
    let calls = ctx.href(&routes::toss_calls_of(&order.order_id));
    let fetched = record.map(|r| ctx.tr("order-fetched", &[("time", format::short_time(r.fetched_at))]));
    view! {
        <section class="card order-head">
            {attention}
            {order.is_restricted.then(|| view! { <p class="notice" role="note">{ctx.t("order-restricted")}</p> })}
            {badge::badge(badge::order_status(ctx, order))}
            <p class="sum">
                <strong>{money(order.amount)}</strong>
                <span class="soft">{left}</span>
            </p>
            <dl class="facts">
                {fact(ctx.t("col-product"), order.order_name.clone().into_any())}
                {fact(ctx.t("col-buyer"), who.into_any())}
                {fact(ctx.t("col-method"), [Some(method), number].into_iter().flatten().collect::<Vec<_>>().join(" · ").into_any())}
                {order.payment_key.as_deref().map(|key| fact(key_name(order).into(), copied(ctx, key)))}
                {fact("orderId".into(), copied(ctx, &order.order_id))}
                {order.shown_user_key().map(|key| fact("userKey".into(), user(ctx, key)))}
                {failure.map(|text| fact(ctx.t("order-failure"), text.into_any()))}
            </dl>
            <div class="actions">
                {look_up}
                <span class="soft">{fetched}</span>
                <a class="link" href=calls>{ctx.t("toss-calls-of-order")}</a>
            </div>
        </section>
    }
    .into_any()
}

/// The Payment as Toss sent it, without what is personal or secret.
fn raw(ctx: &Ctx, record: &Record) -> AnyView {
    let mut body = record.raw.clone();
    format::redact(&mut body);
    let text = serde_json::to_string_pretty(&body).unwrap_or_default();
    view! {
        <details class="card raw">
            <summary>{ctx.t("order-raw")}</summary>
            <pre tabindex="0" aria-label=ctx.t("order-raw")>{text}</pre>
        </details>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, order_id: String) -> Answer {
    let mut flash = ctx.take_flash().await;
    let Some(order) = backoffice::orders::get(ctx.backoffice(), &order_id).await? else {
        return Ok(errors::missing(&ctx, ctx.t("order-not-found")));
    };
    // From below to above: neither the history nor the form knows of something that the head does not.
    let filter = refunds::Filter { order_id: Some(order.order_id.clone()), ..refunds::Filter::default() };
    let (audit, deliveries, refunds) = story(&ctx, &order, &filter).await?;
    let record = match &order.payment_key {
        Some(key) => backoffice::payments::get(ctx.backoffice(), key).await?,
        None => None,
    };
    let order = backoffice::orders::get(ctx.backoffice(), &order_id).await?.unwrap_or(order);
    let record = if order.is_restricted { record.map(Record::without_persons) } else { record };
    if let Some(actor) = ctx.actor() {
        let of_payment = record.as_ref().map(Record::personal).unwrap_or_default();
        backoffice::orders::note_view(ctx.backoffice(), &actor, &order, &of_payment).await?;
    }
    let payment = record.as_ref().map(Record::payment).transpose()?;
    let may = payment.as_ref().map(|payment| eligibility(payment, ctx.backoffice().clock.now()));
    let of = |form: &str| if flash.form == form { flash.clone() } else { Flash::default() };
    let (refund_flash, return_flash, receipt_flash) = (of("refund"), of("return"), of("cash-receipt"));
    let now = ctx.backoffice().clock.now();
    let facts = match refunds.iter().find(|refund| refund.is_overdue(now)) {
        Some(refund) => Some(backoffice::refunds::facts(ctx.backoffice(), refund).await?),
        None => None,
    };
    let waits = refunds.iter().find(|refund| refund.state == refunds::State::WaitingForApproval);
    let account = match waits {
        Some(refund) => refunds::account_facts(ctx.backoffice(), refund).await?,
        None => None,
    };
    let own = match (&may, &record) {
        (Some(may), Some(record)) if may.needs_account => {
            refunds::own_account(ctx.backoffice(), &record.payment_key).await?
        }
        _ => None,
    };
    let kept = backoffice::returns::get_open(ctx.backoffice(), &order.order_id).await?;
    let paid = order.paid_at.is_some();
    let mut receipts = backoffice::cash_receipts::of_order(ctx.backoffice(), &order.order_id).await?;
    if order.is_restricted {
        receipts.iter_mut().for_each(|receipt| receipt.identity_masked = None);
    }
    let room = payment.as_ref().and_then(|payment| backoffice::cash_receipts::room(payment, &receipts));
    if matches!(flash.form.as_str(), "refund" | "return" | "cash-receipt") && flash.is_error {
        // Said inside the form, beside what it is about.
        flash.notice = None;
    }
    let beside = refund_form::Beside {
        may: may.as_ref(),
        refunds: &refunds,
        facts: facts.as_ref(),
        account: account.as_ref(),
        own: own.as_ref(),
        for_return: kept.is_some(),
    };
    let told = events::of_order::view(&ctx, &order.order_id).await?;
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::ORDERS)>{ctx.t("nav-orders")}</a>
            " / "
            <h1><code>{order.order_id.clone()}</code></h1>
        </nav>
        <div class="two order">
            {head(&ctx, &order, record.as_ref())}
            <div class="beside">
                {refund_form::view(&ctx, &order, &beside, &refund_flash)}
                {paid.then(|| returns::clock::view(&ctx, &order.order_id, kept.as_ref(), &return_flash))}
                {cash_receipts::section::view(&ctx, &order.order_id, &receipts, room, &receipt_flash)}
            </div>
            <div class="stack story">
                {timeline::view(&ctx, &audit, &deliveries)}
                {told}
                {record.as_ref().map(|r| raw(&ctx, r))}
            </div>
        </div>
    };
    Ok(Frame { title: order.order_id, active: routes::ORDERS, flash, body: body.into_any() })
}

type Story =
    (Vec<backoffice::audit::Row>, Vec<backoffice::webhooks::Delivery>, Vec<backoffice::refunds::Refund>);

async fn story(ctx: &Ctx, order: &Order, filter: &refunds::Filter) -> Result<Story, backoffice::Fault> {
    let audit = backoffice::audit::of_subject(&ctx.backoffice().pool, "order", &order.order_id).await?;
    let deliveries = backoffice::webhooks::of_order(ctx.backoffice(), &order.order_id).await?;
    let refunds = backoffice::refunds::history(ctx.backoffice(), filter, None, 100).await?.rows;
    Ok((audit, deliveries, refunds))
}
