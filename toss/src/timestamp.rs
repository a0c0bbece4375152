//! Times on the wire, for `#[serde(with = "toss::timestamp")]`.
//!
//! Toss writes ISO 8601 with `+09:00` in answers and leaves the zone out in webhooks and due dates
//! (toss-api.md C19). A time without a zone is Seoul time. Fractions have any number of digits.

use serde::{Deserialize, Deserializer, Serializer, de};
use time::{
    Date, OffsetDateTime, PrimitiveDateTime, UtcOffset,
    format_description::well_known::Iso8601,
    macros::{format_description, offset},
};

/// Korea has had no summer time since 1988.
pub const SEOUL: UtcOffset = offset!(+9);

/// Reads `2024-12-11T10:57:03+09:00`, `2026-01-02T14:46:59.65327`, `2025-09-12 16:57:12` and `2025-09-12`.
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    OffsetDateTime::parse(text, &Iso8601::DEFAULT)
        .ok()
        .or_else(|| {
            let iso = text.replacen(' ', "T", 1);
            PrimitiveDateTime::parse(&iso, &Iso8601::DEFAULT).ok().map(|t| t.assume_offset(SEOUL))
        })
        .or_else(|| parse_date(text).map(|d| d.midnight().assume_offset(SEOUL)))
}

/// Reads `yyyy-MM-dd`.
pub fn parse_date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

/// Writes `2024-12-11T10:57:03+09:00`, as Toss does.
pub fn format(at: OffsetDateTime) -> String {
    at.to_offset(SEOUL)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]"
        ))
        .unwrap_or_default()
}

/// Writes `yyyy-MM-ddTHH:mm:ss` in Seoul time, the form query strings take.
pub fn format_local(at: OffsetDateTime) -> String {
    at.to_offset(SEOUL)
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"))
        .unwrap_or_default()
}

pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<OffsetDateTime, D::Error> {
    let text = String::deserialize(d)?;
    parse(&text).ok_or_else(|| de::Error::custom("not a time"))
}

pub fn serialize<S: Serializer>(at: &OffsetDateTime, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&format(*at))
}

/// The same for a member that may be null or absent.
pub mod option {
    use super::{Deserialize, Deserializer, OffsetDateTime, Serializer, de, parse};

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<OffsetDateTime>, D::Error> {
        match Option::<String>::deserialize(d)?.filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or_else(|| de::Error::custom("not a time")),
        }
    }

    pub fn serialize<S: Serializer>(at: &Option<OffsetDateTime>, s: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, s),
            None => s.serialize_none(),
        }
    }
}

/// A calendar day, `yyyy-MM-dd`.
pub mod date {
    use time::{Date, macros::format_description};

    use super::{Deserialize, Deserializer, Serializer, de, parse_date};

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Date, D::Error> {
        let text = String::deserialize(d)?;
        parse_date(&text).ok_or_else(|| de::Error::custom("not a day"))
    }

    pub fn serialize<S: Serializer>(day: &Date, s: S) -> Result<S::Ok, S::Error> {
        let text =
            day.format(format_description!("[year]-[month]-[day]")).map_err(serde::ser::Error::custom)?;
        s.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn every_shape_toss_writes_is_read() {
        for (text, at) in [
            ("2024-12-11T10:57:03+09:00", datetime!(2024-12-11 10:57:03 +9)),
            ("2026-01-02T14:46:59.65327", datetime!(2026-01-02 14:46:59.65327 +9)),
            ("2022-05-12T00:00:00.000", datetime!(2022-05-12 00:00 +9)),
            ("2025-04-17 12:32:10", datetime!(2025-04-17 12:32:10 +9)),
            ("2025-04-17", datetime!(2025-04-17 00:00 +9)),
        ] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
        assert_eq!(parse("yesterday"), None);
        assert_eq!(format(datetime!(2024-12-11 1:57:03 UTC)), "2024-12-11T10:57:03+09:00");
    }
}
