//! A button that copies an id.

use leptos::prelude::*;

#[island]
pub fn Copy(text: String, label: String, done: String) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = {
        let text = text.clone();
        move |_| {
            #[cfg(feature = "hydrate")]
            drop(window().navigator().clipboard().write_text(&text));
            #[cfg(not(feature = "hydrate"))]
            drop(text.clone());
            copied.set(true);
            set_timeout(move || copied.set(false), std::time::Duration::from_secs(2));
        }
    };
    let name = format!("{label} {text}");
    view! {
        <button type="button" class="copy" aria-label=name on:click=copy>
            {move || if copied.get() { done.clone() } else { label.clone() }}
        </button>
    }
}
