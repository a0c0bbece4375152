//! Text on its way to PostgreSQL and back: it holds no NUL, its errors hold what it was given, and bytes are hexadecimal.

use serde_json::Value;

/// The same value with every NUL replaced, at any depth.
pub(crate) fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "\u{fffd}")),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name.replace('\0', "\u{fffd}"), without_nul(value)))
            .collect(),
        other => other,
    }
}

/// In lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A database error without what it quotes: the detail holds whole rows, and in class 22 (data exceptions) the message
/// holds the value.
pub(crate) fn of_database(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match (error.code().unwrap_or_default(), error.constraint()) {
            (code, _) if code.starts_with("22") => format!("SQLSTATE {code}"),
            (code, Some(constraint)) => format!("SQLSTATE {code}, {constraint}"),
            (code, None) => format!("SQLSTATE {code}: {}", error.message()),
        },
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => "a column cannot be read".to_owned(),
        other => other.to_string(),
    }
}
