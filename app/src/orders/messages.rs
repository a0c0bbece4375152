//! What is called what in an order: methods, the buyer.

use backoffice::orders::{METHODS, Order};

use crate::{context::Ctx, format};

/// Toss's Korean word in the reader's language.
pub fn method_word(ctx: &Ctx, method: &str) -> String {
    match METHODS.iter().find(|(word, _)| *word == method) {
        Some((_, code)) => ctx.words.word("method", code),
        // A store's purchase has a platform in its place.
        None => ctx.words.word("platform", method),
    }
}

pub fn method_text(ctx: &Ctx, method: Option<&str>, detail: Option<&str>) -> String {
    let Some(method) = method else { return "–".into() };
    let word = method_word(ctx, method);
    let detail = detail.map(|d| backoffice::orders::method_detail_name(method, d).unwrap_or(d).to_owned());
    match detail {
        Some(detail) => format!("{word} {detail}"),
        None => word,
    }
}

pub fn buyer(order: &Order) -> String {
    match (&order.customer_name, order.shown_user_key()) {
        (Some(name), _) => format::mask_name(name),
        (None, Some(key)) => format!("user {key}"),
        (None, None) => "–".into(),
    }
}
