//! What a body said beside what Toss says now, member by member.

use backoffice::webhooks::differences;
use leptos::prelude::*;
use serde_json::Value;

use crate::{context::Ctx, format};

fn shown(value: Option<Value>, name: &str) -> String {
    let Some(value) = value else { return "–".into() };
    // Masked under its own name, as everywhere else.
    let mut holder = Value::Object([(name.to_owned(), value)].into_iter().collect());
    format::redact(&mut holder);
    let text = match holder.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "–".into(),
        Some(other) => other.to_string(),
    };
    text.chars().take(300).collect()
}

pub fn view(ctx: &Ctx, body: &[u8], now: &Value, asked: time::OffsetDateTime) -> Option<AnyView> {
    let rows: Vec<_> = differences(body, now)?
        .into_iter()
        .map(|d| {
            let name = d.path.rsplit('.').next().unwrap_or_default().to_owned();
            view! {
                <tr>
                    <td><code>{d.path.clone()}</code></td>
                    <td>{shown(d.said, &name)}</td>
                    <td>{shown(d.now, &name)}</td>
                </tr>
            }
        })
        .collect();
    let when = ctx.tr("webhook-diff-asked", &[("time", format::short_time(asked))]);
    let table = if rows.is_empty() {
        view! { <p>{ctx.t("webhook-diff-none")}</p> }.into_any()
    } else {
        view! {
            <table class="diff">
                <thead>
                    <tr>
                        <th scope="col">{ctx.t("webhook-diff-member")}</th>
                        <th scope="col">{ctx.t("webhook-diff-said")}</th>
                        <th scope="col">{ctx.t("webhook-diff-now")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any()
    };
    Some(view! { <h2>{ctx.t("webhook-diff")}</h2> {table} <p class="soft">{when}</p> }.into_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_personal_is_masked_here_too() {
        assert_eq!(shown(Some(json!("ps_secret")), "secret"), "•••");
        assert_eq!(
            shown(Some(json!({ "accountNumber": "110123456789" })), "account"),
            r#"{"accountNumber":"********6789"}"#
        );
    }
}
