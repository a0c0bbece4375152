//! Differences are assigned, noted, accepted, looked into, corrected.

use leptos::prelude::*;

use crate::error::AppError;

#[server(prefix = "/fn", endpoint = "assign_difference")]
pub async fn assign_difference(#[server(default)] key: String) -> Result<(), AppError> {
    use super::messages::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let assigned =
        backoffice::reconciliation::differences::assign(work.ctx.books(), &work.actor, &work.key).await;
    let said = assigned.map(|mine| if mine { "difference-is-yours" } else { "difference-is-nobodys" });
    work.end(&[], said.map(|key| work.ctx.words.get(key, &[]))).await
}

#[server(prefix = "/fn", endpoint = "note_difference")]
pub async fn note_difference(
    #[server(default)] key: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use super::messages::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let noted =
        backoffice::reconciliation::differences::note(work.ctx.books(), &work.actor, &work.key, &note).await;
    work.end(&[("note", &note)], noted.map(|()| work.ctx.t("difference-noted"))).await
}

/// Takes it as it is; where money is at stake a second person has to agree.
#[server(prefix = "/fn", endpoint = "accept_difference")]
pub async fn accept_difference(
    #[server(default)] key: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use super::messages::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let accepted =
        backoffice::reconciliation::differences::accept(work.ctx.books(), &work.actor, &work.key, &note)
            .await;
    work.end(&[("note", &note)], accepted.map(|state| work.is_now(state))).await
}

/// The second person agrees, or gives it back to be worked.
#[server(prefix = "/fn", endpoint = "decide_difference")]
pub async fn decide_difference(
    #[server(default)] key: String,
    #[server(default)] agree: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use super::messages::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let decided = backoffice::reconciliation::differences::decide(
        work.ctx.books(),
        &work.actor,
        &work.key,
        agree == "1",
        &note,
    )
    .await;
    work.end(&[("note", &note)], decided.map(|state| work.is_now(state))).await
}

/// Asks Toss about the payment now.
#[server(prefix = "/fn", endpoint = "look_into_difference")]
pub async fn look_into_difference(#[server(default)] key: String) -> Result<(), AppError> {
    use super::messages::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let asked =
        backoffice::reconciliation::differences::look_into(work.ctx.books(), &work.actor, &work.key).await;
    work.end(&[], asked.map(|difference| work.after_asking(&difference))).await
}

/// Puts Toss's word in the place of ours.
#[server(prefix = "/fn", endpoint = "correct_difference")]
pub async fn correct_difference(#[server(default)] key: String) -> Result<(), AppError> {
    use super::messages::Work;

    let Some(work) = Work::begin(&key).await? else { return Ok(()) };
    let asked =
        backoffice::reconciliation::differences::correct(work.ctx.books(), &work.actor, &work.key).await;
    work.end(&[], asked.map(|difference| work.after_asking(&difference))).await
}
