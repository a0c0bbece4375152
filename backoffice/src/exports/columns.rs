//! The columns of each file: what each is called, in Toss's and our own names, and what stands in it.

use rust_decimal::Decimal;

use super::{Out, What, sheet::Cell};
use crate::{
    audit::{self, access::Record},
    iap::{self, Platform},
    masking::{mask_email, mask_name, mask_phone},
    orders::Order,
    payouts::{Payout, Settled},
    personal_data::Line,
    reconciliation::{
        self, Class,
        differences::{Difference, exchange_rate},
    },
    refunds::Refund,
    reports::{DayOfSales, MethodFees, Vat},
    transactions,
    webhooks::{Delivery, Missing},
};

pub(super) type Column<T> = (&'static str, fn(&Out<'_>, &T) -> Cell);

pub(super) fn names(what: &What) -> Vec<&'static str> {
    fn of<T>(columns: &[Column<T>]) -> Vec<&'static str> {
        columns.iter().map(|(name, _)| *name).collect()
    }
    match what {
        What::Orders(_) => of(ORDERS),
        What::Transactions(_) => of(TRANSACTIONS),
        What::Refunds(_) => of(REFUNDS),
        What::Webhooks(_) => of(WEBHOOKS),
        What::Differences(_) => of(DIFFERENCES),
        What::MissingEvents => of(MISSING_EVENTS),
        What::IapOrders(_) => of(IAP_ORDERS),
        What::Audit(_) => of(AUDIT),
        What::AccessRecords(_) => of(ACCESS_RECORDS),
        What::Person(_) => of(PERSON),
        What::Day(_) => of(DAY),
        What::Payout(_) => of(PAYOUT),
        What::Payouts(_) => of(PAYOUTS),
        What::Sales(_) => of(SALES),
        What::Fees(_) => of(FEES),
        What::Vat(_) => of(VAT),
    }
}

/// Of a sale that is settled in another currency.
fn rate(settled_currency: &Option<String>, moved: Decimal, settled: Decimal) -> Cell {
    settled_currency.as_ref().and_then(|_| exchange_rate(moved, settled)).into()
}

pub(super) const ORDERS: &[Column<Order>] = &[
    ("orderId", |_, o| o.order_id.as_str().into()),
    ("rail", |out, o| out.word(o.rail.as_str())),
    ("status", |out, o| out.word(&o.status)),
    ("method", |_, o| o.method.as_deref().into()),
    ("currency", |_, o| o.currency.as_str().into()),
    ("amount", |_, o| o.amount.into()),
    ("balanceAmount", |_, o| o.balance_amount.into()),
    ("orderName", |_, o| o.order_name.as_str().into()),
    ("customerName", |out, o| out.personal(o.customer_name.as_deref(), mask_name)),
    ("customerMobilePhone", |out, o| out.personal(o.customer_mobile_phone.as_deref(), mask_phone)),
    ("customerEmail", |out, o| out.personal(o.customer_email.as_deref(), mask_email)),
    ("userKey", |_, o| o.shown_user_key().into()),
    ("paymentKey", |_, o| o.payment_key.as_deref().into()),
    ("createdAt", |_, o| o.created_at.into()),
    ("approvedAt", |_, o| o.paid_at.into()),
];

pub(super) const TRANSACTIONS: &[Column<transactions::Row>] = &[
    ("transactionAt", |_, t| t.transaction_at.into()),
    ("transactionKey", |_, t| t.transaction_key.as_str().into()),
    ("orderId", |_, t| t.order_id.as_str().into()),
    ("paymentKey", |_, t| t.payment_key.as_str().into()),
    ("rail", |out, t| out.word(t.rail.as_str())),
    ("method", |_, t| t.method.as_deref().into()),
    ("status", |out, t| out.word(&t.status)),
    ("currency", |_, t| t.currency.as_str().into()),
    ("amount", |_, t| if t.is_outgoing() { (-t.amount).into() } else { t.amount.into() }),
];

pub(super) const REFUNDS: &[Column<Refund>] = &[
    ("requestedAt", |_, r| r.requested_at.into()),
    ("orderId", |_, r| r.order_id.as_str().into()),
    ("origin", |out, r| out.word(r.origin.as_str())),
    ("state", |out, r| out.word(r.state.as_str())),
    ("currency", |_, r| r.currency.as_str().into()),
    ("cancelAmount", |_, r| r.amount.into()),
    ("taxFreeAmount", |_, r| r.tax_free_amount.into()),
    ("reason", |_, r| r.reason.as_str().into()),
    ("requestedBy", |_, r| r.requested_by_name.as_str().into()),
    ("approvedBy", |_, r| r.approved_by_name.as_deref().into()),
    ("settledAt", |_, r| r.settled_at.into()),
    ("transactionKey", |_, r| r.transaction_key.as_deref().into()),
    ("stage", |out, r| r.stage.map(|stage| out.word(stage.as_str())).unwrap_or(Cell::Empty)),
    ("stageAt", |_, r| r.stage_at.into()),
    ("expectedOn", |_, r| r.expected_on.into()),
    ("errorCode", |_, r| r.error_code.as_deref().into()),
];

pub(super) const WEBHOOKS: &[Column<Delivery>] = &[
    ("receivedAt", |_, w| w.received_at.into()),
    ("eventType", |_, w| w.event_type.as_deref().into()),
    ("state", |out, w| out.word(&w.state)),
    ("orderId", |_, w| w.order_id.as_deref().into()),
    ("paymentKey", |_, w| w.payment_key.as_deref().into()),
    ("retriedCount", |_, w| w.retried_count.into()),
    ("badges", |out, w| out.words(w.badges.iter().map(String::as_str))),
];

pub(super) const DIFFERENCES: &[Column<Difference>] = &[
    ("transactionAt", |_, d| d.transaction_at.into()),
    ("class", |out, d| out.word(d.class.as_str())),
    ("findings", |out, d| out.words(d.findings.iter().map(|f| f.as_str()))),
    ("orderId", |_, d| d.order_id.as_str().into()),
    ("transactionKey", |_, d| d.key.to_string().into()),
    ("currency", |_, d| d.currency.as_str().into()),
    ("ours", |_, d| d.ours.into()),
    ("toss", |_, d| d.toss.into()),
    ("settled", |_, d| d.settled.into()),
    ("fee", |_, d| d.fee.into()),
    ("feeDue", |_, d| d.fee_due.into()),
    ("payOutAmount", |_, d| d.payout.into()),
    ("settledCurrency", |_, d| d.settled_currency.as_deref().into()),
    ("exchangeRate", |_, d| {
        rate(&d.settled_currency, if d.toss.is_zero() { d.ours } else { d.toss }, d.settled)
    }),
    ("atStake", |_, d| d.at_stake().into()),
    ("state", |out, d| out.word(d.state.as_str())),
    ("assignee", |_, d| d.assignee_name.as_deref().into()),
    ("note", |_, d| d.reason.as_deref().into()),
];

pub(super) const MISSING_EVENTS: &[Column<Missing>] = &[
    ("transactionAt", |_, m| m.transaction_at.into()),
    ("orderId", |_, m| m.order_id.as_str().into()),
    ("paymentKey", |_, m| m.payment_key.as_str().into()),
    ("transactionKey", |_, m| m.transaction_key.as_str().into()),
    ("status", |out, m| out.word(&m.status)),
    ("currency", |_, m| m.currency.as_str().into()),
    ("amount", |_, m| m.amount.into()),
    ("foundAt", |_, m| m.found_at.into()),
    ("appliedAt", |_, m| m.applied_at.into()),
    ("cameAt", |_, m| m.came_at.into()),
];

pub(super) const IAP_ORDERS: &[Column<iap::Order>] = &[
    ("createdAt", |_, o| o.created_at.into()),
    ("orderId", |_, o| o.order_id.as_str().into()),
    ("userKey", |_, o| o.user_key.map(|key| key.to_string()).into()),
    ("sku", |_, o| o.sku.as_deref().into()),
    ("platform", |_, o| o.platform.map(Platform::as_str).into()),
    ("status", |_, o| o.status.as_deref().into()),
    ("determinedAt", |_, o| o.determined_at.into()),
    ("refundedAt", |_, o| o.refunded_at.into()),
];

pub(super) const AUDIT: &[Column<audit::Row>] = &[
    ("seq", |_, a| a.seq.into()),
    ("at", |_, a| a.at.into()),
    ("actor", |_, a| a.actor_name.as_str().into()),
    ("role", |_, a| a.role.as_deref().into()),
    ("ip", |_, a| a.ip.as_deref().into()),
    ("agent", |_, a| a.agent.as_deref().into()),
    ("factor", |_, a| a.factor.as_deref().into()),
    ("action", |_, a| a.action.as_str().into()),
    ("subjectKind", |_, a| a.subject_kind.as_str().into()),
    ("subject", |_, a| a.subject.as_str().into()),
    ("detail", |_, a| a.detail.to_string().into()),
];

pub(super) const ACCESS_RECORDS: &[Column<Record>] = &[
    ("seq", |_, r| r.seq.into()),
    ("at", |_, r| r.at.into()),
    ("actor", |_, r| r.staff_name.as_str().into()),
    ("ip", |_, r| r.ip.as_deref().into()),
    ("action", |out, r| out.word(r.kind.as_str())),
    ("subjectKind", |_, r| r.subject_kind.as_str().into()),
    ("subject", |_, r| r.subject.as_str().into()),
    ("what", |out, r| out.words(r.what.iter().map(String::as_str))),
    ("masked", |out, r| if r.is_masked { out.word("is_masked") } else { Cell::Empty }),
    ("people", |_, r| r.people.into()),
    ("reason", |_, r| r.reason.as_deref().into()),
];

pub(super) const PERSON: &[Column<Line>] = &[
    ("source", |out, l| out.word(l.source.as_str())),
    ("id", |_, l| l.id.as_str().into()),
    ("at", |_, l| l.at.into()),
    ("field", |_, l| l.field.as_str().into()),
    ("value", |_, l| l.value.as_str().into()),
];

pub(super) const DAY: &[Column<(Class, reconciliation::Row)>] = &[
    ("transactionAt", |_, (_, r)| r.transaction_at.into()),
    ("class", |out, (class, _)| out.word(class.as_str())),
    ("orderId", |_, (_, r)| r.order_id.as_str().into()),
    ("transactionKey", |_, (_, r)| r.transaction_key.as_str().into()),
    ("rail", |out, (_, r)| out.word(r.rail.as_str())),
    ("method", |_, (_, r)| r.method.as_deref().into()),
    ("status", |out, (_, r)| out.word(&r.status)),
    ("currency", |_, (_, r)| r.currency.as_str().into()),
    ("ours", |_, (_, r)| r.ours.into()),
    ("toss", |_, (_, r)| r.toss.into()),
    ("settled", |_, (_, r)| r.settled.into()),
    ("discount", |_, (_, r)| r.discount.into()),
    ("points", |_, (_, r)| r.points.into()),
    ("fee", |_, (_, r)| r.fee.into()),
    ("vat", |_, (_, r)| r.vat.into()),
    ("payOutAmount", |_, (_, r)| r.payout.into()),
    ("settledCurrency", |_, (_, r)| r.settled_currency.as_deref().into()),
    ("exchangeRate", |_, (_, r)| {
        rate(&r.settled_currency, if r.toss.is_zero() { r.ours } else { r.toss }, r.settled)
    }),
    ("paidOutDate", |_, (_, r)| r.paid_out_date.into()),
    ("dueDate", |_, (_, r)| r.due.into()),
    ("isEstimate", |out, (_, r)| if r.is_estimate { out.word("is_estimate") } else { Cell::Empty }),
    ("findings", |out, (_, r)| out.words(r.findings.iter().map(|f| f.as_str()))),
];

pub(super) const PAYOUT: &[Column<Settled>] = &[
    ("soldDate", |_, s| s.sold_date.into()),
    ("orderId", |_, s| s.order_id.as_str().into()),
    ("transactionKey", |_, s| s.transaction_key.as_str().into()),
    ("method", |_, s| s.method.as_deref().into()),
    ("currency", |_, s| s.currency.as_str().into()),
    ("amount", |_, s| s.amount.into()),
    ("discount", |_, s| s.discount.into()),
    ("points", |_, s| s.points.into()),
    ("fee", |_, s| s.fee.into()),
    ("feeBase", |_, s| s.fee_base.into()),
    ("feeInstalment", |_, s| s.fee_instalment.into()),
    ("feeInstalmentDiscount", |_, s| s.fee_instalment_discount.into()),
    ("feePointSaving", |_, s| s.fee_point_saving.into()),
    ("feeOther", |_, s| s.fee_other.into()),
    ("interestFee", |_, s| s.interest_fee.into()),
    ("supplyAmount", |_, s| s.supply_amount.into()),
    ("vat", |_, s| s.vat.into()),
    ("payOutAmount", |_, s| s.pay_out_amount.into()),
    ("transactionAt", |_, s| s.transaction_at.into()),
];

pub(super) const PAYOUTS: &[Column<Payout>] = &[
    ("paidOutDate", |_, p| p.day.into()),
    ("currency", |_, p| p.currency.as_str().into()),
    ("rows", |_, p| p.sums.rows.into()),
    ("amount", |_, p| p.sums.settled.into()),
    ("discount", |_, p| p.sums.discount.into()),
    ("points", |_, p| p.sums.points.into()),
    ("supplyAmount", |_, p| p.sums.supply.into()),
    ("vat", |_, p| p.sums.vat.into()),
    ("payOutAmount", |_, p| p.sums.payout.into()),
    ("atBank", |_, p| p.at_bank.into()),
    ("state", |out, p| out.word(p.state.as_str())),
];

pub(super) const SALES: &[Column<DayOfSales>] = &[
    ("day", |_, s| s.day.into()),
    ("currency", |_, s| s.currency.as_str().into()),
    ("sales", |_, s| s.sales.into()),
    ("refunds", |_, s| s.refunds.into()),
    ("net", |_, s| (s.sales - s.refunds).into()),
];

pub(super) const FEES: &[Column<MethodFees>] = &[
    ("method", |_, f| f.method.as_deref().into()),
    ("currency", |_, f| f.currency.as_str().into()),
    ("rows", |_, f| f.rows.into()),
    ("amount", |_, f| f.amount.into()),
    ("fee", |_, f| f.fee.into()),
    ("feeBase", |_, f| f.fee_base.into()),
    ("feeInstalment", |_, f| f.fee_instalment.into()),
    ("feeInstalmentDiscount", |_, f| f.fee_instalment_discount.into()),
    ("feePointSaving", |_, f| f.fee_point_saving.into()),
    ("feeOther", |_, f| f.fee_other.into()),
    ("interestFee", |_, f| f.interest_fee.into()),
    ("vat", |_, f| f.vat.into()),
];

pub(super) const VAT: &[Column<Vat>] = &[
    ("rail", |out, v| out.word(v.rail.as_str())),
    ("method", |_, v| v.method.as_deref().into()),
    ("currency", |_, v| v.currency.as_str().into()),
    ("sales", |_, v| v.sales.into()),
    ("refunds", |_, v| v.refunds.into()),
    ("total", |_, v| v.total.into()),
    ("supplyAmount", |_, v| v.supply.into()),
    ("vat", |_, v| v.vat.into()),
    ("taxFreeAmount", |_, v| v.tax_free.into()),
    ("untold", |_, v| v.untold.into()),
];
