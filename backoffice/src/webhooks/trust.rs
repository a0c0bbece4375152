//! How far a delivery can be trusted. The proof comes first; what else is worth a remark comes behind it.

use rust_decimal::Decimal;
use toss::payments::{
    Cancel, Payment,
    webhook::{Event, Subject},
};

text_enum! {
    Badge {
        // --- proofs
        SignatureVerified = "signature_verified",
        SecretMatched = "secret_matched",
        FetchedEqual = "fetched_equal",
        // --- no proof
        FetchedDifferent = "fetched_different",
        UnknownToToss = "unknown_to_toss",
        SecretWrong = "secret_wrong",
        SignatureWrong = "signature_wrong",
        /// Toss signs these events, and this one is not signed.
        SignatureMissing = "signature_missing",
        /// Nothing in it that Toss could be asked about, and no signature.
        NotVerifiable = "not_verifiable",
        Unreadable = "unreadable",
        // --- remarks
        AddressUnlisted = "address_unlisted",
        Duplicate = "duplicate",
        OutOfOrder = "out_of_order",
    }
}

impl Badge {
    /// Those that an honest delivery does not get: somebody should look.
    pub const LOUD: [Self; 5] = [
        Self::FetchedDifferent,
        Self::UnknownToToss,
        Self::SecretWrong,
        Self::SignatureWrong,
        Self::SignatureMissing,
    ];

    /// What such a delivery says is so, or was once.
    pub(super) const TRUE: [Self; 4] =
        [Self::SignatureVerified, Self::SecretMatched, Self::FetchedEqual, Self::OutOfOrder];

    pub(super) fn loud() -> Vec<String> {
        Self::LOUD.iter().map(|badge| badge.as_str().to_owned()).collect()
    }

    pub(super) fn words_of_truth() -> Vec<String> {
        Self::TRUE.iter().map(|badge| badge.as_str().to_owned()).collect()
    }

    /// Anybody can send these: they say nothing of the stream.
    pub(super) fn strangers() -> Vec<String> {
        let others = [Self::AddressUnlisted, Self::Unreadable];
        Self::LOUD.iter().chain(&others).map(|badge| badge.as_str().to_owned()).collect()
    }
}

/// How a body and Toss's own answer stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    Equal,
    /// True once; the payment has moved on since.
    Older,
    Different,
}

/// How far a payment has come. What stands beside this road (aborted, expired) has no place on it.
fn stage(status: &str) -> Option<u8> {
    ["READY", "IN_PROGRESS", "WAITING_FOR_DEPOSIT", "DONE", "PARTIAL_CANCELED", "CANCELED"]
        .iter()
        .position(|s| *s == status)
        .and_then(|at| u8::try_from(at).ok())
}

/// The events whose status is the payment's own.
fn tells_status(event: &Event) -> bool {
    let known = ["PAYMENT_STATUS_CHANGED", "DEPOSIT_CALLBACK", "ORDER_PAYMENT_STATUS_CHANGED"];
    known.contains(&event.event_type.as_str())
        // What Toss adds tomorrow may speak of something else; a word of the payment's is a claim all the same.
        || event.status.as_deref().is_some_and(|s| stage(s).is_some() || matches!(s, "ABORTED" | "EXPIRED"))
}

/// Balances that the payment has had: the whole, and what each of its cancels left.
fn had_balance(payment: &Payment, balance: Decimal) -> bool {
    balance == payment.total_amount
        || payment.cancels().iter().any(|cancel| cancel.refundable_amount == Some(balance))
}

/// Holds what a body claims against the payment that Toss has just answered with. Only what the body says is compared.
/// `secret_matched`: Toss itself wrote it, whatever has happened since.
pub(super) fn compare(event: &Event, payment: &Payment, secret_matched: bool) -> Agreement {
    let claims = &event.claims;
    if claims.unreadable {
        return Agreement::Different;
    }
    let differs = |claim: Option<&str>, truth: &str| claim.is_some_and(|claim| claim != truth);
    if differs(event.order_id.as_deref(), payment.order_id.as_str())
        || differs(event.payment_key.as_deref(), payment.payment_key.as_str())
        || differs(claims.currency.as_deref(), payment.currency())
    {
        return Agreement::Different;
    }
    if event.subject == Subject::Cancel {
        return compare_cancel(event, payment);
    }
    if claims.total_amount.is_some_and(|claim| claim != payment.total_amount) {
        return Agreement::Different;
    }
    let status = event.status.as_deref().filter(|_| tells_status(event));
    let now = payment.status.as_str();
    if status.is_none_or(|said| said == now) {
        return match claims.balance_amount {
            None => Agreement::Equal,
            Some(claim) if claim == payment.balance_amount => Agreement::Equal,
            Some(claim) if claim > payment.balance_amount && had_balance(payment, claim) => Agreement::Older,
            Some(_) => Agreement::Different,
        };
    }
    let said = status.unwrap_or_default();
    let is_whole = claims.balance_amount.is_none_or(|claim| claim == payment.total_amount);
    // A deposit that the bank could not keep is waited for again (toss-api.md A10.4).
    if (said, now) == ("DONE", "WAITING_FOR_DEPOSIT") && secret_matched && is_whole {
        return Agreement::Older;
    }
    let could_be = match said {
        "WAITING_FOR_DEPOSIT" => payment.virtual_account.is_some() && is_whole,
        "PARTIAL_CANCELED" => claims.balance_amount.is_none_or(|claim| had_balance(payment, claim)),
        _ => is_whole,
    };
    match (stage(said), stage(now)) {
        (Some(said), Some(now)) if said < now && could_be => Agreement::Older,
        _ => Agreement::Different,
    }
}

fn compare_cancel(event: &Event, payment: &Payment) -> Agreement {
    let is_meant = |cancel: &&Cancel| match (&event.transaction_key, &event.cancel_request_id) {
        (Some(key), _) => cancel.transaction_key.as_ref().is_some_and(|k| k.as_str() == key),
        (None, Some(id)) => cancel.cancel_request_id.as_ref() == Some(id),
        (None, None) => false,
    };
    let Some(cancel) = payment.cancels().iter().find(is_meant) else { return Agreement::Different };
    if event.claims.cancel_amount.is_some_and(|claim| claim != cancel.cancel_amount) {
        return Agreement::Different;
    }
    // A cancel that is not said to be under way is done.
    let is = cancel.cancel_status.as_ref().map_or("DONE", |status| status.as_str());
    match event.status.as_deref() {
        Some(said) if said == is => Agreement::Equal,
        Some("IN_PROGRESS") => Agreement::Older,
        _ => Agreement::Different,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use toss::payments::webhook;

    use super::*;

    fn payment(status: &str, balance: i64) -> Payment {
        serde_json::from_value(json!({ "version": "2022-11-16", "mId": "shop", "paymentKey": "p", "orderId": "o",
            "orderName": "머그컵", "status": status, "currency": "KRW", "totalAmount": 10_000, "balanceAmount": balance,
            "type": "NORMAL", "requestedAt": "2026-11-20T10:00:00+09:00",
            "cancels": [{ "transactionKey": "c1", "cancelAmount": 4_000, "cancelStatus": "DONE", "cancelReason": "x",
                          "taxFreeAmount": 0, "refundableAmount": 6_000, "canceledAt": "2026-11-20T11:00:00+09:00" }] }))
        .unwrap()
    }

    fn of(event_type: &str, data: Value, payment: &Payment) -> Agreement {
        let body = json!({ "eventType": event_type, "createdAt": "x", "data": data }).to_string();
        compare(&webhook::parse(body.as_bytes()).unwrap(), payment, false)
    }

    #[test]
    fn a_deposit_that_came_undone_is_older_only_from_toss_itself() {
        let mut now = payment("WAITING_FOR_DEPOSIT", 10_000);
        now.cancels = None;
        let body = br#"{"secret":"ps","status":"DONE","transactionKey":"t","orderId":"o"}"#;
        let event = webhook::parse(body).unwrap();
        assert_eq!(compare(&event, &now, true), Agreement::Older);
        assert_eq!(compare(&event, &now, false), Agreement::Different);
    }

    #[test]
    fn what_toss_adds_tomorrow_is_no_lie() {
        let now = payment("PARTIAL_CANCELED", 6_000);
        for data in [json!({ "orderId": "o" }), json!({ "orderId": "o", "status": "SHIPPED" })] {
            assert_eq!(of("ESCROW_CHANGED", data.clone(), &now), Agreement::Equal, "{data}");
        }
    }

    #[test]
    fn a_body_is_held_against_every_figure_it_names() {
        let now = payment("PARTIAL_CANCELED", 6_000);
        let said = |changes: Value| {
            let mut data = json!({ "paymentKey": "p", "orderId": "o", "status": "PARTIAL_CANCELED", "totalAmount": 10_000,
                                   "balanceAmount": 6_000, "currency": "KRW" });
            for (name, value) in changes.as_object().unwrap() {
                data[name] = value.clone();
            }
            of("PAYMENT_STATUS_CHANGED", data, &now)
        };
        assert_eq!(said(json!({})), Agreement::Equal);
        for older in [
            json!({ "status": "DONE", "balanceAmount": 10_000 }),
            json!({ "balanceAmount": 10_000 }),
            json!({ "status": "READY", "balanceAmount": 10_000 }),
        ] {
            assert_eq!(said(older.clone()), Agreement::Older, "{older}");
        }
        for forged in [
            json!({ "status": "CANCELED", "balanceAmount": 0 }),
            json!({ "totalAmount": 1 }),
            json!({ "balanceAmount": 5_999 }),
            json!({ "orderId": "another" }),
            json!({ "currency": "USD" }),
            json!({ "status": "ABORTED" }),
            json!({ "status": "DONE", "balanceAmount": 1 }),
            json!({ "status": "SOMETHING_NEW" }),
            json!({ "balanceAmount": 8_000 }),
            json!({ "balanceAmount": 9_999_999 }),
            json!({ "totalAmount": "1" }),
            json!({ "totalAmount": 1e300 }),
            json!({ "status": "WAITING_FOR_DEPOSIT", "balanceAmount": 10_000 }),
        ] {
            assert_eq!(said(forged.clone()), Agreement::Different, "{forged}");
        }
    }

    #[test]
    fn a_cancel_is_held_against_the_cancel_it_names() {
        let now = payment("PARTIAL_CANCELED", 6_000);
        let said = |data| of("CANCEL_STATUS_CHANGED", data, &now);
        assert_eq!(
            said(json!({ "transactionKey": "c1", "cancelStatus": "DONE", "cancelAmount": 4_000 })),
            Agreement::Equal
        );
        assert_eq!(said(json!({ "transactionKey": "c1", "cancelStatus": "IN_PROGRESS" })), Agreement::Older);
        assert_eq!(said(json!({ "transactionKey": "c1", "cancelStatus": "ABORTED" })), Agreement::Different);
        assert_eq!(
            said(json!({ "transactionKey": "c1", "cancelStatus": "DONE", "cancelAmount": 1 })),
            Agreement::Different
        );
        assert_eq!(said(json!({ "transactionKey": "c9", "cancelStatus": "DONE" })), Agreement::Different);
    }
}
