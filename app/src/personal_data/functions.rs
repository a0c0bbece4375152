//! A copy is asked for, and somebody is erased.

#[cfg(feature = "ssr")]
use backoffice::{
    exports::{self, Request, What, sheet::Format},
    personal_data::{self, EraseError, NoPerson, Person},
    staff::Permission,
};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action},
    audit::access::functions::no_reason,
    context::Ctx,
    explain::{Explain, OrExplain as _},
    exports::request,
    routes,
};

/// A sentence beside the field that holds no such thing.
#[cfg(feature = "ssr")]
pub(super) fn not_a_person(ctx: &Ctx, no: NoPerson) -> (&'static str, String) {
    match no {
        NoPerson::Phone => ("phone", ctx.t("person-error-phone")),
        NoPerson::Email => ("email", ctx.t("person-error-email")),
        NoPerson::UserKey => ("user_key", ctx.t("person-error-user-key")),
        NoPerson::OrderId => ("order_id", ctx.t("order-not-found")),
        NoPerson::Nothing => ("phone", ctx.t("person-error-nothing")),
    }
}

#[cfg(feature = "ssr")]
fn parse(ctx: &Ctx, fields: [&str; 4]) -> Result<Person, AppError> {
    let [phone, email, user_key, order_id] = fields;
    Person::parse(phone, email, user_key, order_id).map_err(|no| {
        let (_, sentence) = not_a_person(ctx, no);
        AppError::form(sentence)
    })
}

/// Where the page of somebody is: with what they were looked for by.
#[cfg(feature = "ssr")]
fn page_of(fields: [&str; 4]) -> String {
    let names = ["phone", "email", "user_key", "order_id"];
    let query = names.iter().zip(fields).filter(|(_, text)| !text.trim().is_empty());
    let query: Vec<_> = query.map(|(name, text)| format!("{name}={}", routes::encode(text))).collect();
    format!("{}?{}", routes::PERSONAL_DATA, query.join("&"))
}

/// Has everything that is kept of somebody written as a file, in the clear.
#[server(prefix = "/fn", endpoint = "copy_personal_data")]
pub async fn copy_personal_data(
    #[server(default)] phone: String,
    #[server(default)] email: String,
    #[server(default)] user_key: String,
    #[server(default)] order_id: String,
    #[server(default)] format: String,
    #[server(default)] reason: String,
) -> Result<(), AppError> {
    let fields = [phone.as_str(), &email, &user_key, &order_id];
    action("copy", &page_of(fields), &[("reason", &reason)], async |ctx| {
        let actor = ctx.allow(Permission::ManagePersonalData)?;
        if !ctx.may(Permission::Export) {
            return Err(AppError::form(ctx.t("person-needs-export")));
        }
        let person = parse(ctx, fields)?;
        let what = What::Person(person.clone());
        let request = Request {
            format: Format::parse(&format).unwrap_or(Format::Xlsx),
            reason: reason.clone(),
            is_masked: false,
            title: request::title(ctx, &what),
            headers: request::headers(ctx, &what),
            words: request::words(ctx, &what),
            what,
        };
        let id = exports::request(ctx.backoffice(), &actor, &request).await.or_explain(ctx)?;
        personal_data::note_copy(ctx.backoffice(), &actor, &person, &reason).await.or_explain(ctx)?;
        Ok(Done::on(routes::export(&id), ctx.t("export-asked")))
    })
    .await
}

/// Erases what no law keeps, and restricts the rest.
#[server(prefix = "/fn", endpoint = "erase_personal_data")]
pub async fn erase_personal_data(
    #[server(default)] phone: String,
    #[server(default)] email: String,
    #[server(default)] user_key: String,
    #[server(default)] order_id: String,
    #[server(default)] reason: String,
) -> Result<(), AppError> {
    let fields = [phone.as_str(), &email, &user_key, &order_id];
    action("erase", &page_of(fields), &[("reason", &reason)], async |ctx| {
        let actor = ctx.allow(Permission::ManagePersonalData)?;
        let person = parse(ctx, fields)?;
        let erased =
            personal_data::erase(ctx.backoffice(), &actor, &person, &reason).await.or_explain(ctx)?;
        Ok(ctx.tr(
            "person-erased",
            &[
                ("erased", erased.orders_erased.to_string()),
                ("restricted", erased.orders_restricted.to_string()),
                ("profiles", erased.profiles_erased.to_string()),
            ],
        ))
    })
    .await
}

#[cfg(feature = "ssr")]
impl Explain for EraseError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Reason(no) => AppError::field("reason", no_reason(ctx, no)),
            Self::Nothing => AppError::form(ctx.t("person-nothing-left")),
            Self::UnderWay(order) => AppError::form(ctx.tr("person-under-way", &[("order", order)])),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}
