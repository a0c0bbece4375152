//! Somebody has looked through what a person saw in a month.

#[cfg(feature = "ssr")]
use backoffice::{
    audit::access::{
        LONGEST_REASON, NoReason, NotShown,
        review::{self, LONGEST_NOTE, ReviewError},
    },
    staff::Permission,
};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{action, parse_id},
    components::month::Month,
    context::Ctx,
    explain::{Explain, OrExplain as _},
    routes,
};

/// Signs for one person's month. Never for one's own.
#[server(prefix = "/fn", endpoint = "sign_access_review")]
pub async fn sign_access_review(
    #[server(default)] month: String,
    #[server(default)] person: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    let page = format!("{}?month={}", routes::ACCESS_REVIEW, routes::encode(&month));
    let form = format!("review-{person}");
    action(&form, &page, &[("note", &note)], async |ctx| {
        let actor = ctx.allow(Permission::ViewAudit)?;
        let month = Month::parse(&month).ok_or_else(|| AppError::form(ctx.t("month-error")))?;
        let person = parse_id(ctx, &person)?;
        review::sign(ctx.backoffice(), &actor, month.first(), person, &note).await.or_explain(ctx)?;
        Ok(ctx.t("access-review-signed"))
    })
    .await
}

#[cfg(feature = "ssr")]
impl Explain for NotShown {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Nothing => AppError::form(ctx.t("reveal-nothing")),
            Self::Reason(no) => AppError::field("why", no_reason(ctx, no)),
        }
    }
}

/// What stands beside the field.
#[cfg(feature = "ssr")]
pub(crate) fn no_reason(ctx: &Ctx, no: NoReason) -> String {
    match no {
        NoReason::Empty => ctx.t("refund-error-reason-empty"),
        NoReason::TooLong => ctx.tr("difference-note-long", &[("most", LONGEST_REASON.to_string())]),
    }
}

#[cfg(feature = "ssr")]
impl Explain for ReviewError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Oneself => AppError::form(ctx.t("access-review-oneself")),
            Self::NotOver => AppError::form(ctx.t("access-review-not-over")),
            Self::Note => AppError::field("note", ctx.t("access-review-needs-note")),
            Self::TooLong => {
                AppError::field("note", ctx.tr("difference-note-long", &[("most", LONGEST_NOTE.to_string())]))
            }
            Self::Nothing => AppError::form(ctx.t("access-review-nothing")),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}
