//! What somebody has to be told, at the top of every page until they have read it.

use backoffice::staff::{
    Staff,
    notices::{self, Notice, Unseen},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::factors::functions::SeeNotice;
use crate::{context::Ctx, format, routes};

fn sentence(ctx: &Ctx, me: &Staff, told: &Unseen) -> String {
    let word = |name: &str| told.detail[name].as_str().unwrap_or_default().to_owned();
    let args = [("by", word("by")), ("name", word("name")), ("time", format::full_time(told.at))];
    match told.kind {
        Notice::FactorReset if word("id") == me.id.to_string() => ctx.tr("notice-factor-reset-own", &args),
        Notice::FactorReset => ctx.tr("notice-factor-reset", &args),
        Notice::EndpointPaused => {
            let why = ctx.words.word("endpoint-paused", &word("why"));
            ctx.tr("notice-endpoint-paused", &[("name", word("name")), ("why", why)])
        }
    }
}

/// Where there is something to do about it.
fn place(ctx: &Ctx, told: &Unseen) -> Option<AnyView> {
    let endpoint = match told.kind {
        Notice::FactorReset => return None,
        Notice::EndpointPaused => told.detail["endpoint"].as_str()?,
    };
    let href = ctx.href(&routes::event_endpoint(&endpoint));
    Some(view! { " " <a href=href>{ctx.t("notice-endpoint-look")}</a> }.into_any())
}

fn one(ctx: &Ctx, me: &Staff, told: &Unseen) -> AnyView {
    view! {
        <div class="notice told" role="status">
            <p>{sentence(ctx, me, told)} {place(ctx, told)}</p>
            <form method="post" action=ctx.href(SeeNotice::PATH)>
                <input type="hidden" name="id" value=told.id.to_string()/>
                <input type="hidden" name="page" value=ctx.path.clone()/>
                <button class="button quiet" type="submit">{ctx.t("notice-see")}</button>
            </form>
        </div>
    }
    .into_any()
}

pub async fn view(ctx: &Ctx, me: &Staff) -> AnyView {
    if !ctx.visitor.waits.notices {
        return ().into_any();
    }
    // A page without what was to be told is better than none; it is told on the next.
    let unseen = notices::unseen(ctx.backoffice(), me.id).await.unwrap_or_else(|fault| {
        tracing::warn!(%fault, "nobody could be told");
        Vec::new()
    });
    unseen.iter().map(|told| one(ctx, me, told)).collect_view().into_any()
}
