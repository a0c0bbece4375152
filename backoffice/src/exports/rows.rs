//! What stands in each file: its columns, and the rows page by page as the lists on the screen read them.

use std::future::Future;

use futures::TryStreamExt as _;
use rust_decimal::Decimal;

use super::{Out, What, sheet::Cell};
use crate::{
    Backoffice, Fault, audit, iap,
    masking::{mask_email, mask_name, mask_phone},
    orders,
    page::{Cursor, Page},
    payouts,
    reconciliation::{self, Class, Sums, differences::exchange_rate},
    refunds, reports, transactions, webhooks,
};

/// Rows that are read at once.
const PAGE: usize = 1000;

fn arithmetic(sums: &Sums) -> [Cell; 6] {
    [sums.settled, sums.discount, sums.points, sums.supply, sums.vat, sums.payout].map(Cell::Number)
}

pub(super) fn columns(what: &What) -> &'static [&'static str] {
    match what {
        What::Orders(_) => &[
            "orderId",
            "rail",
            "status",
            "method",
            "currency",
            "amount",
            "balanceAmount",
            "orderName",
            "customerName",
            "customerMobilePhone",
            "customerEmail",
            "userKey",
            "paymentKey",
            "createdAt",
            "approvedAt",
        ],
        What::Transactions(_) => &[
            "transactionAt",
            "transactionKey",
            "orderId",
            "paymentKey",
            "rail",
            "method",
            "status",
            "currency",
            "amount",
        ],
        What::Refunds(_) => &[
            "requestedAt",
            "orderId",
            "state",
            "currency",
            "cancelAmount",
            "reason",
            "requestedBy",
            "approvedBy",
            "settledAt",
            "transactionKey",
            "errorCode",
        ],
        What::Webhooks(_) => {
            &["receivedAt", "eventType", "state", "orderId", "paymentKey", "retriedCount", "badges"]
        }
        What::Differences(_) => &[
            "transactionAt",
            "class",
            "findings",
            "orderId",
            "transactionKey",
            "currency",
            "ours",
            "toss",
            "settled",
            "fee",
            "feeDue",
            "payOutAmount",
            "settledCurrency",
            "exchangeRate",
            "atStake",
            "state",
            "assignee",
            "note",
        ],
        What::MissingEvents => &[
            "transactionAt",
            "orderId",
            "paymentKey",
            "transactionKey",
            "status",
            "currency",
            "amount",
            "foundAt",
            "appliedAt",
            "cameAt",
        ],
        What::IapOrders(_) => {
            &["createdAt", "orderId", "userKey", "sku", "platform", "status", "determinedAt", "refundedAt"]
        }
        What::Audit(_) => &["seq", "at", "actor", "action", "subjectKind", "subject", "detail"],
        What::Day(_) => &[
            "transactionAt",
            "class",
            "orderId",
            "transactionKey",
            "rail",
            "method",
            "status",
            "currency",
            "ours",
            "toss",
            "settled",
            "discount",
            "points",
            "fee",
            "vat",
            "payOutAmount",
            "settledCurrency",
            "exchangeRate",
            "paidOutDate",
            "dueDate",
            "isEstimate",
            "findings",
        ],
        What::Payout(_) => &[
            "soldDate",
            "orderId",
            "transactionKey",
            "method",
            "currency",
            "amount",
            "discount",
            "points",
            "fee",
            "feeBase",
            "feeInstalment",
            "feeOther",
            "supplyAmount",
            "vat",
            "payOutAmount",
            "transactionAt",
        ],
        What::Payouts(_) => &[
            "paidOutDate",
            "currency",
            "rows",
            "amount",
            "discount",
            "points",
            "supplyAmount",
            "vat",
            "payOutAmount",
            "atBank",
            "state",
        ],
        What::Sales(_) => &["day", "currency", "sales", "refunds", "net"],
        What::Fees(_) => {
            &["method", "currency", "rows", "amount", "fee", "feeBase", "feeInstalment", "feeOther", "vat"]
        }
        What::Vat(_) => &[
            "rail",
            "method",
            "currency",
            "sales",
            "refunds",
            "total",
            "supplyAmount",
            "vat",
            "taxFreeAmount",
            "untold",
        ],
    }
}

/// Reads a list to its end, newest first, and writes a row for each.
async fn every<'a, T, F, R>(
    out: &mut Out<'a>,
    mut read: impl FnMut(Option<Cursor>) -> F,
    row: R,
) -> Result<(), Fault>
where
    F: Future<Output = Result<Page<T>, Fault>>,
    R: Fn(&Out<'a>, T) -> Vec<Cell>,
{
    let mut cursor = None;
    loop {
        let page = read(cursor.take()).await?;
        for item in page.rows {
            let cells = row(out, item);
            out.row(cells).await?;
        }
        match page.older {
            Some(older) => cursor = Some(older),
            None => return Ok(()),
        }
    }
}

fn text(value: Option<String>) -> Cell {
    value.map_or(Cell::Empty, Cell::Text)
}

pub(super) async fn write(backoffice: &Backoffice, what: &What, out: &mut Out<'_>) -> Result<(), Fault> {
    match what {
        What::Orders(filter) => {
            let read =
                |at: Option<Cursor>| async move { orders::list(backoffice, filter, at.as_ref(), PAGE).await };
            every(out, read, |out, o| {
                vec![
                    o.order_id.into(),
                    out.word(o.rail.as_str()),
                    out.word(&o.status),
                    text(o.method),
                    o.currency.into(),
                    Cell::Number(o.amount),
                    o.balance_amount.into(),
                    o.order_name.into(),
                    out.personal(o.customer_name.as_deref(), mask_name),
                    out.personal(o.customer_mobile_phone.as_deref(), mask_phone),
                    out.personal(o.customer_email.as_deref(), mask_email),
                    text(o.user_key),
                    text(o.payment_key),
                    Cell::At(o.created_at),
                    o.paid_at.into(),
                ]
            })
            .await
        }
        What::Transactions(filter) => {
            let read = |at: Option<Cursor>| async move {
                transactions::list(backoffice, filter, at.as_ref(), PAGE).await
            };
            every(out, read, |out, t| {
                let amount = if t.is_outgoing() { -t.amount } else { t.amount };
                vec![
                    Cell::At(t.transaction_at),
                    t.transaction_key.into(),
                    t.order_id.into(),
                    t.payment_key.into(),
                    out.word(t.rail.as_str()),
                    text(t.method),
                    out.word(&t.status),
                    t.currency.into(),
                    Cell::Number(amount),
                ]
            })
            .await
        }
        What::Refunds(filter) => {
            let read = |at: Option<Cursor>| async move {
                refunds::list(backoffice, filter, at.as_ref(), PAGE).await
            };
            every(out, read, |out, r| {
                vec![
                    Cell::At(r.requested_at),
                    r.order_id.into(),
                    out.word(r.state.as_str()),
                    r.currency.into(),
                    Cell::Number(r.amount),
                    r.reason.into(),
                    r.requested_by_name.into(),
                    text(r.approved_by_name),
                    r.settled_at.into(),
                    text(r.transaction_key),
                    text(r.error_code),
                ]
            })
            .await
        }
        What::Webhooks(filter) => {
            let read = |at: Option<Cursor>| async move {
                webhooks::list(backoffice, filter, at.as_ref(), PAGE).await
            };
            every(out, read, |out, w| {
                vec![
                    Cell::At(w.received_at),
                    text(w.event_type),
                    out.word(&w.state),
                    text(w.order_id),
                    text(w.payment_key),
                    w.retried_count.into(),
                    out.words(w.badges.iter().map(String::as_str)),
                ]
            })
            .await
        }
        What::Differences(filter) => {
            let read = |at: Option<Cursor>| async move {
                reconciliation::differences::list(backoffice, filter, at.as_ref(), PAGE).await
            };
            every(out, read, |out, d| {
                let at_stake = d.at_stake();
                vec![
                    Cell::At(d.transaction_at),
                    out.word(d.class.as_str()),
                    out.words(d.findings.iter().map(|f| f.as_str())),
                    d.order_id.into(),
                    d.key.to_string().into(),
                    d.currency.into(),
                    Cell::Number(d.ours),
                    Cell::Number(d.toss),
                    Cell::Number(d.settled),
                    Cell::Number(d.fee),
                    d.fee_due.into(),
                    Cell::Number(d.payout),
                    text(d.settled_currency.clone()),
                    rate(&d.settled_currency, if d.toss.is_zero() { d.ours } else { d.toss }, d.settled),
                    Cell::Number(at_stake),
                    out.word(d.state.as_str()),
                    text(d.assignee_name),
                    text(d.reason),
                ]
            })
            .await
        }
        What::MissingEvents => {
            let read = |at: Option<Cursor>| async move {
                webhooks::missing::list(backoffice, at.as_ref(), PAGE).await
            };
            every(out, read, |out, m| {
                vec![
                    Cell::At(m.transaction_at),
                    m.order_id.into(),
                    m.payment_key.into(),
                    m.transaction_key.into(),
                    out.word(&m.status),
                    m.currency.into(),
                    Cell::Number(m.amount),
                    Cell::At(m.found_at),
                    m.applied_at.into(),
                    m.came_at.into(),
                ]
            })
            .await
        }
        What::IapOrders(filter) => {
            let read = |at: Option<Cursor>| async move {
                iap::orders::list(backoffice, filter, at.as_ref(), PAGE).await
            };
            every(out, read, |_, o| {
                vec![
                    Cell::At(o.created_at),
                    o.order_id.into(),
                    text(o.user_key.map(|key| key.to_string())),
                    text(o.sku),
                    text(o.platform.map(|platform| platform.as_str().to_owned())),
                    text(o.status),
                    o.determined_at.into(),
                    o.refunded_at.into(),
                ]
            })
            .await
        }
        What::Audit(filter) => {
            let read = |at: Option<Cursor>| async move {
                audit::list(&backoffice.pool, filter, at.as_ref(), PAGE).await
            };
            every(out, read, |_, a| {
                vec![
                    Cell::Count(a.seq),
                    Cell::At(a.at),
                    a.actor_name.into(),
                    a.action.into(),
                    a.subject_kind.into(),
                    a.subject.into(),
                    a.detail.to_string().into(),
                ]
            })
            .await
        }
        What::Day(day) => {
            for class in Class::ALL {
                let read = |at: Option<Cursor>| async move {
                    reconciliation::list_rows(backoffice, *day, class, at.as_ref(), PAGE).await
                };
                every(out, read, |out, r| {
                    vec![
                        Cell::At(r.transaction_at),
                        out.word(class.as_str()),
                        r.order_id.into(),
                        r.transaction_key.into(),
                        out.word(r.rail.as_str()),
                        text(r.method),
                        out.word(&r.status),
                        r.currency.into(),
                        Cell::Number(r.ours),
                        Cell::Number(r.toss),
                        Cell::Number(r.settled),
                        Cell::Number(r.discount),
                        Cell::Number(r.points),
                        Cell::Number(r.fee),
                        Cell::Number(r.vat),
                        Cell::Number(r.payout),
                        text(r.settled_currency.clone()),
                        rate(&r.settled_currency, if r.toss.is_zero() { r.ours } else { r.toss }, r.settled),
                        r.paid_out_date.into(),
                        r.due.into(),
                        if r.is_estimate { out.word("is_estimate") } else { Cell::Empty },
                        out.words(r.findings.iter().map(|f| f.as_str())),
                    ]
                })
                .await?;
            }
            Ok(())
        }
        What::Payout(day) => {
            let mut rows = payouts::settlements(backoffice, *day);
            while let Some(s) = rows.try_next().await? {
                let mut cells: Vec<Cell> = vec![
                    Cell::Day(s.sold_date),
                    s.order_id.into(),
                    s.transaction_key.into(),
                    text(s.method),
                    s.currency.into(),
                ];
                cells.extend([s.amount, s.discount, s.points, s.fee].map(Cell::Number));
                cells.extend([s.fee_base, s.fee_instalment, s.fee_other].map(Cell::from));
                cells.extend([s.supply_amount, s.vat].map(Cell::from));
                cells.extend([Cell::Number(s.pay_out_amount), Cell::At(s.transaction_at)]);
                out.row(cells).await?;
            }
            Ok(())
        }
        What::Payouts(span) => {
            for p in payouts::list(backoffice, span.from, span.to).await? {
                let mut cells = vec![Cell::Day(p.day), p.currency.into(), Cell::Count(p.sums.rows)];
                cells.extend(arithmetic(&p.sums));
                cells.extend([Cell::Number(p.at_bank), out.word(p.state.as_str())]);
                out.row(cells).await?;
            }
            Ok(())
        }
        What::Sales(span) => {
            for s in reports::sales(backoffice, span.from, span.to).await? {
                let money = [s.sales, s.refunds, s.sales - s.refunds].map(Cell::Number);
                let mut cells = vec![Cell::Day(s.day), s.currency.into()];
                cells.extend(money);
                out.row(cells).await?;
            }
            Ok(())
        }
        What::Fees(span) => {
            for f in reports::fees(backoffice, span.from, span.to).await? {
                let mut cells = vec![text(f.method), f.currency.into(), Cell::Count(f.rows)];
                let money: [Decimal; 6] = [f.amount, f.fee, f.fee_base, f.fee_instalment, f.fee_other, f.vat];
                cells.extend(money.map(Cell::Number));
                out.row(cells).await?;
            }
            Ok(())
        }
        What::Vat(span) => {
            for v in reports::vat(backoffice, span.from, span.to).await? {
                let mut cells = vec![out.word(v.rail.as_str()), text(v.method), v.currency.into()];
                cells.extend([v.sales, v.refunds].map(Cell::Count));
                cells.extend([v.total, v.supply, v.vat, v.tax_free].map(Cell::Number));
                cells.push(Cell::Count(v.untold));
                out.row(cells).await?;
            }
            Ok(())
        }
    }
}

/// Of a sale that is settled in another currency.
fn rate(settled_currency: &Option<String>, moved: Decimal, settled: Decimal) -> Cell {
    settled_currency.as_ref().and_then(|_| exchange_rate(moved, settled)).into()
}
