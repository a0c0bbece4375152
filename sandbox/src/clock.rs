//! The sandbox's clock: real time plus an offset that can be turned, so that a month passes in a minute.

use std::sync::atomic::{AtomicI64, Ordering};

use time::{Duration, OffsetDateTime};
use toss::timestamp::SEOUL;

#[derive(Debug, Default)]
pub struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// Seoul time.
    pub fn now(&self) -> OffsetDateTime {
        (real_now() + self.offset()).to_offset(SEOUL)
    }

    pub fn offset(&self) -> Duration {
        Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    pub fn set_offset(&self, offset: Duration) {
        let ms = i64::try_from(offset.whole_milliseconds()).unwrap_or_default();
        self.offset_ms.store(ms, Ordering::Relaxed);
    }

    pub fn set(&self, now: OffsetDateTime) {
        self.set_offset(now - real_now());
    }

    pub fn advance(&self, by: Duration) {
        self.set_offset(self.offset() + by);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the sandbox reads real time")]
fn real_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
