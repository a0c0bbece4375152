//! What the lists have in common: pages by a mark, newest first.

use axum::http::HeaderMap;
use backoffice::page::{Cursor, Direction, Page};
use time::{Date, OffsetDateTime};

use super::{ApiError, words};

const MOST: usize = 100;
const USUAL: usize = 50;

/// Which page of a list.
pub(super) struct Wanted {
    pub cursor: Option<Cursor>,
    pub limit: usize,
}

/// Reads the two that every list takes.
pub(super) fn wanted(
    headers: &HeaderMap,
    cursor: Option<&str>,
    limit: Option<usize>,
) -> Result<Wanted, ApiError> {
    let invalid = |why| ApiError::invalid(words(headers), why);
    let cursor = cursor.map(Cursor::decode).transpose().map_err(|_| invalid("cursor: none of ours"))?;
    if cursor.as_ref().is_some_and(|cursor| cursor.direction == Direction::Newer) {
        return Err(invalid("cursor: none of ours"));
    }
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(invalid("limit: from 1 to 100"));
    }
    Ok(Wanted { cursor, limit })
}

/// The mark of the next page.
pub(super) fn next<T>(page: &Page<T>) -> Option<String> {
    page.older.as_ref().map(Cursor::encode)
}

/// A moment as it was typed behind the question mark.
pub(super) fn moment(
    headers: &HeaderMap,
    name: &str,
    text: Option<&str>,
) -> Result<Option<OffsetDateTime>, ApiError> {
    let why = || ApiError::invalid(words(headers), &format!("{name}: like 2026-11-30T09:00:00+09:00"));
    text.map(|text| {
        toss::timestamp::parse(text).filter(|at| (1970..=9999).contains(&at.year())).ok_or_else(why)
    })
    .transpose()
}

/// A day in Korea.
pub(super) fn day(headers: &HeaderMap, name: &str, text: Option<&str>) -> Result<Option<Date>, ApiError> {
    let why = || ApiError::invalid(words(headers), &format!("{name}: like 2026-11-30"));
    text.map(|text| {
        toss::timestamp::parse_date(text).filter(|day| (1970..9999).contains(&day.year())).ok_or_else(why)
    })
    .transpose()
}

/// Text that is looked for: PostgreSQL has no NUL.
pub(super) fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(|text| text.replace('\0', "\u{fffd}"))
}
