//! How long what is kept is kept, and what went when its time was up.

use backoffice::{
    Fault,
    retention::{self, Run},
};
use leptos::prelude::*;

use crate::{components::list, context::Ctx};

fn row(ctx: &Ctx, run: Run) -> AnyView {
    let (count, unit) = run.period.count();
    let period = ctx.tr(&format!("period-{unit}"), &[("count", count.to_string())]);
    let (_, shortest, longest) = run.class.bounds();
    let bounds = if shortest == longest {
        shortest.text()
    } else {
        format!("{}–{}", shortest.text(), longest.text())
    };
    let key = run.class.as_str();
    let last = match run.last_at {
        Some(at) => {
            let gone = ctx.tr("retention-gone", &[("count", run.destroyed.to_string())]);
            view! { {gone} " " {list::time(at)} }.into_any()
        }
        None => view! { <span class="soft">{ctx.t("retention-nothing")}</span> }.into_any(),
    };
    let looked = run.ran_at.map(list::time);
    view! {
        <tr>
            <th scope="row">{ctx.words.word("retention", key)} <br/><small class="soft">{ctx.words.word("retention-why", key)}</small></th>
            <td>{period} <br/><small class="soft"><code>{key}</code> " " {bounds}</small></td>
            <td>{last}</td>
            <td>{looked}</td>
        </tr>
    }
    .into_any()
}

pub async fn view(ctx: &Ctx) -> Result<AnyView, Fault> {
    let rows: Vec<_> =
        retention::list(ctx.backoffice()).await?.into_iter().map(|run| row(ctx, run)).collect();
    Ok(view! {
        <section class="card" id="retention">
            <h2>{ctx.t("retention")}</h2>
            <p class="pad soft">{ctx.t("retention-hint")}</p>
            <div class="scroll">
                <table class="retention">
                    <thead>
                        <tr>
                            <th scope="col">{ctx.t("retention-what")}</th>
                            <th scope="col">{ctx.t("retention-period")}</th>
                            <th scope="col">{ctx.t("retention-last")}</th>
                            <th scope="col">{ctx.t("retention-looked")}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows}
                        {["sessions", "failures", "audit_log"]
                            .map(|key| {
                                view! {
                                    <tr>
                                        <th scope="row">{ctx.words.word("retention", key)}</th>
                                        <td colspan="3">{ctx.words.word("retention-why", key)}</td>
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </div>
        </section>
    }
    .into_any())
}
