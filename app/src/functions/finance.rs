//! Finance: differences are worked, days are read again and closed, the contract is kept.

use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::error::AppError;

#[server(prefix = "/fn", endpoint = "assign_difference")]
pub async fn assign_difference(#[server(default)] key: String) -> Result<(), AppError> {
    use crate::pages::difference_words::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let assigned = work.ctx.books().assign_difference(&work.actor, &work.key).await;
    let said = assigned.map(|mine| if mine { "difference-is-yours" } else { "difference-is-nobodys" });
    work.end(&[], said.map(|key| work.ctx.words.get(key, &[]))).await
}

#[server(prefix = "/fn", endpoint = "note_difference")]
pub async fn note_difference(
    #[server(default)] key: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use crate::pages::difference_words::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let noted = work.ctx.books().note_difference(&work.actor, &work.key, &note).await;
    work.end(&[("note", &note)], noted.map(|()| work.ctx.t("difference-noted"))).await
}

/// Takes it as it is; where money is at stake a second person has to agree.
#[server(prefix = "/fn", endpoint = "accept_difference")]
pub async fn accept_difference(
    #[server(default)] key: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use crate::pages::difference_words::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let accepted = work.ctx.books().accept_difference(&work.actor, &work.key, &note).await;
    work.end(&[("note", &note)], accepted.map(|state| work.is_now(state))).await
}

/// The second person agrees, or gives it back to be worked.
#[server(prefix = "/fn", endpoint = "decide_difference")]
pub async fn decide_difference(
    #[server(default)] key: String,
    #[server(default)] agree: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use crate::pages::difference_words::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let decided = work.ctx.books().decide_difference(&work.actor, &work.key, agree == "1", &note).await;
    work.end(&[("note", &note)], decided.map(|state| work.is_now(state))).await
}

/// Asks Toss about the payment now.
#[server(prefix = "/fn", endpoint = "look_into_difference")]
pub async fn look_into_difference(#[server(default)] key: String) -> Result<(), AppError> {
    use crate::pages::difference_words::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let asked = work.ctx.books().look_into_difference(&work.actor, &work.key).await;
    work.end(&[], asked.map(|difference| work.after_asking(&difference))).await
}

/// Puts Toss's word in the place of ours.
#[server(prefix = "/fn", endpoint = "correct_difference")]
pub async fn correct_difference(#[server(default)] key: String) -> Result<(), AppError> {
    use crate::pages::difference_words::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let asked = work.ctx.books().correct_difference(&work.actor, &work.key).await;
    work.end(&[], asked.map(|difference| work.after_asking(&difference))).await
}

/// Has Toss's lists of a day read again, and the day reconciled.
#[server(prefix = "/fn", endpoint = "read_day")]
pub async fn read_day(#[server(default)] day: String) -> Result<(), AppError> {
    use std::time::Duration;

    use backoffice::staff::Permission;

    use crate::{
        context::{Ctx, shown},
        pages::reconciliation_day,
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let mut back = routes::RECONCILIATION.to_owned();
    let outcome = match (ctx.allow(Permission::Reconcile), reconciliation_day::past(&ctx, &day)) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(reconciliation_day::no_day(&ctx)),
        (Ok(actor), Some(day)) => {
            back = routes::day(day);
            match ctx.books().ask_to_read_day(&actor, day, Duration::from_secs(8)).await {
                Ok(true) => Ok(ctx.t("day-was-read")),
                Ok(false) => Ok(ctx.t("day-is-being-read")),
                Err(fault) => Err(shown(&fault)),
            }
        }
    };
    ctx.finish("day", &[], outcome, &back).await
}

/// Signs for a day.
#[server(prefix = "/fn", endpoint = "close_day")]
pub async fn close_day(
    #[server(default)] day: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, pages::reconciliation_day, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let mut back = routes::RECONCILIATION.to_owned();
    let outcome = match (ctx.allow(Permission::Reconcile), reconciliation_day::past(&ctx, &day)) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(reconciliation_day::no_day(&ctx)),
        (Ok(actor), Some(day)) => {
            back = routes::day(day);
            let closed = ctx.books().close_day(&actor, day, &note).await;
            closed
                .map(|_| ctx.t("day-was-closed"))
                .map_err(|error| reconciliation_day::close_error(&ctx, error))
        }
    };
    ctx.finish("close", &[("note", &note)], outcome, &back).await
}

/// A line of the contract with Toss.
#[server(prefix = "/fn", endpoint = "set_rate")]
pub async fn set_rate(
    #[server(default)] method: String,
    #[server(default)] currency: String,
    #[server(default)] valid_from: String,
    #[server(default)] per_cent: String,
    #[server(default)] flat: String,
    #[server(default)] cycle: String,
    #[server(default)] pay_out_days: String,
) -> Result<(), AppError> {
    use backoffice::{reconciliation::contract::NewRate, staff::Permission};

    use crate::{
        context::{Ctx, shown},
        pages::contract,
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let new = NewRate { method, currency, valid_from, per_cent, flat, cycle, pay_out_days };
    let values = [
        ("method", new.method.as_str()),
        ("currency", new.currency.as_str()),
        ("valid_from", new.valid_from.as_str()),
        ("per_cent", new.per_cent.as_str()),
        ("flat", new.flat.as_str()),
        ("cycle", new.cycle.as_str()),
        ("pay_out_days", new.pay_out_days.as_str()),
    ];
    let outcome = match ctx.allow(Permission::Reconcile) {
        Err(error) => Err(error),
        Ok(actor) => match ctx.books().set_rate(&actor, &new).await {
            Ok(Ok(())) => Ok(ctx.t("rate-saved")),
            Ok(Err(wrong)) => Err(contract::rate_error(&ctx, wrong)),
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("rate", &values, outcome, &format!("{}#rate", routes::CONTRACT)).await
}

/// What an in-app product costs.
#[server(prefix = "/fn", endpoint = "set_iap_price")]
pub async fn set_iap_price(
    #[server(default)] sku: String,
    #[server(default)] price: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{
        context::{Ctx, shown},
        pages::contract,
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match ctx.allow(Permission::Reconcile) {
        Err(error) => Err(error),
        Ok(actor) => match ctx.books().set_iap_price(&actor, &sku, &price).await {
            Ok(Ok(())) => Ok(ctx.t("price-saved")),
            Ok(Err(wrong)) => Err(contract::price_error(&ctx, wrong)),
            Err(fault) => Err(shown(&fault)),
        },
    };
    let values = [("sku", sku.as_str()), ("price", price.as_str())];
    ctx.finish("price", &values, outcome, &format!("{}#price", routes::CONTRACT)).await
}

/// The bank's statement, beside which pay-outs are held.
#[server(prefix = "/fn", endpoint = "upload_statement", input = MultipartFormData)]
pub async fn upload_statement(data: MultipartData) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{
        context::{Ctx, shown},
        format,
        pages::statement_words,
        routes,
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
        Some(upload) => match ctx.books().upload_statement(&actor, &upload.file_name, &upload.bytes).await {
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
            Ok(Err(wrong)) => Err(at_file(statement_words::error(&ctx, wrong))),
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("statement", &[], outcome, routes::PAY_OUTS).await
}
