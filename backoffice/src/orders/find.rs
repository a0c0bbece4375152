//! The list of orders and the one search box. No counting, no offset.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;

use super::{Order, hash_of_email, hash_of_phone};
use crate::{
    Backoffice, Fault,
    audit::{
        Actor,
        access::{self, Access, Whose},
    },
    kernel::{personal, seal::Keyring},
    page::{Cursor, Page, push_keyset, push_span},
};

const COLUMNS: &str = "select o.order_id, rail, origin, order_name, o.amount, o.currency, customer_name,
    customer_mobile_phone, customer_email, user_key, status, method, method_detail, balance_amount, o.payment_key,
    created_at, paid_at, attention,
    exists (select 1 from refunds r where r.payment_key = o.payment_key and r.state = 'unknown') as refund_unknown,
    restricted_at is not null as is_restricted, cleared_at is not null as is_cleared
    from orders o where true";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    /// An order id or the beginning of one, a payment key, a transaction key, a user key, the beginning of the buyer's name,
    /// or a whole phone number or e-mail address.
    pub q: Option<String>,
    pub status: Option<String>,
    pub method: Option<String>,
    /// `[from, to)`, by the time the order came in.
    #[serde(with = "toss::timestamp::option", default)]
    pub from: Option<OffsetDateTime>,
    #[serde(with = "toss::timestamp::option", default)]
    pub to: Option<OffsetDateTime>,
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
    /// Only what waits for a person.
    pub attention: bool,
    /// A user of the mini-app.
    pub user_key: Option<String>,
}

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Order>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    if let Some(q) = &filter.q {
        push_search(&mut query, &backoffice.keys, q);
    }
    if let Some(status) = &filter.status {
        query.push(" and status = ").push_bind(status.clone());
    }
    if let Some(method) = &filter.method {
        query.push(" and method = ").push_bind(method.clone());
    }
    push_span(&mut query, "created_at", filter.from, filter.to);
    if let Some(min) = filter.min {
        query.push(" and o.amount >= ").push_bind(min);
    }
    if let Some(max) = filter.max {
        query.push(" and o.amount <= ").push_bind(max);
    }
    if let Some(user) = &filter.user_key {
        query.push(" and restricted_at is null and user_key = ").push_bind(user.clone());
    }
    if filter.attention {
        query.push(
            " and (attention is not null
                   or o.payment_key in (select payment_key from refunds where state = 'unknown'))",
        );
    }
    push_keyset(&mut query, cursor, "created_at", "o.order_id", size);
    let rows: Vec<Order> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    let rows = rows.into_iter().map(|order| order.open(&backoffice.keys));
    let rows = rows.collect::<Result<Vec<_>, Fault>>()?;
    Ok(Page::new(rows, size, cursor, |order| (order.created_at, order.order_id.clone())))
}

/// The best few for the command palette.
pub async fn search(backoffice: &Backoffice, q: &str, most: usize) -> Result<Vec<Order>, Fault> {
    let filter = Filter { q: Some(q.to_owned()), ..Filter::default() };
    Ok(list(backoffice, &filter, None, most).await?.rows)
}

/// Whom a search looks for, if it is somebody: a phone number, an e-mail address, or a name that was found.
fn somebody<'a>(q: &str, found: impl IntoIterator<Item = &'a Order>) -> Option<(&'static str, String)> {
    let is_name = |order: &Order| {
        order.customer_name.as_deref().is_some_and(|name| name.starts_with(q))
            && !order.order_id.starts_with(q)
    };
    let phone = personal::phone(q).map(|phone| ("phone", phone));
    let email = || personal::email(q).map(|email| ("email", email));
    phone.or_else(email).or_else(|| found.into_iter().any(is_name).then(|| ("name", q.to_owned())))
}

/// Keeps that somebody was looked for. What was found may be shown only after it.
pub async fn note_search(
    backoffice: &Backoffice,
    actor: &Actor,
    q: &str,
    found: &[Order],
) -> Result<(), Fault> {
    let mut connection = backoffice.pool.acquire().await?;
    note_search_in(&mut connection, backoffice, actor, q, found).await
}

/// The same inside of a change.
pub(crate) async fn note_search_in(
    connection: &mut PgConnection,
    backoffice: &Backoffice,
    actor: &Actor,
    q: &str,
    found: &[Order],
) -> Result<(), Fault> {
    let Some((what, words)) = somebody(q, found) else { return Ok(()) };
    let hash = access::hash_of_words(backoffice, what, &words);
    let seen = Access {
        kind: access::Kind::Searched,
        whose: Whose::Words(&hash),
        what: &[what],
        is_masked: true,
        reason: None,
    };
    access::record(connection, backoffice.clock.now(), actor, seen).await
}

/// What searches for somebody are kept by, whichever way these words were meant.
pub fn hashes_of_search(backoffice: &Backoffice, words: &str) -> Vec<String> {
    let of = |what, words: &str| access::hash_of_words(backoffice, what, words);
    match somebody(words, []) {
        Some((what, words)) => vec![of(what, &words)],
        None => vec![of("name", words)],
    }
}

/// Keeps that somebody opened an order that says who bought it. `payment`: what of its payment does, by kind.
pub async fn note_view(
    backoffice: &Backoffice,
    actor: &Actor,
    order: &Order,
    payment: &[&'static str],
) -> Result<(), Fault> {
    let of_order = [
        ("name", order.customer_name.is_some()),
        ("phone", order.customer_mobile_phone.is_some()),
        ("email", order.customer_email.is_some()),
    ];
    let mut what: Vec<&str> =
        of_order.into_iter().filter_map(|(what, is_there)| is_there.then_some(what)).collect();
    what.extend(payment.iter().filter(|kind| !of_order.contains(&(**kind, true))));
    if what.is_empty() {
        return Ok(());
    }
    let seen = Access {
        kind: access::Kind::Viewed,
        whose: Whose::Order(&order.order_id),
        what: &what,
        is_masked: true,
        reason: None,
    };
    access::note(backoffice, actor, seen).await
}

/// Each way of being found has its own index; a union keeps the planner from scanning for an OR.
fn push_search(query: &mut QueryBuilder<Postgres>, keys: &Keyring, q: &str) {
    let prefix = format!("{}%", q.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    query
        .push(" and o.order_id in (select order_id from orders where order_id like ")
        .push_bind(prefix.clone());
    query
        .push(" union select order_id from orders where restricted_at is null and customer_name like ")
        .push_bind(prefix);
    if let Some(hash) = hash_of_phone(keys, q) {
        query.push(" union select order_id from orders where restricted_at is null and customer_mobile_phone_hash = ").push_bind(hash);
    }
    if let Some(hash) = hash_of_email(keys, q) {
        query
            .push(" union select order_id from orders where restricted_at is null and customer_email_hash = ")
            .push_bind(hash);
    }
    query.push(" union select order_id from payments where payment_key = ").push_bind(q.to_owned());
    query.push(" union select order_id from orders where payment_key = ").push_bind(q.to_owned());
    query
        .push(" union select order_id from orders where restricted_at is null and user_key = ")
        .push_bind(q.to_owned());
    query.push(" union select order_id from transactions where transaction_key = ").push_bind(q.to_owned());
    query.push(")");
}
