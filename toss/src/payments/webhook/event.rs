//! Reading a body. Nothing in here is proven: it says what somebody claims.

use rust_decimal::Decimal;
use serde_json::Value;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Payment,
    /// `CANCEL_STATUS_CHANGED`: names neither order nor payment, only the cancel itself.
    Cancel,
    Payout,
    Seller,
    BillingKey,
    Customer,
    /// An event Toss has added since, or one that names nothing we know.
    Other,
}

impl Subject {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Cancel => "cancel",
            Self::Payout => "payout",
            Self::Seller => "seller",
            Self::BillingKey => "billing_key",
            Self::Customer => "customer",
            Self::Other => "other",
        }
    }
}

/// What a body says of a payment, as far as it says it; to be held against what Toss answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    pub total_amount: Option<Decimal>,
    pub balance_amount: Option<Decimal>,
    pub cancel_amount: Option<Decimal>,
    pub currency: Option<String>,
    /// One of the amounts is there and is none.
    pub unreadable: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `DEPOSIT_CALLBACK` for the flat envelope, which names none.
    pub event_type: String,
    pub created_at: Option<String>,
    pub subject: Subject,
    /// Of the subject: payment key (or order id), payout, seller, billing key, customer.
    pub subject_id: Option<String>,
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    pub status: Option<String>,
    pub transaction_key: Option<String>,
    pub cancel_request_id: Option<String>,
    pub secret: Option<String>,
    pub claims: Claims,
    /// Equal for all deliveries of the same event.
    pub dedup_key: Option<String>,
    /// Every id that stands in the body, for a search.
    pub ids: Vec<String>,
}

/// Ids of one body that are kept for a search.
const IDS: usize = 40;
/// Longer ones are no ids.
const ID_LENGTH: usize = 200;

fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// A number, also one in quotes; what is there and is neither is said to be unreadable.
fn amount(value: &Value, key: &str, unreadable: &mut bool) -> Option<Decimal> {
    let text = match value.get(key)? {
        Value::Null => return None,
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.trim().to_owned(),
        _ => String::new(),
    };
    let amount = text.parse().or_else(|_| Decimal::from_scientific(&text)).ok();
    *unreadable |= amount.is_none();
    amount
}

/// Members whose name says that they identify something.
fn ids(value: &Value, found: &mut Vec<String>) {
    let names_an_id = |name: &str| {
        name == "id"
            || name.ends_with("Id")
            || (name.ends_with("Key") && name != "apiKey")
            || name == "destination"
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(id)
                        if names_an_id(name)
                            && !id.is_empty()
                            && id.len() <= ID_LENGTH
                            && found.len() < IDS
                            && !found.contains(id) =>
                    {
                        found.push(id.clone());
                    }
                    other => ids(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        _ => {}
    }
}

/// Reads any of the three envelopes; `None` is "kept, but not understood".
pub fn parse(body: &[u8]) -> Option<Event> {
    let root: Value = serde_json::from_slice(body).ok()?;
    let created_at = text(&root, "createdAt");
    let event_type = text(&root, "eventType");
    let mut known = Vec::new();
    ids(&root, &mut known);

    if let Some(entity) = root.get("entityBody").filter(|e| e.is_object()) {
        let event_type = event_type?;
        let subject = match (text(&root, "entityType").as_deref(), event_type.split('.').next()) {
            (Some("payout"), _) | (None, Some("payout")) => Subject::Payout,
            (Some("seller"), _) | (None, Some("seller")) => Subject::Seller,
            _ => Subject::Other,
        };
        return Some(Event {
            event_type,
            created_at,
            subject,
            subject_id: text(entity, "id"),
            order_id: None,
            payment_key: None,
            status: text(entity, "status"),
            transaction_key: None,
            cancel_request_id: None,
            secret: None,
            claims: Claims::default(),
            dedup_key: text(&root, "eventId"),
            ids: known,
        });
    }
    // The guide's sample wraps the deposit callback in `data`; the real one is flat (Part C4).
    let data = root.get("data").filter(|d| d.is_object()).unwrap_or(&root);
    // LinkPay carries the payment inside.
    let data = data.get("payment").filter(|p| p.is_object()).unwrap_or(data);
    let order_id = text(data, "orderId");
    let payment_key = text(data, "paymentKey");
    let status = text(data, "status").or_else(|| text(data, "cancelStatus"));
    let secret = text(data, "secret").or_else(|| text(&root, "secret"));
    let transaction_key = text(data, "lastTransactionKey").or_else(|| text(data, "transactionKey"));
    let cancel_request_id = text(data, "cancelRequestId");
    let event_type = match event_type {
        Some(named) => named,
        None if secret.is_some() && transaction_key.is_some() && order_id.is_some() => {
            "DEPOSIT_CALLBACK".to_owned()
        }
        None => return None,
    };
    let (billing_key, customer_key) = (text(data, "billingKey"), text(data, "customerKey"));
    let (subject, subject_id) = if event_type == "CANCEL_STATUS_CHANGED" {
        (Subject::Cancel, transaction_key.clone().or_else(|| cancel_request_id.clone()))
    } else if event_type.starts_with("BILLING") && billing_key.is_some() {
        (Subject::BillingKey, billing_key)
    } else if payment_key.is_some() || order_id.is_some() {
        (Subject::Payment, payment_key.clone().or_else(|| order_id.clone()))
    } else if customer_key.is_some() {
        (Subject::Customer, customer_key)
    } else if event_type.starts_with("PAYOUT") {
        (Subject::Payout, text(data, "id").or_else(|| text(data, "payoutKey")))
    } else {
        (Subject::Other, None)
    };
    let mut unreadable = false;
    let mut claimed = |key| amount(data, key, &mut unreadable);
    let (total_amount, balance_amount, cancel_amount) =
        (claimed("totalAmount"), claimed("balanceAmount"), claimed("cancelAmount"));
    let claims =
        Claims { total_amount, balance_amount, cancel_amount, currency: text(data, "currency"), unreadable };
    // Payments and cancels move from transaction to transaction; of the others, only the time tells two events apart.
    let turn = match subject {
        Subject::Payment | Subject::Cancel => transaction_key.as_deref(),
        _ => created_at.as_deref(),
    };
    let dedup_key = subject_id
        .as_deref()
        .map(|id| format!("{event_type}|{id}|{}|{}", status.as_deref().unwrap_or("-"), turn.unwrap_or("-")));
    Some(Event {
        event_type,
        created_at,
        subject,
        subject_id,
        order_id,
        payment_key,
        status,
        transaction_key,
        cancel_request_id,
        secret,
        claims,
        dedup_key,
        ids: known,
    })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    fn read(body: &str) -> Event {
        parse(body.as_bytes()).unwrap()
    }

    const PAYMENT: &str = r#"{"createdAt":"2026-01-02T14:46:59.65327","eventType":"PAYMENT_STATUS_CHANGED","data":{"mId":"shop","paymentKey":"p","orderId":"o","status":"DONE","lastTransactionKey":"t","totalAmount":37400,"balanceAmount":37400,"currency":"KRW","cancels":null}}"#;
    const DEPOSIT: &str = r#"{"createdAt":"2022-01-01T00:00:00.000000","secret":"ps_x","status":"DONE","transactionKey":"9FF1","orderId":"a4CWyWY5m89PNh7xJwhk1"}"#;
    const CANCEL: &str = r#"{"eventType":"CANCEL_STATUS_CHANGED","createdAt":"x","data":{"transactionKey":"t1","cancelAmount":1000.5,"cancelStatus":"DONE","cancelRequestId":"my-cancel-0001"}}"#;
    const PAYOUT: &str = r#"{"eventType":"payout.changed","createdAt":"2024-08-08T12:00:00+09:00","version":"2022-11-16","eventId":"e1","entityType":"payout","entityBody":{"id":"FPA_12345","refPayoutId":"my-payout-1","destination":"seller-1","status":"COMPLETED"}}"#;
    const SELLER: &str = r#"{"eventType":"seller.changed","createdAt":"x","eventId":"e2","entityType":"seller","entityBody":{"id":"s1","refSellerId":"my-seller-1","status":"APPROVED"}}"#;
    const BILLING: &str = r#"{"eventType":"BILLING_DELETED","createdAt":"c","data":{"billingKey":"b1","reason":"삭제 API 요청"}}"#;
    const METHOD: &str = r#"{"eventType":"METHOD_UPDATED","createdAt":"c","data":{"customerKey":"cu1","methodKey":"m1","status":"ENABLED"}}"#;
    const CUSTOMER: &str = r#"{"eventType":"CUSTOMER_STATUS_CHANGED","createdAt":"c","data":{"customerKey":"cu1","status":"CREATED","changedAt":"2022-01-01T00:00:00+09:00"}}"#;
    const LINK: &str = r#"{"eventType":"ORDER_PAYMENT_STATUS_CHANGED","createdAt":"c","data":{"orderKey":"ok1","amount":1,"payment":{"paymentKey":"p","orderId":"o","status":"DONE"}}}"#;

    #[test]
    fn every_documented_event_is_linked_to_what_it_is_about() {
        let about = |body| {
            let event = read(body);
            (event.event_type, event.subject, event.subject_id.unwrap(), event.status)
        };
        let expected = [
            (PAYMENT, "PAYMENT_STATUS_CHANGED", Subject::Payment, "p", Some("DONE")),
            (DEPOSIT, "DEPOSIT_CALLBACK", Subject::Payment, "a4CWyWY5m89PNh7xJwhk1", Some("DONE")),
            (CANCEL, "CANCEL_STATUS_CHANGED", Subject::Cancel, "t1", Some("DONE")),
            (PAYOUT, "payout.changed", Subject::Payout, "FPA_12345", Some("COMPLETED")),
            (SELLER, "seller.changed", Subject::Seller, "s1", Some("APPROVED")),
            (BILLING, "BILLING_DELETED", Subject::BillingKey, "b1", None),
            (METHOD, "METHOD_UPDATED", Subject::Customer, "cu1", Some("ENABLED")),
            (CUSTOMER, "CUSTOMER_STATUS_CHANGED", Subject::Customer, "cu1", Some("CREATED")),
            (LINK, "ORDER_PAYMENT_STATUS_CHANGED", Subject::Payment, "p", Some("DONE")),
        ];
        for (body, event_type, subject, id, status) in expected {
            assert_eq!(
                about(body),
                (event_type.into(), subject, id.into(), status.map(str::to_owned)),
                "{body}"
            );
        }
    }

    #[test]
    fn every_id_of_a_body_can_be_searched_for() {
        for id in ["FPA_12345", "my-payout-1", "seller-1", "e1"] {
            assert!(read(PAYOUT).ids.contains(&id.to_owned()), "{id}");
        }
        assert!(read(LINK).ids.contains(&"ok1".to_owned()));
        assert!(read(METHOD).ids.contains(&"m1".to_owned()));
        assert!(read(CANCEL).ids.contains(&"my-cancel-0001".to_owned()));
    }

    #[test]
    fn amounts_are_read_exactly() {
        assert_eq!(read(CANCEL).claims.cancel_amount, Some("1000.5".parse().unwrap()));
        assert_eq!(read(PAYMENT).claims.total_amount, Some(37_400.into()));
    }

    #[test]
    fn the_deposit_callback_of_the_guide_is_wrapped_and_means_the_same() {
        let wrapped = read(&format!(r#"{{"createdAt":"x","data":{DEPOSIT}}}"#));
        assert_eq!(wrapped.event_type, "DEPOSIT_CALLBACK");
        assert_eq!(wrapped.dedup_key, read(DEPOSIT).dedup_key);
        assert_eq!(wrapped.secret.as_deref(), Some("ps_x"));
    }

    #[test]
    fn the_shape_of_2022_and_what_toss_adds_tomorrow_are_read() {
        let old = read(
            r#"{"eventType":"PAYMENT_STATUS_CHANGED","data":{"paymentKey":"p","orderId":"o","status":"CANCELED"}}"#,
        );
        assert_eq!((old.subject, old.status.as_deref()), (Subject::Payment, Some("CANCELED")));
        let new = read(
            r#"{"eventType":"moon.changed","eventId":"e9","entityType":"moon","entityBody":{"id":"luna"}}"#,
        );
        assert_eq!((new.subject, new.subject_id.as_deref()), (Subject::Other, Some("luna")));
        assert_eq!(read(r#"{"eventType":"TIDE_CHANGED","data":{}}"#).subject, Subject::Other);
    }

    #[test]
    fn two_events_are_one_only_when_they_say_the_same() {
        let part = PAYMENT.replace(r#""lastTransactionKey":"t""#, r#""lastTransactionKey":"t2""#);
        assert_ne!(read(PAYMENT).dedup_key, read(&part).dedup_key);
        let later = METHOD.replace(r#""createdAt":"c""#, r#""createdAt":"d""#);
        assert_ne!(read(METHOD).dedup_key, read(&later).dedup_key);
        // A retry is the same event.
        assert_eq!(read(PAYOUT).dedup_key, read(PAYOUT).dedup_key);
    }

    #[test]
    fn what_is_no_event_is_none() {
        for body in [r#"{"hello":1}"#, "null", "[]", "7", "{", r#"{"entityBody":{}}"#] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
        }
        assert_eq!(parse(b"\xff\x00"), None);
        assert_eq!(parse("[".repeat(100_000).as_bytes()), None);
    }

    /// Real bodies with bytes changed, cut, doubled and put together: far more of them are nearly right than pure noise.
    #[test]
    fn a_million_random_bodies_panic_nowhere() {
        let seeds = [PAYMENT, DEPOSIT, CANCEL, PAYOUT, SELLER, BILLING, METHOD, CUSTOMER, LINK];
        let mut rng = SmallRng::seed_from_u64(0x0070_5500);
        let mut understood = 0;
        for _ in 0..1_000_000 {
            let mut body = seeds[rng.random_range(0..seeds.len())].as_bytes().to_vec();
            for _ in 0..rng.random_range(0..4) {
                let at = rng.random_range(0..body.len());
                match rng.random_range(0..5) {
                    0 => body[at] = rng.random(),
                    1 => body.truncate(at.max(1)),
                    2 => body.insert(at, b"{}[]\",:0e-\\u\0"[rng.random_range(0..13)]),
                    3 => drop(body.drain(at..(at + rng.random_range(0..20)).min(body.len()))),
                    _ => {
                        let other = seeds[rng.random_range(0..seeds.len())].as_bytes();
                        body.extend_from_slice(&other[rng.random_range(0..other.len())..]);
                    }
                }
                if body.is_empty() {
                    body.push(b'{');
                }
            }
            understood += usize::from(parse(&body).is_some());
        }
        assert!((200_000..900_000).contains(&understood), "{understood} of a million were read");
    }
}
