//! What we have of somebody.

use toss::apps_in_toss::UserKey;

use super::Person;
use crate::{
    Backoffice, Fault,
    audit::{
        Actor,
        access::{self, Access, Whose},
    },
    kernel::seal::{ORDER_EMAIL, ORDER_PHONE},
};

/// Orders of one person that are looked at at once; whoever has more of them is asked for again.
const MOST: i64 = 10_000;

/// How much of each there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    pub orders: i64,
    /// Of them: what the law has kept and nobody sees.
    pub restricted: i64,
    pub payments: i64,
    pub refunds: i64,
    pub cash_receipts: i64,
    pub returns: i64,
    pub webhooks: i64,
    pub profiles: i64,
    pub messages: i64,
    pub grants: i64,
    pub in_app_purchases: i64,
    /// Who saw any of it.
    pub access_records: i64,
}

impl Found {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The orders of somebody, newest first, those that are restricted already behind the others.
pub async fn orders_of(backoffice: &Backoffice, person: &Person) -> Result<Vec<String>, Fault> {
    let keys = &backoffice.keys;
    let orders = sqlx::query_scalar!(
        r#"select o.order_id from orders o where o.order_id in (
               select order_id from orders where customer_mobile_phone_hash = $1
               union select order_id from orders where customer_email_hash = $2
               union select order_id from orders where user_key = $3
               union select order_id from orders where order_id = $4)
           order by o.restricted_at is not null, o.created_at desc, o.order_id desc limit $5"#,
        person.phone.as_deref().map(|phone| keys.index(ORDER_PHONE, phone)),
        person.email.as_deref().map(|email| keys.index(ORDER_EMAIL, email)),
        person.user_key.map(|key| key.to_string()),
        person.order_id,
        MOST,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(orders)
}

/// The users of the mini-app that somebody is: by what they said, and by their orders.
pub(crate) async fn users_of(
    backoffice: &Backoffice,
    person: &Person,
    orders: &[String],
) -> Result<Vec<i64>, Fault> {
    let keys = sqlx::query_scalar!(
        r#"select distinct user_key as "key!" from orders where order_id = any($1) and user_key is not null"#,
        orders
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let of_orders = keys.iter().filter_map(|key| UserKey::parse(key)).map(|key| key.0);
    let mut users: Vec<i64> = person.user_key.into_iter().chain(of_orders).collect();
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

pub async fn find(backoffice: &Backoffice, person: &Person) -> Result<(Vec<String>, Found), Fault> {
    let orders = orders_of(backoffice, person).await?;
    let users = users_of(backoffice, person, &orders).await?;
    let words: Vec<String> = [("phone", &person.phone), ("email", &person.email)]
        .into_iter()
        .filter_map(|(what, text)| Some(access::hash_of_words(backoffice, what, text.as_deref()?)))
        .collect();
    let found = sqlx::query_as!(
        Found,
        r#"select cardinality($1::text[])::bigint as "orders!",
                  (select count(*) from orders where order_id = any($1) and restricted_at is not null) as "restricted!",
                  (select count(*) from payments where order_id = any($1)) as "payments!",
                  (select count(*) from refunds where order_id = any($1)) as "refunds!",
                  (select count(*) from cash_receipts where order_id = any($1)) as "cash_receipts!",
                  (select count(*) from returns where order_id = any($1)) as "returns!",
                  (select count(*) from webhook_deliveries where order_id = any($1)) as "webhooks!",
                  (select count(*) from toss_users where user_key = any($2) and sealed <> '{}') as "profiles!",
                  (select count(*) from messages where user_key = any($2)) as "messages!",
                  (select count(*) from grants where user_key = any($2)) as "grants!",
                  (select count(*) from iap_orders where user_key = any($2)) as "in_app_purchases!",
                  (select count(*) from access_records
                   where subject_kind = 'order' and subject = any($1) or subject_kind = 'user' and subject = any($2::bigint[]::text[])
                      or subject_kind = 'words' and subject = any($3)
                      or subject_kind = 'export' and subject in (select export_id::text from export_people where order_id = any($1)))
                   as "access_records!""#,
        &orders,
        &users,
        &words,
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok((orders, found))
}

/// Keeps that somebody of the staff looked for somebody.
pub async fn note_find(backoffice: &Backoffice, actor: &Actor, person: &Person) -> Result<(), Fault> {
    let note = async |whose: Whose<'_>, what: &str| {
        let seen =
            Access { kind: access::Kind::Searched, whose, what: &[what], is_masked: true, reason: None };
        access::note(backoffice, actor, seen).await
    };
    for (what, text) in [("phone", &person.phone), ("email", &person.email)] {
        if let Some(text) = text {
            note(Whose::Words(&access::hash_of_words(backoffice, what, text)), what).await?;
        }
    }
    if let Some(key) = person.user_key {
        note(Whose::User(key), "name").await?;
    }
    if let Some(id) = &person.order_id {
        note(Whose::Order(id), "name").await?;
    }
    Ok(())
}
