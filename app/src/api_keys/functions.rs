//! Keys are made, changed, given a new secret, and taken back.

#[cfg(feature = "ssr")]
use backoffice::{
    api_keys::{self, Change, Limits, Scope},
    leaving,
    money::{self, AmountError},
    staff::Permission,
};
use leptos::prelude::*;
#[cfg(feature = "ssr")]
use secrecy::ExposeSecret as _;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id},
    context::Ctx,
    explain::{self, OrExplain as _},
    routes,
};

/// What a form of a key has, as it was typed.
#[cfg(feature = "ssr")]
struct Typed<'a> {
    name: &'a str,
    scopes: &'a [String],
    one_refund: &'a str,
    per_day: &'a str,
    grants_per_day: &'a str,
    per_minute: &'a str,
    days: &'a str,
}

#[cfg(feature = "ssr")]
impl Typed<'_> {
    fn fields<'b>(&'b self, chosen: &'b str) -> [(&'static str, &'b str); 7] {
        [
            ("name", self.name),
            ("scopes", chosen),
            ("one_refund", self.one_refund),
            ("per_day", self.per_day),
            ("grants_per_day", self.grants_per_day),
            ("per_minute", self.per_minute),
            ("days", self.days),
        ]
    }

    fn read(&self, ctx: &Ctx) -> Result<Change, AppError> {
        let scopes = self.scopes.iter().map(|word| Scope::parse(word)).collect::<Option<Vec<_>>>();
        let scopes = scopes.ok_or_else(|| AppError::field("scopes", ctx.t("api-key-error-scopes")))?;
        let limits = Limits {
            one_refund: won(ctx, "one_refund", self.one_refund)?,
            per_day: won(ctx, "per_day", self.per_day)?,
            grants_per_day: whole(ctx, "grants_per_day", self.grants_per_day)?,
        };
        let per_minute = whole(ctx, "per_minute", self.per_minute)?;
        let days = whole(ctx, "days", self.days)?;
        // What does not fit into the number is refused where the others are.
        let per_minute = per_minute.map(|calls| i32::try_from(calls).unwrap_or(i32::MAX));
        let days = days.map(|days| u16::try_from(days).unwrap_or(u16::MAX));
        Ok(Change { name: self.name.to_owned(), scopes, limits, per_minute, days })
    }
}

/// Won as typed; nothing means no limit, and zero that a person is always asked.
#[cfg(feature = "ssr")]
fn won(ctx: &Ctx, field: &'static str, text: &str) -> Result<Option<backoffice::Decimal>, AppError> {
    match text.trim() {
        "" => Ok(None),
        "0" => Ok(Some(backoffice::Decimal::ZERO)),
        text => money::parse(text, "KRW")
            .map(Some)
            .map_err(|error| AppError::field(field, explain::amount(ctx, error))),
    }
}

#[cfg(feature = "ssr")]
fn whole(ctx: &Ctx, field: &'static str, text: &str) -> Result<Option<i64>, AppError> {
    let text = text.trim().replace(',', "");
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| *number >= 0);
    let wrong = || AppError::field(field, explain::amount(ctx, AmountError::NotANumber));
    number.ok_or_else(wrong).map(Some)
}

/// Makes a key; its secret is shown on the page that comes next, and nowhere else.
#[server(prefix = "/fn", endpoint = "add_api_key")]
pub async fn add_api_key(
    #[server(default)] name: String,
    #[server(default)] scopes: Vec<String>,
    #[server(default)] one_refund: String,
    #[server(default)] per_day: String,
    #[server(default)] grants_per_day: String,
    #[server(default)] per_minute: String,
    #[server(default)] days: String,
) -> Result<(), AppError> {
    let typed = Typed {
        name: &name,
        scopes: &scopes,
        one_refund: &one_refund,
        per_day: &per_day,
        grants_per_day: &grants_per_day,
        per_minute: &per_minute,
        days: &days,
    };
    let chosen = scopes.join(" ");
    action("api-key-new", &format!("{}#new", routes::API_KEYS), &typed.fields(&chosen), async |ctx| {
        let actor = ctx.allow(Permission::ManageApiKeys)?;
        let new = typed.read(ctx)?;
        let (id, secret) = api_keys::add(ctx.backoffice(), &actor, &new).await.or_explain(ctx)?;
        let done = Done::on(routes::api_key(&id), ctx.tr("api-key-added", &[("name", new.name)]));
        Ok(done.showing("secret", secret.expose_secret().to_owned()))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "change_api_key")]
pub async fn change_api_key(
    #[server(default)] id: String,
    #[server(default)] name: String,
    #[server(default)] scopes: Vec<String>,
    #[server(default)] one_refund: String,
    #[server(default)] per_day: String,
    #[server(default)] grants_per_day: String,
    #[server(default)] per_minute: String,
) -> Result<(), AppError> {
    let typed = Typed {
        name: &name,
        scopes: &scopes,
        one_refund: &one_refund,
        per_day: &per_day,
        grants_per_day: &grants_per_day,
        per_minute: &per_minute,
        days: "",
    };
    let chosen = scopes.join(" ");
    let page = format!("{}#change", routes::api_key(&id));
    action("api-key-change", &page, &typed.fields(&chosen), async |ctx| {
        let actor = ctx.allow(Permission::ManageApiKeys)?;
        let (id, change) = (parse_id(ctx, &id)?, typed.read(ctx)?);
        api_keys::change(ctx.backoffice(), &actor, id, &change).await.or_explain(ctx)?;
        Ok(ctx.t("api-key-changed"))
    })
    .await
}

/// A new secret, shown on the page that comes next; the one before holds for a day.
#[server(prefix = "/fn", endpoint = "rotate_api_key")]
pub async fn rotate_api_key(#[server(default)] id: String) -> Result<(), AppError> {
    action("api-key-secret", &routes::api_key(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageApiKeys)?;
        let id = parse_id(ctx, &id)?;
        let secret = api_keys::rotate(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        let done = Done::from(ctx.t("api-key-rotated"));
        Ok(done.showing("secret", secret.expose_secret().to_owned()))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "revoke_api_key")]
pub async fn revoke_api_key(#[server(default)] id: String) -> Result<(), AppError> {
    action("api-key-revoke", &routes::api_key(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageApiKeys)?;
        let id = parse_id(ctx, &id)?;
        leaving::revoke_api_key(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("api-key-was-revoked"))
    })
    .await
}
