//! The clock is passed in. In sandbox mode it can be turned, so that a month end can be rehearsed.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use time::{Date, Duration, OffsetDateTime, UtcOffset};
pub use toss::timestamp::SEOUL;

#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// UTC, to the microsecond, as PostgreSQL keeps it.
    pub fn now(&self) -> OffsetDateTime {
        let now = real_now() + Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed));
        now.to_offset(UtcOffset::UTC).replace_nanosecond(now.microsecond() * 1000).unwrap_or(now)
    }

    /// The day it is in Korea.
    pub fn today(&self) -> Date {
        self.now().to_offset(SEOUL).date()
    }

    pub fn set_offset(&self, offset: Duration) {
        self.offset_ms
            .store(i64::try_from(offset.whole_milliseconds()).unwrap_or_default(), Ordering::Relaxed);
    }

    pub fn set(&self, now: OffsetDateTime) {
        self.set_offset(now - real_now());
    }
}

/// The first moment of a Seoul day.
pub fn day_start(day: Date) -> OffsetDateTime {
    day.midnight().assume_offset(SEOUL)
}

/// For what others hold against a clock of theirs.
#[expect(clippy::disallowed_methods, reason = "the one place where real time is read")]
pub(crate) fn real_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
