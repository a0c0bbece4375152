//! What a body said beside what Toss says now, member by member.

use backoffice::webhooks::differences;
use leptos::prelude::*;
use serde_json::Value;

use crate::{context::Ctx, format};

/// Rows of one table.
const ROWS: usize = 100;

/// Masked under every name of its path, as everywhere else.
fn shown(value: Option<Value>, path: &str) -> String {
    let Some(value) = value else { return "–".into() };
    let names: Vec<&str> = path.split('.').map(|name| name.split('[').next().unwrap_or(name)).collect();
    let mut holder = names
        .iter()
        .rev()
        .fold(value, |value, name| Value::Object([((*name).to_owned(), value)].into_iter().collect()));
    format::redact(&mut holder);
    let mut inner = &holder;
    for name in names {
        match inner.get(name) {
            Some(member) => inner = member,
            // What holds it is masked as a whole.
            None => break,
        }
    }
    let text = match inner {
        Value::String(text) => text.clone(),
        Value::Null => "–".into(),
        other => other.to_string(),
    };
    text.chars().take(300).collect()
}

pub fn view(ctx: &Ctx, body: &[u8], now: &Value, asked: time::OffsetDateTime) -> Option<AnyView> {
    let rows: Vec<_> = differences(body, now)?
        .into_iter()
        .take(ROWS)
        .map(|d| {
            view! {
                <tr>
                    <td><code>{d.path.clone()}</code></td>
                    <td>{shown(d.said, &d.path)}</td>
                    <td>{shown(d.now, &d.path)}</td>
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
        assert_eq!(shown(Some(json!("홍길동")), "individual.name"), "홍*동");
        let phone = shown(Some(json!("01012345678")), "mobilePhone.customerMobilePhone.plain");
        assert!(!phone.contains("1234"), "{phone}");
        assert_eq!(shown(Some(json!("DONE")), "cancels[0].cancelStatus"), "DONE");
        assert_eq!(
            shown(Some(json!({ "accountNumber": "110123456789" })), "account"),
            r#"{"accountNumber":"********6789"}"#
        );
    }
}
