//! Whether the log is what was sealed, in words.

use backoffice::{
    Fault,
    audit::{job, verify::Finding},
};
use leptos::prelude::*;

use crate::{components::list, context::Ctx};

fn found(ctx: &Ctx, finding: &Finding) -> String {
    let (key, figures) = match finding {
        Finding::Changed { seq, .. } => ("audit-found-changed", vec![("seq", seq.to_string())]),
        Finding::Removed { seq, .. } => ("audit-found-removed", vec![("seq", seq.to_string())]),
        Finding::Inserted { seq } => ("audit-found-inserted", vec![("seq", seq.to_string())]),
        Finding::Chain { seq, .. } => ("audit-found-chain", vec![("seq", seq.to_string())]),
        Finding::Cut { from, to, .. } => {
            ("audit-found-cut", vec![("from", from.to_string()), ("to", (to - 1).to_string())])
        }
        Finding::Forked { from, to, .. } => {
            ("audit-found-forked", vec![("from", from.to_string()), ("to", (to - 1).to_string())])
        }
        Finding::Unsigned { .. } => ("audit-found-unsigned", Vec::new()),
        Finding::Lost { .. } | Finding::Beyond { .. } | Finding::Tile { .. } => {
            ("audit-found-tree", Vec::new())
        }
        Finding::RecordChanged { seq } => ("audit-found-record-changed", vec![("seq", seq.to_string())]),
        Finding::RecordRemoved { seq } => ("audit-found-record-removed", vec![("seq", seq.to_string())]),
        Finding::NoHead | Finding::ChainEnd => ("audit-found-tree", Vec::new()),
    };
    ctx.words.get(key, &figures)
}

pub(super) async fn view(ctx: &Ctx) -> Result<AnyView, Fault> {
    let state = job::state(ctx.backoffice()).await?;
    let mut wrong = Vec::new();
    if let Some(first) = &state.first {
        wrong.push(found(ctx, first));
        wrong.push(ctx.tr("audit-found", &[("count", state.findings.to_string())]));
    }
    if state.is_late {
        wrong.push(ctx.t("audit-late"));
    }
    for place in state.unreachable {
        wrong.push(ctx.tr("audit-unreachable", &[("place", place)]));
    }
    if wrong.is_empty() {
        let checked = state.checked_at.map(|at| view! { {ctx.t("audit-checked")} " " {list::time(at)} });
        return Ok(view! { <p class="soft">{ctx.t("audit-sealed")} " " {checked}</p> }.into_any());
    }
    let wrong = wrong.into_iter().map(|line| view! { <p>{line}</p> }).collect_view();
    Ok(view! { <div class="notice bad" role="alert">{wrong}</div> }.into_any())
}
