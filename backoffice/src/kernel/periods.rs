//! How long what is kept is kept: kinds, periods and their bounds. What goes when is in [`crate::retention`].

use std::collections::BTreeMap;

use time::{Date, Month, OffsetDateTime, UtcOffset};

text_enum! {
    /// Kinds of what is kept, as `JANGBU_RETENTION` names them.
    Class {
        /// What is personal of orders and payments: contracts and payments, 5 years (전자상거래법 시행령, article 6).
        Contracts = "contracts",
        /// What was said about orders: messages, notes of returns; complaints and disputes, 3 years (the same).
        Disputes = "disputes",
        Webhooks = "webhooks",
        /// Who saw whose personal data: 1 or 2 years (개인정보의 안전성 확보조치 기준, article 8).
        AccessRecords = "access_records",
        /// Log-ins, and what was refused at the door.
        SecurityEvents = "security_events",
        /// Who was given which rights: 3 years (the same, article 5).
        RightChanges = "right_changes",
        /// Tasks that are done: missing events that came, notices that were seen, replays that ended.
        Tasks = "tasks",
        /// What the merchant's own systems were told, and what they answered.
        Events = "events",
        /// Files that somebody asked for.
        Files = "files",
        /// What was said to Toss, and how it answered.
        TossCalls = "toss_calls",
        /// What the merchant's own servers have called.
        ApiRequests = "api_requests",
    }
}

/// A number of years, months or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    months: u16,
    days: u16,
}

impl Period {
    pub const fn years(years: u16) -> Self {
        Self { months: years * 12, days: 0 }
    }

    pub const fn months(months: u16) -> Self {
        Self { months, days: 0 }
    }

    pub const fn days(days: u16) -> Self {
        Self { months: 0, days }
    }

    /// `5y`, `18m` or `30d`
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let number: u16 = number.parse().ok().filter(|n| (1..=10_000).contains(n))?;
        match unit {
            "y" => number.checked_mul(12).map(Self::months),
            "m" => Some(Self::months(number)),
            "d" => Some(Self::days(number)),
            _ => None,
        }
    }

    /// As a setting has it.
    pub fn text(self) -> String {
        match self {
            Self { days: 0, months } if months % 12 == 0 => format!("{}y", months / 12),
            Self { days: 0, months } => format!("{months}m"),
            Self { days, .. } => format!("{days}d"),
        }
    }

    /// For comparing: a month has 30.4 days.
    fn weight(self) -> u64 {
        u64::from(self.months) * 304 + u64::from(self.days) * 10
    }

    pub fn is_within(self, shortest: Self, longest: Self) -> bool {
        (shortest.weight()..=longest.weight()).contains(&self.weight())
    }

    pub fn count(self) -> (u16, &'static str) {
        match self {
            Self { days: 0, months } if months % 12 == 0 => (months / 12, "years"),
            Self { days: 0, months } => (months, "months"),
            Self { days, .. } => (days, "days"),
        }
    }

    /// The moment that lies so far back, by the calendar of Seoul.
    pub fn before(self, at: OffsetDateTime) -> OffsetDateTime {
        self.moved(at, -1)
    }

    pub fn after(self, at: OffsetDateTime) -> OffsetDateTime {
        self.moved(at, 1)
    }

    fn moved(self, at: OffsetDateTime, by: i32) -> OffsetDateTime {
        let local = at.to_offset(super::clock::SEOUL);
        let month = local.year() * 12 + i32::from(u8::from(local.month())) - 1 + by * i32::from(self.months);
        let number = u8::try_from(month.rem_euclid(12) + 1).unwrap_or(1);
        let name = Month::try_from(number).unwrap_or(Month::January);
        let year = month.div_euclid(12);
        let day = local.day().min(name.length(year));
        let date = Date::from_calendar_date(year, name, day).unwrap_or(local.date());
        let moved = local.replace_date(date) + time::Duration::days(i64::from(by) * i64::from(self.days));
        moved.to_offset(UtcOffset::UTC)
    }
}

impl Class {
    /// Unless set otherwise; the shortest and the longest that may be set.
    pub const fn bounds(self) -> (Period, Period, Period) {
        match self {
            Self::Contracts => (Period::years(5), Period::years(5), Period::years(10)),
            Self::Disputes => (Period::years(3), Period::years(3), Period::years(10)),
            Self::Webhooks => (Period::years(5), Period::years(1), Period::years(5)),
            Self::AccessRecords => (Period::years(2), Period::years(1), Period::years(2)),
            Self::SecurityEvents => (Period::years(1), Period::years(1), Period::years(3)),
            Self::RightChanges => (Period::years(3), Period::years(3), Period::years(10)),
            Self::Tasks => (Period::years(1), Period::months(1), Period::years(5)),
            Self::Events => (Period::days(90), Period::days(30), Period::years(2)),
            Self::Files => (Period::days(1), Period::days(1), Period::days(7)),
            Self::TossCalls | Self::ApiRequests => (Period::days(30), Period::days(7), Period::months(6)),
        }
    }
}

/// Why a period cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPeriod {
    #[error("{0:?} is not like contracts=5y, tasks=18m or files=3d")]
    Unreadable(String),
    #[error("{}: from {} to {}", .0.as_str(), .1.text(), .2.text())]
    OutOfBounds(Class, Period, Period),
    #[error("webhooks: 1y, 2y or 5y")]
    Webhooks,
}

/// How long each kind is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Periods(BTreeMap<&'static str, Period>);

impl Periods {
    pub fn of(&self, class: Class) -> Period {
        self.0.get(class.as_str()).copied().unwrap_or(class.bounds().0)
    }

    /// Sets one, as in `contracts=5y`.
    pub fn set(&mut self, text: &str) -> Result<(), NoPeriod> {
        let unreadable = || NoPeriod::Unreadable(text.to_owned());
        let (class, period) = text.split_once('=').ok_or_else(unreadable)?;
        let class = Class::parse(class.trim()).ok_or_else(unreadable)?;
        let period = Period::parse(period.trim()).ok_or_else(unreadable)?;
        let (_, shortest, longest) = class.bounds();
        if !period.is_within(shortest, longest) {
            return Err(NoPeriod::OutOfBounds(class, shortest, longest));
        }
        // A month of deliveries goes as a table.
        if class == Class::Webhooks && !matches!(period.count(), (1 | 2 | 5, "years")) {
            return Err(NoPeriod::Webhooks);
        }
        self.0.insert(class.as_str(), period);
        Ok(())
    }

    /// Whether somebody has said so.
    pub fn is_set(&self, class: Class) -> bool {
        self.0.contains_key(class.as_str())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn periods_go_by_the_calendar_of_seoul() {
        let at = datetime!(2028-02-29 16:00 UTC);
        assert_eq!(Period::years(5).before(at), datetime!(2023-02-28 16:00 UTC));
        assert_eq!(Period::months(1).after(datetime!(2026-01-30 20:00 UTC)), datetime!(2026-02-27 20:00 UTC));
        assert_eq!(Period::days(1).before(at), datetime!(2028-02-28 16:00 UTC));
    }

    #[test]
    fn what_the_law_keeps_cannot_be_set_shorter() {
        let mut periods = Periods::default();
        for (text, why) in [
            ("contracts=4y", "contracts: from 5y to 10y"),
            ("access_records=3y", "access_records: from 1y to 2y"),
            ("webhooks=3y", "webhooks: 1y, 2y or 5y"),
            ("files=8d", "files: from 1d to 7d"),
            ("toss_calls=7m", "toss_calls: from 7d to 6m"),
            ("orders=5y", "\"orders=5y\" is not like contracts=5y, tasks=18m or files=3d"),
            ("tasks", "\"tasks\" is not like contracts=5y, tasks=18m or files=3d"),
            ("tasks=0y", "\"tasks=0y\" is not like contracts=5y, tasks=18m or files=3d"),
        ] {
            assert_eq!(periods.set(text).unwrap_err().to_string(), why);
        }
        assert_eq!(periods, Periods::default());
        periods.set("contracts = 10y").unwrap();
        periods.set("tasks=18m").unwrap();
        assert_eq!(periods.of(Class::Contracts), Period::years(10));
        assert_eq!(periods.of(Class::Tasks).text(), "18m");
        assert_eq!(periods.of(Class::Disputes), Period::years(3));
        assert_eq!(periods.of(Class::TossCalls), Period::days(30));
    }
}
