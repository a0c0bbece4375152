//! Orders: registered by the merchant's server, confirmed with Toss, found by any id a buyer can give.

mod find;

use rust_decimal::Decimal;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::{
    apps_in_toss::{self, UserKey},
    payments::{Method, institutions},
};

pub(crate) use find::note_search_in;
pub use find::{Filter, hashes_of_search, list, note_search, note_view, search};

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor, Author},
    contains_card_number,
    kernel::{
        personal,
        seal::{Keyring, ORDER_EMAIL, ORDER_PHONE},
    },
    money::{self, AmountError},
    rail::Rail,
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Order {
    pub order_id: String,
    pub rail: Rail,
    pub origin: String,
    pub order_name: String,
    pub amount: Decimal,
    pub currency: String,
    pub customer_name: Option<String>,
    pub customer_mobile_phone: Option<String>,
    pub customer_email: Option<String>,
    pub user_key: Option<String>,
    /// Toss's own word.
    pub status: String,
    pub method: Option<String>,
    pub method_detail: Option<String>,
    pub balance_amount: Option<Decimal>,
    pub payment_key: Option<String>,
    pub created_at: OffsetDateTime,
    pub paid_at: Option<OffsetDateTime>,
    pub attention: Option<String>,
    /// A refund whose outcome is not known.
    pub refund_unknown: bool,
    /// The buyer has asked to be forgotten: nobody sees who it was.
    pub is_restricted: bool,
    /// Nothing of it is anybody's any more.
    pub is_cleared: bool,
}

impl Order {
    /// As a query reads it, its contacts sealed.
    fn open(self, keys: &Keyring) -> Result<Self, Fault> {
        if self.is_restricted {
            return Ok(Self {
                customer_name: None,
                customer_mobile_phone: None,
                customer_email: None,
                ..self
            });
        }
        let open = |column: &str, sealed: Option<String>| {
            sealed.map(|sealed| keys.open(column, &sealed)).transpose()
        };
        Ok(Self {
            customer_mobile_phone: open(ORDER_PHONE, self.customer_mobile_phone)?,
            customer_email: open(ORDER_EMAIL, self.customer_email)?,
            ..self
        })
    }

    /// The user key as pages and files may have it.
    pub fn shown_user_key(&self) -> Option<&str> {
        self.user_key.as_deref().filter(|_| !self.is_restricted)
    }

    /// The user of the mini-app.
    pub(crate) fn user(&self) -> Result<UserKey, Fault> {
        let key = self.user_key.as_deref().and_then(UserKey::parse);
        key.ok_or_else(|| Fault::Inconsistent(format!("order {} has no user key", self.order_id)))
    }
}

/// Every method Toss knows: `(Toss's word, its code)`. The last two are of mini-apps.
pub const METHODS: [(&str, &str); 11] = [
    ("카드", "card"),
    ("간편결제", "easy_pay"),
    ("가상계좌", "virtual_account"),
    ("계좌이체", "transfer"),
    ("휴대폰", "mobile_phone"),
    ("문화상품권", "culture_gift_certificate"),
    ("도서문화상품권", "book_gift_certificate"),
    ("게임문화상품권", "game_gift_certificate"),
    ("해외간편결제", "foreign_easy_pay"),
    ("TOSS_MONEY", "toss_money"),
    ("CARD", "toss_pay_card"),
];

/// The name behind a code of [`Order::method_detail`]: the same two characters are a card here and a bank there.
pub fn method_detail_name(method: &str, detail: &str) -> Option<&'static str> {
    match method {
        "TOSS_MONEY" => return apps_in_toss::bank_name(detail),
        "CARD" => return detail.parse().ok().and_then(apps_in_toss::card_name),
        _ => {}
    }
    match Method::from(method) {
        Method::Card => institutions::card_name(detail),
        Method::VirtualAccount | Method::Transfer => institutions::bank_name(detail),
        _ => None,
    }
}

/// An order as the merchant's server registers it.
#[derive(Debug, Clone)]
pub struct NewOrder {
    pub order_id: String,
    pub amount: Decimal,
    pub currency: String,
    pub order_name: String,
    pub customer_name: Option<String>,
    pub customer_mobile_phone: Option<String>,
    pub customer_email: Option<String>,
    pub user_key: Option<String>,
}

/// What is wrong with a new order, by Toss's member name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrder {
    #[error("orderId: 6 to 64 characters of A-Z a-z 0-9 - _ = .")]
    OrderId,
    #[error("amount: {0}")]
    Amount(AmountError),
    #[error("currency: KRW, USD or JPY")]
    Currency,
    #[error("orderName: 1 to 100 characters")]
    OrderName,
    #[error("{0}: too long, or with control characters")]
    Text(&'static str),
    #[error("{0}: a card number that is not masked")]
    CardNumber(&'static str),
}

impl NewOrder {
    /// Parses at the door: inside there is nothing left to check.
    pub fn check(&self) -> Result<(), InvalidOrder> {
        let id = &self.order_id;
        if !(6..=64).contains(&id.len())
            || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=.".contains(&b))
        {
            return Err(InvalidOrder::OrderId);
        }
        if !matches!(self.currency.as_str(), "KRW" | "USD" | "JPY") {
            return Err(InvalidOrder::Currency);
        }
        money::check(self.amount, &self.currency).map_err(InvalidOrder::Amount)?;
        let clean =
            |text: &str, max: usize| text.chars().count() <= max && !text.chars().any(char::is_control);
        if self.order_name.trim().is_empty() || !clean(&self.order_name, 100) {
            return Err(InvalidOrder::OrderName);
        }
        for (name, text) in
            [("orderName", Some(&self.order_name)), ("customerName", self.customer_name.as_ref())]
        {
            if text.is_some_and(|text| contains_card_number(text)) {
                return Err(InvalidOrder::CardNumber(name));
            }
        }
        for (name, text, max) in [
            ("customerName", &self.customer_name, 100),
            ("customerMobilePhone", &self.customer_mobile_phone, 20),
            ("customerEmail", &self.customer_email, 100),
            ("userKey", &self.user_key, 64),
        ] {
            if text.as_deref().is_some_and(|t| !clean(t, max)) {
                return Err(InvalidOrder::Text(name));
            }
        }
        Ok(())
    }

    fn same_as(&self, order: &Order) -> bool {
        // Who bought it is nobody's to compare any more.
        let is_same_buyer = order.is_restricted
            || order.is_cleared
            || (self.customer_name == order.customer_name
                && self.customer_mobile_phone == order.customer_mobile_phone
                && self.customer_email == order.customer_email
                && self.user_key == order.user_key);
        self.amount == order.amount
            && self.currency == order.currency
            && self.order_name == order.order_name
            && is_same_buyer
    }
}

/// What became of a registration.
#[derive(Debug)]
pub enum Registered {
    New(Order),
    /// The very same order was there already.
    Again(Order),
    /// Another order has this id.
    Conflict,
}

/// Keeps an order so that its amount can be compared when the buyer comes back. `new` has passed its check.
pub async fn register(backoffice: &Backoffice, actor: &Actor, new: &NewOrder) -> Result<Registered, Fault> {
    let now = backoffice.clock.now();
    let keys = &backoffice.keys;
    let seal =
        |column: &str, text: &Option<String>| text.as_deref().map(|text| keys.seal(column, text)).transpose();
    let author = Author::of(actor);
    // One statement, and so one way to the database: the order, its row of the audit log, and the mark that this is not sealed.
    let inserted = sqlx::query_as!(
        Order,
        r#"with inserted as (
               insert into orders (order_id, origin, order_name, amount, currency, customer_name, customer_mobile_phone,
                                   customer_email, user_key, status, created_at, updated_at, customer_mobile_phone_hash,
                                   customer_email_hash)
               values ($1, 'merchant', $2, $3, $4, $5, $6, $7, $8, 'READY', $9, $9, $10, $11)
               on conflict (order_id) do nothing returning *
           ), written as (
               insert into audit (at, actor, actor_name, role, ip, agent, factor, action, subject_kind, subject, detail)
               select $9, $12, $13, $14, $15, $16, $17, 'order.registered', 'order', order_id, $18::text::json from inserted
               returning seq
           ), marked as (
               insert into audit_unsealed (seq) select seq from written
           )
           select order_id as "order_id!", rail as "rail!: Rail", origin as "origin!", order_name, amount as "amount!",
                  currency as "currency!", customer_name, customer_mobile_phone, customer_email, user_key,
                  status as "status!", method, method_detail, balance_amount, payment_key, created_at as "created_at!", paid_at,
                  attention, false as "refund_unknown!", false as "is_restricted!", false as "is_cleared!"
           from inserted"#,
        new.order_id,
        new.order_name,
        new.amount,
        new.currency,
        new.customer_name,
        seal(ORDER_PHONE, &new.customer_mobile_phone)?,
        seal(ORDER_EMAIL, &new.customer_email)?,
        new.user_key,
        now,
        new.customer_mobile_phone.as_deref().and_then(|phone| hash_of_phone(keys, phone)),
        new.customer_email.as_deref().and_then(|email| hash_of_email(keys, email)),
        author.actor,
        author.name,
        author.role,
        author.ip,
        author.agent,
        author.factor,
        json!({ "amount": new.amount, "currency": new.currency }).to_string(),
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    if let Some(order) = inserted {
        return Ok(Registered::New(order.open(keys)?));
    }
    let mut connection = backoffice.pool.acquire().await?;
    let order = load(&mut connection, keys, &new.order_id)
        .await?
        .ok_or_else(|| Fault::Inconsistent(format!("order {} is gone", new.order_id)))?;
    Ok(if new.same_as(&order) { Registered::Again(order) } else { Registered::Conflict })
}

/// Locks an order until the end of the transaction. Rows are locked in one order everywhere: order, payment, and what
/// hangs on them. False for one that we do not have.
pub(crate) async fn hold(tx: &mut PgConnection, order_id: &str) -> Result<bool, Fault> {
    let held =
        sqlx::query_scalar!(r#"select 1 as "one!" from orders where order_id = $1 for update"#, order_id)
            .fetch_optional(tx)
            .await?;
    Ok(held.is_some())
}

pub async fn get(backoffice: &Backoffice, order_id: &str) -> Result<Option<Order>, Fault> {
    // PostgreSQL has no text with a NUL in it, so there is no such order either.
    if order_id.contains('\0') {
        return Ok(None);
    }
    let mut connection = backoffice.pool.acquire().await?;
    load(&mut connection, &backoffice.keys, order_id).await
}

/// A person has looked at what was marked.
pub async fn settle_attention(backoffice: &Backoffice, actor: &Actor, order_id: &str) -> Result<bool, Fault> {
    if order_id.contains('\0') {
        return Ok(false);
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let was = sqlx::query_scalar!(
        r#"with old as (select order_id, attention from orders where order_id = $1 and attention is not null for update)
           update orders o set attention = null, updated_at = $2 from old where o.order_id = old.order_id
           returning old.attention as "was!""#,
        order_id,
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(was) = was else { return Ok(false) };
    let act = Act {
        action: "order.attention_settled",
        subject_kind: "order",
        subject: order_id,
        detail: json!({ "attention": was }),
    };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(true)
}

/// What a phone number is found by; nothing where it is none.
fn hash_of_phone(keys: &Keyring, text: &str) -> Option<String> {
    personal::phone(text).map(|phone| keys.index(ORDER_PHONE, phone))
}

fn hash_of_email(keys: &Keyring, text: &str) -> Option<String> {
    personal::email(text).map(|email| keys.index(ORDER_EMAIL, email))
}

pub(crate) async fn load(
    connection: &mut PgConnection,
    keys: &Keyring,
    order_id: &str,
) -> Result<Option<Order>, Fault> {
    let order = sqlx::query_as!(
        Order,
        r#"select o.order_id, rail as "rail: Rail", origin, order_name, o.amount, o.currency, customer_name, customer_mobile_phone,
                  customer_email, user_key, status, method, method_detail, balance_amount, o.payment_key, created_at,
                  paid_at, attention,
                  exists (select 1 from refunds r where r.payment_key = o.payment_key and r.state = 'unknown') as "refund_unknown!",
                  restricted_at is not null as "is_restricted!", cleared_at is not null as "is_cleared!"
           from orders o where o.order_id = $1"#,
        order_id,
    )
    .fetch_optional(connection)
    .await?;
    order.map(|order: Order| order.open(keys)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(order_id: &str, amount: Decimal) -> NewOrder {
        NewOrder {
            order_id: order_id.into(),
            amount,
            currency: "KRW".into(),
            order_name: "머그컵 세트".into(),
            customer_name: None,
            customer_mobile_phone: None,
            customer_email: None,
            user_key: None,
        }
    }

    #[test]
    fn an_order_id_that_could_break_something_is_refused() {
        for id in ["", "short", "a'b\"c;--", "line\nbreak1", "이모지🙂🙂🙂", "a%2fb%2fc", &"x".repeat(10_000)]
        {
            assert_eq!(order(id, Decimal::ONE_HUNDRED).check(), Err(InvalidOrder::OrderId), "{id}");
        }
        assert_eq!(order("ord_8fk2m1", Decimal::ONE_HUNDRED).check(), Ok(()));
        for amount in [Decimal::ZERO, Decimal::NEGATIVE_ONE, Decimal::new(5, 1), Decimal::from(10i64.pow(18))]
        {
            assert!(matches!(order("ord_8fk2m1", amount).check(), Err(InvalidOrder::Amount(_))), "{amount}");
        }
    }
}
