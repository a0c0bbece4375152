//! Says that new deliveries have come since the page was made.

use leptos::prelude::*;

use crate::webhooks::functions::deliveries_since;

/// Seconds between two questions.
const EVERY: u64 = 5;

/// `words` carries `{}` where the count goes.
#[island]
pub fn LiveCount(newest: String, words: String, href: String) -> impl IntoView {
    let count = RwSignal::new(0i64);
    Effect::new(move |_| {
        let newest = newest.clone();
        let ask = move || {
            let newest = newest.clone();
            leptos::task::spawn_local(async move {
                // A failed question is asked again in a moment; nobody needs to hear of it.
                if let Ok(new) = deliveries_since(newest).await {
                    count.set(new);
                }
            });
        };
        if let Ok(handle) = set_interval_with_handle(ask, std::time::Duration::from_secs(EVERY)) {
            on_cleanup(move || handle.clear());
        }
    });
    let shown = move || {
        let n = count.get();
        if n >= 100 { words.replace("{}", "100+") } else { words.replace("{}", &n.to_string()) }
    };
    view! {
        <p class="live" role="status">
            <a href=href class:hidden=move || count.get() == 0>{shown}</a>
        </p>
    }
}
