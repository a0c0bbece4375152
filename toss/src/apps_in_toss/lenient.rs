//! Members that Toss writes as a number here and as text there (toss-api.md C32).

use std::fmt;

use serde::{Deserializer, de};

struct Text;

impl de::Visitor<'_> for Text {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, a truth value or null")
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Self::Value, E> {
        Ok(Some(v.to_string()))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Self::Value, E> {
        Ok(Some(v.to_string()))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Self::Value, E> {
        Ok(Some(v.to_string()))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Some(v.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Anything scalar, as text.
pub fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    d.deserialize_any(Text)
}

/// A whole number, also where it came as text. Empty text is nothing.
pub fn number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    match text(d)?.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(digits) => digits.parse().map(Some).map_err(|_| de::Error::custom("not a whole number")),
    }
}

/// The same where a missing number means none at all.
pub fn amount<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    Ok(number(d)?.unwrap_or_default())
}

/// `true` and the two spellings of it that Toss's document has (toss-api.md C33).
pub fn truth<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    Ok(text(d)?.map(|word| matches!(word.as_str(), "true" | "ture")))
}
