//! A bar that moves while long work goes on, and the page anew once it is done.

#[cfg(feature = "ssr")]
use backoffice::staff::Permission;
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{
    action::{parse_id, question},
    exports, promotions, refunds, routes, webhooks,
};
use crate::{error::AppError, progress::Tick};

/// Milliseconds between two questions.
const EVERY: u64 = 1000;

/// How far one of the works is that go on by themselves: `of` is "batch", "export", "grants" or "replay".
#[server(prefix = "/fn", endpoint = "progress", input = Json)]
pub async fn progress(
    #[server(default)] of: String,
    #[server(default)] id: String,
) -> Result<Tick, AppError> {
    question(routes::HOME, async |ctx| {
        ctx.allow(Permission::ViewTrade)?;
        let tick = match of.as_str() {
            "batch" => refunds::batch::progress::of(ctx, parse_id(ctx, &id)?).await?,
            "export" => exports::progress::of(ctx, &id).await?,
            "grants" => promotions::batch::progress::of(ctx, parse_id(ctx, &id)?).await?,
            "replay" => webhooks::replay::messages::progress(ctx, parse_id(ctx, &id)?).await?,
            _ => None,
        };
        tick.ok_or_else(|| AppError::form(ctx.t("page-not-found")))
    })
    .await
}

/// `of` is as for [`progress`]. Without a count of lines the bar says only that it goes on.
#[island]
pub fn Progress(of: String, id: String, now: Tick, label: String) -> impl IntoView {
    let running = now.running;
    let tick = RwSignal::new(now);
    Effect::new(move |_| {
        if !running {
            return;
        }
        let (id, of) = (id.clone(), of.clone());
        let ask = move || {
            let (id, of) = (id.clone(), of.clone());
            leptos::task::spawn_local(async move {
                if let Ok(new) = progress(of, id).await {
                    let over = !new.running;
                    tick.set(new);
                    if over {
                        drop(window().location().reload());
                    }
                }
            });
        };
        if let Ok(handle) = set_interval_with_handle(ask, std::time::Duration::from_millis(EVERY)) {
            on_cleanup(move || handle.clear());
        }
    });
    view! {
        <div class="progress">
            <progress
                aria-label=label
                max=move || (tick.get().lines > 0).then(|| tick.get().lines.to_string())
                value=move || (tick.get().lines > 0).then(|| tick.get().done.to_string())
            ></progress>
            <p class="soft" role="status">{move || tick.get().words}</p>
        </div>
    }
}
