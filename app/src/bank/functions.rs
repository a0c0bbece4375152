//! The bank's statement is uploaded.

#[cfg(feature = "ssr")]
use backoffice::{bank, staff::Permission};
use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

#[cfg(feature = "ssr")]
use super::messages;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{action::action, explain::OrExplain as _, format, routes, upload::Upload};

/// The bank's statement, beside which payouts are held.
#[server(prefix = "/fn", endpoint = "upload_statement", input = MultipartFormData)]
pub async fn upload_statement(data: MultipartData) -> Result<(), AppError> {
    let upload = Upload::read(data).await?;
    action("statement", routes::PAYOUTS, &[], async |ctx| {
        let actor = ctx.allow(Permission::Reconcile)?;
        let file = upload.file(ctx)?;
        let read = bank::upload(ctx.backoffice(), &actor, &upload.file_name, file).await.or_explain(ctx)?;
        let uploaded = read.map_err(|wrong| AppError::field("file", messages::error(ctx, wrong)))?;
        Ok(ctx.tr(
            "statement-uploaded",
            &[
                ("lines", uploaded.lines.to_string()),
                ("new", uploaded.new.to_string()),
                ("skipped", uploaded.skipped.to_string()),
                ("from", format::iso_day(uploaded.from)),
                ("to", format::iso_day(uploaded.to)),
            ],
        ))
    })
    .await
}
