//! Around the refund form: checks the amount while it is typed, writes it on the button, and lets the form go once.
//!
//! The form itself is the server's. This reads and marks its fields, and leaves the posting to the browser.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GuardWords {
    /// `{}` is the amount.
    pub submit: String,
    pub sending: String,
    pub not_a_number: String,
    pub over: String,
    pub whole_only: String,
}

/// Amounts in the currency's smallest unit, so that nothing here is a float.
#[island]
pub fn RefundGuard(
    left: i64,
    places: u32,
    part: bool,
    words: GuardWords,
    children: Children,
) -> impl IntoView {
    let guard = NodeRef::<leptos::html::Div>::new();
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        if let Some(element) = guard.get() {
            browser::attach(&element, left, places, part, words.clone());
        }
    });
    #[cfg(not(feature = "hydrate"))]
    drop((left, places, part, words));
    view! { <div node_ref=guard>{children()}</div> }
}

/// Reads `52,500`, `５２５００` or `12.5` as smallest units. `None` when it is not a plain positive number.
#[cfg(any(feature = "hydrate", test))]
fn units(text: &str, places: u32) -> Option<i64> {
    let plain: String = text
        .trim()
        .trim_start_matches(['₩', '￦'])
        .trim_end_matches('원')
        .chars()
        .filter(|c| !matches!(c, ',' | '，'))
        .map(|c| match c {
            '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c),
            other => other,
        })
        .collect();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 15
        || !digits(whole)
        || !digits(fraction)
        || fraction.len() > places as usize
    {
        return None;
    }
    let padded = format!("{whole}{fraction:0<width$}", width = places as usize);
    padded.parse().ok().filter(|n| *n > 0)
}

#[cfg(any(feature = "hydrate", test))]
fn grouped(units: i64, places: u32) -> String {
    let text = format!("{units:0>width$}", width = places as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - places as usize);
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if fraction.is_empty() { out } else { format!("{out}.{fraction}") }
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::{ev, prelude::*};
    use web_sys::{HtmlButtonElement, HtmlDivElement, HtmlInputElement, wasm_bindgen::JsCast};

    use super::{GuardWords, grouped, units};

    fn find<T: JsCast>(root: &HtmlDivElement, selector: &str) -> Option<T> {
        root.query_selector(selector).ok().flatten()?.dyn_into().ok()
    }

    pub(super) fn attach(root: &HtmlDivElement, left: i64, places: u32, part: bool, words: GuardWords) {
        let (Some(input), Some(button), Some(hint)) = (
            find::<HtmlInputElement>(root, "input[name=amount]"),
            find::<HtmlButtonElement>(root, "button[type=submit]"),
            find::<web_sys::HtmlElement>(root, "[data-amount-hint]"),
        ) else {
            return;
        };
        let sending = words.sending.clone();
        let hint_is_empty = hint.text_content().unwrap_or_default().trim().is_empty();
        let check = {
            let (input, button) = (input.clone(), button.clone());
            move || {
                let wrong = match units(&input.value(), places) {
                    None => Some(&words.not_a_number),
                    Some(amount) if amount > left => Some(&words.over),
                    Some(amount) if amount < left && !part => Some(&words.whole_only),
                    Some(amount) => {
                        button.set_text_content(Some(&words.submit.replace("{}", &grouped(amount, places))));
                        None
                    }
                };
                hint.set_text_content(wrong.map(String::as_str));
                button.set_disabled(wrong.is_some());
                drop(input.set_attribute("aria-invalid", if wrong.is_some() { "true" } else { "false" }));
            }
        };
        // What the server has said about it stays until somebody types.
        if hint_is_empty {
            check();
        }
        let typed = leptos::leptos_dom::helpers::window_event_listener(ev::input, move |event| {
            let source = event.target().and_then(|t| t.dyn_into::<web_sys::Node>().ok());
            if source.is_some_and(|node| node.is_same_node(Some(&input))) {
                check();
            }
        });
        let gone = std::cell::Cell::new(false);
        let root = root.clone();
        let sent = leptos::leptos_dom::helpers::window_event_listener(ev::submit, move |event| {
            let ours = event
                .target()
                .and_then(|t| t.dyn_into::<web_sys::Node>().ok())
                .is_some_and(|form| root.contains(Some(&form)));
            if !ours {
                return;
            }
            if gone.replace(true) {
                event.prevent_default();
                return;
            }
            button.set_text_content(Some(&sending));
            drop(button.set_attribute("aria-busy", "true"));
        });
        on_cleanup(move || {
            typed.remove();
            sent.remove();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_the_button_says() {
        assert_eq!(units("52,500", 0), Some(52_500));
        assert_eq!(units("５２５００원", 0), Some(52_500));
        assert_eq!(units("12.5", 2), Some(1250));
        for text in ["", "0", "-1", "1e9", "12.5.1", "abc", "1.234"] {
            assert_eq!(units(text, 2), None, "{text}");
        }
        assert_eq!(grouped(1_234_567, 0), "1,234,567");
        assert_eq!(grouped(123_450, 2), "1,234.50");
        assert_eq!(grouped(5, 2), "0.05");
    }
}
