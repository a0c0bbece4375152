//! A bar that moves while long work goes on, and the page anew once it is done.

use leptos::prelude::*;

use crate::{
    exports::functions::export_progress, progress::Tick, promotions::batch::functions::grants_progress,
    refunds::batch::functions::batch_progress, webhooks::replay::functions::replay_progress,
};

/// Milliseconds between two questions.
const EVERY: u64 = 1000;

/// `of` is "batch", "export", "grants" or "replay". Without a count of lines the bar says only that it goes on.
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
                let asked = match of.as_str() {
                    "replay" => replay_progress(id).await,
                    "export" => export_progress(id).await,
                    "grants" => grants_progress(id).await,
                    _ => batch_progress(id).await,
                };
                if let Ok(new) = asked {
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
