//! The second step of a log-in, a passkey as the whole of one, and the questions that browsers put to passkeys.

#[cfg(feature = "ssr")]
use backoffice::staff::factors::{self, FactorError, FactorRefused};
use leptos::{prelude::*, server_fn::codec::Json};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{action, question},
    context::Ctx,
    explain::{Explain as _, OrExplain as _},
    routes,
    staff::{entry::Shown, functions::no_passwords},
};

/// The code, or what the passkey has signed, after the password.
#[server(prefix = "/fn", endpoint = "show_factor")]
pub async fn show_factor(
    #[server(default)] proof_code: String,
    #[server(default)] proof_recovery: String,
    #[server(default)] proof_credential: String,
) -> Result<(), AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let (Some((person, next)), Some(session)) = (ctx.half_logged_in().await?, ctx.session_key()) else {
        return action("login", routes::LOGIN, &[], async |ctx| {
            Err::<String, _>(AppError::form(ctx.t("factor-error-begin-again")))
        })
        .await;
    };
    let proof = super::proof_of(&proof_code, &proof_recovery, &proof_credential, "");
    let shown = factors::prove(ctx.backoffice(), &session, &person, &proof, &ctx.caller()).await;
    match shown {
        Ok(()) => ctx.come_in(&person, Shown::Everything, &next).await,
        Err(FactorError::Fault(fault)) => Err(fault.explain(&ctx)),
        Err(FactorError::Refused(refused)) => {
            let mut page = routes::LOGIN_FACTOR;
            if refused == FactorRefused::TooMany {
                // That session is over, and the password with it: what is said goes into a new one.
                page = routes::LOGIN;
                ctx.end_session().await?;
            }
            action("factor", page, &[], async |ctx| Err::<String, _>(refused.explain(ctx))).await
        }
    }
}

/// A passkey in the place of address and password.
#[server(prefix = "/fn", endpoint = "log_in_with_passkey")]
pub async fn log_in_with_passkey(
    #[server(default)] proof_credential: String,
    #[server(default)] next: String,
) -> Result<(), AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    if ctx.site.doors.only_elsewhere {
        return action("login", routes::LOGIN, &[], async |ctx| Err::<String, _>(no_passwords(ctx))).await;
    }
    let found = match ctx.session_key() {
        Some(session) => factors::come_in_with_passkey(ctx.backoffice(), &session, &proof_credential).await,
        None => Err(FactorRefused::NotAsked.into()),
    };
    match found {
        Ok(person) => ctx.come_in(&person, Shown::Everything, &next).await,
        Err(FactorError::Fault(fault)) => Err(fault.explain(&ctx)),
        Err(FactorError::Refused(refused)) => {
            let page = format!("{}?next={}", routes::LOGIN, routes::encode(&next));
            action("login", &page, &[], async |ctx| Err::<String, _>(refused.explain(ctx))).await
        }
    }
}

/// What a browser asks a passkey: of `anybody`, or of whoever is logged in or has shown the password.
#[server(prefix = "/fn", endpoint = "ask_passkey", input = Json)]
pub async fn ask_passkey(anybody: bool) -> Result<String, AppError> {
    question(routes::LOGIN, async |ctx| {
        let of = match &ctx.visitor.staff {
            _ if anybody => None,
            Some(staff) => Some(staff.id),
            None => Some(ctx.half_logged_in().await?.ok_or(AppError::LoggedOut)?.0.id),
        };
        let session = ctx.session_key_or_new().await.or_explain(ctx)?;
        factors::ask(ctx.backoffice(), &session, of).await.or_explain(ctx)
    })
    .await
}
