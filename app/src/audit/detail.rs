//! One row of the log, with the proof that it is in it.

use backoffice::audit::{self, access, proof};
use leptos::prelude::*;

use super::{access::list as records, words};
use crate::{
    components::{
        badge::badge,
        errors,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    islands::Copy,
    routes,
};

pub async fn page(ctx: Ctx, seq: String) -> Answer {
    let found = match seq.parse() {
        Ok(seq) => audit::get(&ctx.backoffice().pool, seq).await?,
        Err(_) => None,
    };
    let Some(row) = found else { return Ok(errors::missing(&ctx, ctx.t("audit-row-none"))) };
    let flash = ctx.take_flash().await;
    // A row of the chain of before, and one of the last two seconds, has none.
    let proof = match proof::prove(ctx.backoffice(), row.seq).await {
        Ok(text) => view! {
            <details class="part">
                <summary>{ctx.t("audit-proof")}</summary>
                <p class="soft">{ctx.t("audit-proof-how")}</p>
                <pre class="proof">{text.clone()}</pre>
                <Copy text=text label=ctx.t("copy") done=ctx.t("copied")/>
            </details>
        }
        .into_any(),
        Err(proof::NoProof::Fault(fault)) => return Err(fault),
        Err(proof::NoProof::Broken) => {
            view! { <p class="notice bad" role="alert">{ctx.t("audit-found-row")}</p> }.into_any()
        }
        Err(_) => ().into_any(),
    };
    let record = access::get(&ctx.backoffice().pool, row.seq).await?;
    let record = record.map(|record| records::table(&ctx, vec![record]));
    let (tone, what) = words::what(&ctx, &row);
    let by = format!("{}?actor={}", ctx.href(routes::AUDIT), routes::encode(&row.actor));
    let of = format!("{}?subject={}", ctx.href(routes::AUDIT), routes::encode(&row.subject));
    let title = ctx.tr("audit-row", &[("seq", row.seq.to_string())]);
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")><a href=ctx.href(routes::AUDIT)>{ctx.t("nav-audit")}</a></nav>
        <h1>{title.clone()}</h1>
        <section class="card">
            <h2>{badge((tone, what))}</h2>
            <dl class="facts pad">
                <dt>{ctx.t("col-at")}</dt>
                <dd>{list::time(row.at)}</dd>
                <dt>{ctx.t("col-by")}</dt>
                <dd><a href=by>{words::who(&ctx, &row)}</a> " " <span class="soft">{words::circumstances(&ctx, &row)}</span></dd>
                <dt>{ctx.t("col-subject")}</dt>
                <dd>{words::subject(&ctx, &row)} " " <a href=of>{ctx.t("audit-of-subject")}</a></dd>
                <dt>{ctx.t("col-action")}</dt>
                <dd><code>{row.action.clone()}</code></dd>
            </dl>
            <div class="pad">{words::details(&ctx, &row)}{proof}</div>
        </section>
        {record}
    };
    Ok(Frame { title, active: routes::AUDIT, flash, body: body.into_any() })
}
