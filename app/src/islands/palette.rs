//! The command palette: Ctrl-K or ⌘K, then any id or the buyer's name. Also `j`, `k` and Enter in lists.

use leptos::{ev, html, prelude::*};
use serde::{Deserialize, Serialize};

use crate::orders::functions::{Hit, find};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PaletteWords {
    pub open: String,
    pub placeholder: String,
    pub nothing: String,
    pub hint: String,
    pub close: String,
}

/// Milliseconds of quiet before a question goes out.
const QUIET: u64 = 120;

#[island]
pub fn Palette(words: PaletteWords) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let hits = RwSignal::new(Vec::<Hit>::new());
    let asked = RwSignal::new(String::new());
    let marked = RwSignal::new(0usize);

    let open = move || {
        if let Some(dialog) = dialog.get_untracked()
            && !dialog.open()
        {
            drop(dialog.show_modal());
            if let Some(input) = input.get_untracked() {
                input.select();
            }
        }
    };
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let ask = move |text: String| {
        asked.set(text.clone());
        set_timeout(
            move || {
                // Somebody is still typing: the next timer asks.
                if asked.get_untracked() != text {
                    return;
                }
                leptos::task::spawn_local(async move {
                    let found = find(text.clone()).await.unwrap_or_default();
                    if asked.get_untracked() == text {
                        marked.set(0);
                        hits.set(found);
                    }
                });
            },
            std::time::Duration::from_millis(QUIET),
        );
    };

    Effect::new(move |_| {
        let keys = window_event_listener(ev::keydown, move |event| {
            if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                open();
            } else {
                #[cfg(feature = "hydrate")]
                browser::move_in_list(&event);
            }
        });
        on_cleanup(move || keys.remove());
    });

    let on_key = move |event: ev::KeyboardEvent| {
        let count = hits.with_untracked(Vec::len);
        match event.key().as_str() {
            "ArrowDown" if count > 0 => marked.update(|m| *m = (*m + 1) % count),
            "ArrowUp" if count > 0 => marked.update(|m| *m = (*m + count - 1) % count),
            "Enter" => {
                if let Some(hit) = hits.with_untracked(|h| h.get(marked.get_untracked()).cloned()) {
                    drop(window().location().set_href(&hit.href));
                }
            }
            _ => return,
        }
        event.prevent_default();
    };

    let nothing = words.nothing.clone();
    let rows = move || {
        hits.get()
            .into_iter()
            .enumerate()
            .map(|(i, hit)| {
                view! {
                    <li role="option" id=format!("hit-{i}") aria-selected=move || (marked.get() == i).to_string()>
                        <a href=hit.href tabindex="-1">
                            <code>{hit.title}</code>
                            <span class="hit-detail">{hit.detail}</span>
                            <span class="hit-amount">{hit.amount}</span>
                            <span class=format!("badge {}", hit.tone)>{hit.status}</span>
                        </a>
                    </li>
                }
            })
            .collect_view()
    };
    view! {
        <button type="button" class="palette-open" on:click=move |_| open() aria-label=format!("{} ⌘K", words.open)>
            <kbd>"⌘K"</kbd>
        </button>
        <dialog class="palette" node_ref=dialog aria-label=words.placeholder.clone()>
            <input
                node_ref=input
                type="search"
                role="combobox"
                aria-expanded="true"
                aria-controls="palette-hits"
                aria-activedescendant=move || format!("hit-{}", marked.get())
                aria-label=words.placeholder.clone()
                placeholder=words.placeholder.clone()
                autocomplete="off"
                on:input=move |event| ask(event_target_value(&event))
                on:keydown=on_key
            />
            <ul id="palette-hits" role="listbox" aria-label=words.hint.clone()>{rows}</ul>
            <p class="palette-hint" role="status">
                {move || {
                    let none = hits.with(Vec::is_empty) && !asked.with(String::is_empty);
                    if none { nothing.clone() } else { words.hint.clone() }
                }}
            </p>
            <button type="button" class="palette-close" on:click=move |_| close()>{words.close}</button>
        </dialog>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::document;
    use web_sys::{HtmlElement, KeyboardEvent, wasm_bindgen::JsCast};

    /// `j` and `k` walk through the rows of a list; Enter follows the focused link by itself.
    pub(super) fn move_in_list(event: &KeyboardEvent) {
        let step: i64 = match event.key().as_str() {
            "j" => 1,
            "k" => -1,
            _ => return,
        };
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let focused = document().active_element();
        if focused
            .as_ref()
            .is_some_and(|e| matches!(e.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT" | "DIALOG"))
        {
            return;
        }
        let Ok(rows) = document().query_selector_all("a.row-link") else { return };
        let count = i64::from(rows.length());
        if count == 0 {
            return;
        }
        let node = |i: i64| u32::try_from(i).ok().and_then(|i| rows.item(i));
        let at = (0..count)
            .find(|i| node(*i).is_some_and(|n| focused.as_ref().is_some_and(|f| f.is_same_node(Some(&n)))));
        let next = at.map_or(0, |at| (at + step).clamp(0, count - 1));
        if let Some(link) = node(next).and_then(|n| n.dyn_into::<HtmlElement>().ok()) {
            event.prevent_default();
            drop(link.focus());
        }
    }
}
