//! Keyset pages: a list remembers where it stopped, never how much it skipped.

use time::OffsetDateTime;

/// Where a page begins: after (or before) the row with this time and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub at: OffsetDateTime,
    pub key: String,
    pub direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards older rows: the next page.
    Older,
    /// Towards newer rows: the page before.
    Newer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this page mark cannot be read")]
pub struct BadCursor;

impl Cursor {
    pub fn encode(&self) -> String {
        let way = match self.direction {
            Direction::Older => 'o',
            Direction::Newer => 'n',
        };
        format!("{way}{}_{}", self.at.unix_timestamp_nanos() / 1000, self.key)
    }

    pub fn decode(text: &str) -> Result<Self, BadCursor> {
        let (direction, rest) = if let Some(rest) = text.strip_prefix('o') {
            (Direction::Older, rest)
        } else {
            (Direction::Newer, text.strip_prefix('n').ok_or(BadCursor)?)
        };
        let (micros, key) = rest.split_once('_').ok_or(BadCursor)?;
        let micros: i64 = micros.parse().map_err(|_| BadCursor)?;
        let at =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).map_err(|_| BadCursor)?;
        // PostgreSQL's own range; beyond it a comparison fails instead of finding nothing.
        if key.is_empty() || key.len() > 200 || key.contains('\0') || !(1970..=9999).contains(&at.year()) {
            return Err(BadCursor);
        }
        Ok(Self { at, key: key.to_owned(), direction })
    }
}

/// One page of a list, newest first.
#[derive(Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub newer: Option<Cursor>,
    pub older: Option<Cursor>,
}

impl<T> Page<T> {
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(to).collect(), newer: self.newer, older: self.older }
    }

    /// Builds a page from up to `size + 1` rows that were read in the cursor's direction.
    pub fn new(
        mut rows: Vec<T>,
        size: usize,
        cursor: Option<&Cursor>,
        key: impl Fn(&T) -> (OffsetDateTime, String),
    ) -> Self {
        let more = rows.len() > size;
        rows.truncate(size);
        let backwards = cursor.is_some_and(|c| c.direction == Direction::Newer);
        if backwards {
            rows.reverse();
        }
        let mark = |row: Option<&T>, direction| {
            row.map(|row| {
                let (at, key) = key(row);
                Cursor { at, key, direction }
            })
        };
        let (has_newer, has_older) = if backwards { (more, true) } else { (cursor.is_some(), more) };
        Self {
            newer: mark(rows.first(), Direction::Newer).filter(|_| has_newer),
            older: mark(rows.last(), Direction::Older).filter(|_| has_older),
            rows,
        }
    }
}

/// Appends the keyset condition, the order and the limit of a list that is read newest first.
pub(crate) fn push_keyset(
    query: &mut sqlx::QueryBuilder<sqlx::Postgres>,
    cursor: Option<&Cursor>,
    at: &str,
    key: &str,
    size: usize,
) {
    let backwards = cursor.is_some_and(|c| c.direction == Direction::Newer);
    if let Some(cursor) = cursor {
        let compare = if backwards { ">" } else { "<" };
        query.push(format!(" and ({at}, {key}) {compare} (")).push_bind(cursor.at);
        query.push(", ").push_bind(cursor.key.clone()).push(")");
    }
    let order = if backwards { "asc" } else { "desc" };
    // Written out: of a limit that it does not know PostgreSQL would plan every single page anew.
    query.push(format!(" order by {at} {order}, {key} {order} limit {}", size + 1));
}

/// The same in the order in which rows were written, by a number that only grows: a clock can be turned.
pub(crate) fn push_sequence(
    query: &mut sqlx::QueryBuilder<sqlx::Postgres>,
    cursor: Option<&Cursor>,
    number: &str,
    size: usize,
) {
    let backwards = cursor.is_some_and(|c| c.direction == Direction::Newer);
    if let Some(at) = cursor.and_then(|c| c.key.parse::<i64>().ok()) {
        let compare = if backwards { ">" } else { "<" };
        query.push(format!(" and {number} {compare} ")).push_bind(at);
    }
    let order = if backwards { "asc" } else { "desc" };
    query.push(format!(" order by {number} {order} limit {}", size + 1));
}

/// Appends the moments between which a list lies: from the first until before the second.
pub(crate) fn push_span(
    query: &mut sqlx::QueryBuilder<sqlx::Postgres>,
    at: &str,
    since: Option<OffsetDateTime>,
    before: Option<OffsetDateTime>,
) {
    if let Some(since) = since {
        query.push(format!(" and {at} >= ")).push_bind(since);
    }
    if let Some(before) = before {
        query.push(format!(" and {at} < ")).push_bind(before);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_the_address_bar(micros in 0i64..4_000_000_000_000_000, key in "[A-Za-z0-9_=-]{1,64}", older: bool) {
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let direction = if older { Direction::Older } else { Direction::Newer };
            let cursor = Cursor { at, key, direction };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }

        #[test]
        fn a_broken_cursor_is_refused_and_never_a_panic(text in ".{0,300}") {
            drop(Cursor::decode(&text));
        }
    }
}
