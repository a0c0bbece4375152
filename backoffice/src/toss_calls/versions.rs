//! Whether Toss answers in the version that we were written for. It is set in Toss's developer centre, and nothing in a
//! request tells (toss-api.md A1.3).

use time::{Duration, OffsetDateTime};
use toss::payments::VERSION;

use crate::{Backoffice, Fault};

/// A version that has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub version: String,
    pub first_seen_at: OffsetDateTime,
    /// To the minute.
    pub last_seen_at: OffsetDateTime,
}

/// The other version that answers now, if one does.
pub async fn other_version(backoffice: &Backoffice) -> Result<Option<Seen>, Fault> {
    let seen = sqlx::query_as!(Seen, "select version, first_seen_at, last_seen_at from toss_versions")
        .fetch_all(&backoffice.pool)
        .await?;
    Ok(other_than_ours(seen))
}

/// Once ours has answered alone for an hour, the other one is over.
fn other_than_ours(seen: Vec<Seen>) -> Option<Seen> {
    let (ours, others): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(|seen| seen.version == VERSION);
    let last = others.into_iter().max_by_key(|seen| seen.last_seen_at)?;
    let is_over = ours.iter().any(|ours| ours.last_seen_at > last.last_seen_at + Duration::HOUR);
    (!is_over).then_some(last)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn seen(version: &str, last_seen_at: OffsetDateTime) -> Seen {
        Seen { version: version.to_owned(), first_seen_at: datetime!(2026-11-01 00:00 UTC), last_seen_at }
    }

    #[test]
    fn another_version_is_told_until_ours_answers_alone_again() {
        let noon = datetime!(2026-11-30 12:00 UTC);
        let other = seen("2024-06-01", noon);
        assert_eq!(other_than_ours(vec![]), None);
        assert_eq!(other_than_ours(vec![seen(VERSION, noon)]), None);
        assert_eq!(other_than_ours(vec![other.clone()]), Some(other.clone()));
        // Both answer, as while it is being changed.
        let both = vec![seen(VERSION, noon + Duration::minutes(5)), other.clone()];
        assert_eq!(other_than_ours(both), Some(other.clone()));
        let back = vec![seen(VERSION, noon + Duration::minutes(61)), other.clone()];
        assert_eq!(other_than_ours(back), None);
        // Of several the last.
        let older = seen("1.4", noon - Duration::DAY);
        assert_eq!(other_than_ours(vec![older, other.clone()]), Some(other));
    }
}
