//! The bank's statement is uploaded.

use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::error::AppError;

/// The bank's statement, beside which pay-outs are held.
#[server(prefix = "/fn", endpoint = "upload_statement", input = MultipartFormData)]
pub async fn upload_statement(data: MultipartData) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{
        context::{Ctx, shown},
        format, routes,
        upload::Upload,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let at_file = |message: String| AppError::Invalid { field: "file".into(), message };
    let actor = match ctx.allow(Permission::Reconcile) {
        Ok(actor) => actor,
        Err(error) => return ctx.finish("statement", &[], Err(error), routes::PAY_OUTS).await,
    };
    let outcome = match Upload::read(data).await? {
        None => Err(at_file(ctx.t("batch-error-upload"))),
        Some(upload) => {
            match backoffice::bank::upload(ctx.books(), &actor, &upload.file_name, &upload.bytes).await {
                Ok(Ok(uploaded)) => Ok(ctx.tr(
                    "statement-uploaded",
                    &[
                        ("lines", uploaded.lines.to_string()),
                        ("new", uploaded.new.to_string()),
                        ("skipped", uploaded.skipped.to_string()),
                        ("from", format::iso_day(uploaded.from)),
                        ("to", format::iso_day(uploaded.to)),
                    ],
                )),
                Ok(Err(wrong)) => Err(at_file(messages::error(&ctx, wrong))),
                Err(fault) => Err(shown(&fault)),
            }
        }
    };
    ctx.finish("statement", &[], outcome, routes::PAY_OUTS).await
}
