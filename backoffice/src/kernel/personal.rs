//! The members of Toss's objects, and the words people search by, that are somebody's own: accounts, phones, e-mail addresses.

use serde_json::Value;

use super::{card_number::contains_card_number, masking::mask_number};

/// A member is somebody's own when its name holds one of these, in whatever case.
const PARTS: [&str; 5] = ["accountnumber", "accountno", "phone", "email", "identitynumber"];

fn is_personal(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

/// Changes every text that is somebody's own, however deep it stands.
pub(crate) fn change<E>(
    value: &mut Value,
    change_text: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<(), E> {
    walk(value, "", false, &mut |_, is_personal, text| {
        if is_personal {
            *text = change_text(text)?;
        }
        Ok(())
    })
}

/// The last four characters stay of what is somebody's own.
pub(crate) fn masked(mut value: Value) -> Value {
    let mask = &mut |text: &str| Ok::<_, std::convert::Infallible>(mask_number(text));
    let Ok(()) = change(&mut value, mask);
    value
}

/// Toss sends card numbers masked. One that is not is kept from here on as Toss should have sent it (PCI DSS 3.5).
pub(crate) fn without_card_numbers(mut value: Value) -> Value {
    let Ok(()) = walk(&mut value, "", false, &mut |name, _, text| {
        if matches!(name, "number" | "cardNumber") && contains_card_number(text) {
            tracing::error!(member = name, "Toss sent a card number that is not masked; it is not kept");
            *text = mask_number(text);
        }
        Ok::<_, std::convert::Infallible>(())
    });
    value
}

/// What of it is somebody's, as a record of who saw it names it: `name`, `phone`, `email`, `account`.
pub(crate) fn kinds(value: &Value) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    let visit = &mut |name: &str, is_personal: bool, text: &mut String| {
        let lower = name.to_ascii_lowercase();
        let kind = match () {
            () if text.is_empty() => None,
            () if NAMES.contains(&name) => Some("name"),
            () if !is_personal => None,
            () if lower.contains("phone") => Some("phone"),
            () if lower.contains("email") => Some("email"),
            () => Some("account"),
        };
        if let Some(kind) = kind.filter(|kind| !kinds.contains(kind)) {
            kinds.push(kind);
        }
        Ok::<_, std::convert::Infallible>(())
    };
    let Ok(()) = walk(&mut value.clone(), "", false, visit);
    kinds
}

/// What people are called.
const NAMES: [&str; 4] = ["customerName", "depositorName", "holderName", "representativeName"];

/// Nothing of it is anybody's any more: names are gone, and in place of what is sealed stands what `blank` gives.
pub(crate) fn without_persons<E>(
    mut value: Value,
    blank: &mut impl FnMut() -> Result<String, E>,
) -> Result<Value, E> {
    walk(&mut value, "", false, &mut |name, is_personal, text| {
        if is_personal {
            *text = blank()?;
        } else if NAMES.contains(&name) {
            text.clear();
        }
        Ok(())
    })?;
    Ok(value)
}

fn walk<E>(
    value: &mut Value,
    name: &str,
    inside: bool,
    visit: &mut impl FnMut(&str, bool, &mut String) -> Result<(), E>,
) -> Result<(), E> {
    match value {
        Value::String(text) => visit(name, inside, text),
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, name, inside, visit)),
        Value::Object(members) => members.iter_mut().try_for_each(|(name, member)| {
            // A payment by phone: the number is only one of its members.
            let is_method = name == "mobilePhone" && member.is_object();
            walk(member, name, inside || (is_personal(name) && !is_method), visit)
        }),
        _ => Ok(()),
    }
}

/// What somebody searched by, when it is a phone number: its digits, as they are dialled within Korea.
pub(crate) fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let is_written = text.chars().all(|c| c.is_ascii_digit() || "+-() .".contains(c));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix("82") {
        Some(rest) if text.starts_with('+') => format!("0{}", rest.trim_start_matches('0')),
        _ => digits,
    };
    (is_written && digits.starts_with('0') && (9..=12).contains(&digits.len())).then_some(digits)
}

/// The same of an e-mail address.
pub(crate) fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let is_one = !local.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace);
    is_one.then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_somebodys_own_is_found_at_any_depth() {
        let toss = json!({
            "orderId": "01012345678", "virtualAccount": { "accountNumber": "X6505", "customerName": "김토스",
                "refundReceiveAccount": { "bankCode": "88", "accountNumber": "110123456789" } },
            "mobilePhone": { "customerMobilePhone": { "plain": "01012345678" }, "settlementStatus": "COMPLETED" }, "list": [{ "Email": "a@b.kr" }],
        });
        let mut found = Vec::new();
        let mut value = toss.clone();
        change::<()>(&mut value, &mut |text| {
            found.push(text.to_owned());
            Ok(String::new())
        })
        .unwrap();
        found.sort();
        assert_eq!(found, ["01012345678", "110123456789", "X6505", "a@b.kr"]);
        assert_eq!(value["orderId"], toss["orderId"]);
        assert_eq!(masked(toss)["virtualAccount"]["refundReceiveAccount"]["accountNumber"], "********6789");
    }

    #[test]
    fn a_card_number_in_the_clear_does_not_stay() {
        let card = json!({ "card": { "number": "4111111111111111" }, "paymentKey": "4111111111111111" });
        let kept = without_card_numbers(card);
        assert_eq!(
            kept,
            json!({ "card": { "number": "************1111" }, "paymentKey": "4111111111111111" })
        );
        let masked = json!({ "card": { "number": "43301234****123*" } });
        assert_eq!(without_card_numbers(masked.clone()), masked);
    }

    #[test]
    fn a_phone_is_one_however_it_is_written() {
        for text in
            ["01012345678", "010-1234-5678", "+82 10-1234-5678", "+82 (0)10 1234 5678", " 010.1234.5678 "]
        {
            assert_eq!(phone(text).as_deref(), Some("01012345678"), "{text}");
        }
        for text in ["ord_01012345678", "1234567890123", "010", "", "20261125001"] {
            assert_eq!(phone(text), None, "{text}");
        }
        assert_eq!(email(" Hong@Example.com ").as_deref(), Some("hong@example.com"));
        assert_eq!(email("@example.com").or(email("hong@")).or(email("a b@c.kr")), None);
    }
}
