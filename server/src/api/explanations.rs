//! `GET /api/v1/errors`: what each code of ours means, for whoever reads a refusal. Open to everybody.

use app::i18n::{Lang, Translator};
use axum::{http::HeaderMap, response::Html};

use super::{error::codes, words};

/// Where Toss explains its own.
const TOSS: &str = "https://docs.tosspayments.com/reference/error-codes";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A sentence with its gaps left open.
fn sentence(words: Translator, key: &str) -> String {
    let gaps = ["why", "most", "scope", "status", "left", "state"].map(|name| (name, "…".to_owned()));
    escaped(&words.get(key, &gaps))
}

pub(super) async fn page(headers: HeaderMap) -> Html<String> {
    let words = words(&headers);
    let lang = if words.lang == Lang::Ko { "ko" } else { "en" };
    let title = escaped(&words.get("api-errors-title", &[]));
    let rows: String = codes::ALL
        .iter()
        .map(|code| {
            let said = sentence(words, code.key);
            format!("<dt id=\"{0}\"><code>{0}</code> {1}</dt><dd>{said}</dd>", code.word, code.status)
        })
        .collect();
    let other = escaped(&words.get("api-errors-other", &[]));
    Html(format!(
        "<!DOCTYPE html><html lang=\"{lang}\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><h1>{title}</h1><dl>{rows}</dl><p>{other} <a href=\"{TOSS}\">{TOSS}</a></p></html>"
    ))
}
