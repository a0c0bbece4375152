//! Files of refunds: uploading one, and those that came before.

use backoffice::{
    refunds::{REASONS, batch::Batch},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::PreviewBatch;
use crate::{
    components::{
        badge,
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format,
    refunds::tabs,
    routes,
};

fn row(ctx: &Ctx, batch: Batch) -> AnyView {
    let href = ctx.href(&routes::refund_batch(&batch.id));
    let lines =
        ctx.tr("batch-lines", &[("ready", batch.ready.to_string()), ("lines", batch.lines.to_string())]);
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{batch.file_name}</a></td>
            <td class="n amount">{format::figures(batch.ready_amount, "KRW")}</td>
            <td class="state">{badge::badge(badge::batch_state(ctx, batch.state))}</td>
            <td class="what">{lines}</td>
            <td class="buyer">{batch.created_by_name}</td>
            <td class="when">{list::time(batch.created_at)}</td>
        </tr>
    }
    .into_any()
}

fn upload(ctx: &Ctx, flash: &Flash) -> AnyView {
    let reasons: Vec<(String, String)> =
        REASONS.iter().map(|code| ((*code).to_owned(), ctx.words.word("reason", code))).collect();
    let error = flash.error("file");
    let invalid = if error.is_some() { "true" } else { "false" };
    let note_class = if error.is_some() { "note error" } else { "note" };
    let note = error.unwrap_or_else(|| ctx.t("batch-file-hint"));
    view! {
        <section class="card">
            <h2>{ctx.t("batch-upload")}</h2>
            <form class="pad" method="post" action=ctx.href(PreviewBatch::PATH) enctype="multipart/form-data">
                <label class="field">
                    <span class="label">{ctx.t("batch-file")}</span>
                    <input type="file" name="file" accept=".csv,.txt,.tsv,text/csv" aria-invalid=invalid aria-describedby="file-note"/>
                    <span class=note_class id="file-note">{note}</span>
                </label>
                {form::select("reason_code", ctx.t("refund-reason"), reasons, "changed_mind", flash)}
                {Field { hint: Some(ctx.t("refund-reason-hint")), ..Field::text("reason", ctx.t("refund-reason-text"), flash) }
                    .view()}
                <p class="soft">{ctx.t("batch-preview-hint")}</p>
                <button class="button" type="submit">{ctx.t("batch-preview")}</button>
            </form>
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let upload = ctx.may(Permission::Refund).then(|| upload(&ctx, &flash));
    let heading = view! { <h1>{ctx.t("nav-refunds")}</h1> {tabs::tabs(&ctx, routes::REFUND_BATCHES)} };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::REFUND_BATCHES)} }.into_any(),
        Ok(cursor) => {
            let page = backoffice::refunds::batch::list(ctx.backoffice(), cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::REFUND_BATCHES,
                class: "refund-rows",
                headers: vec![
                    list::head(&ctx, "batch-file"),
                    list::figures(&ctx, "col-amount"),
                    list::head(&ctx, "col-status"),
                    list::head(&ctx, "col-detail"),
                    list::head(&ctx, "col-by"),
                    list::head(&ctx, "col-at"),
                ],
                empty: (ctx.t("batches-empty"), ctx.t("batches-empty-hint")),
            };
            view! {
                {heading}
                <div class="two">
                    <div>{list::view(&ctx, &query, spec, page, row)}</div>
                    {upload}
                </div>
            }
            .into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-batches"), active: routes::REFUNDS, flash, body })
}
