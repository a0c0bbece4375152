//! Business days in Korea, neither a weekend nor a public holiday: Toss pays out on them, and the law counts them.

use std::{collections::BTreeSet, sync::LazyLock};

use time::{Date, Weekday};

/// Its first lines name its source.
const DATA: &str = include_str!("../data/holidays-kr.csv");

static HOLIDAYS: LazyLock<BTreeSet<Date>> = LazyLock::new(|| {
    DATA.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| crate::timestamp::parse_date(line.split_once(',')?.0))
        .collect()
});

pub fn is_business_day(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !HOLIDAYS.contains(&day)
}

/// The `days`-th business day after `day`, which itself does not count (민법 제157조).
pub fn add_business_days(day: Date, days: u32) -> Date {
    let mut at = day;
    let mut left = days;
    while left > 0 {
        let Some(next) = at.next_day() else { return at };
        at = next;
        if is_business_day(at) {
            left -= 1;
        }
    }
    at
}

/// Business days from `from` to `to`, `to` included; negative when `to` is before `from`.
pub fn business_days_between(from: Date, to: Date) -> i64 {
    let (start, end, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
    let mut at = start;
    let mut count = 0;
    while at < end {
        let Some(next) = at.next_day() else { break };
        at = next;
        count += i64::from(is_business_day(at));
    }
    count * sign
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn three_business_days_pass_over_weekends_and_holidays() {
        for (from, due) in [
            // an ordinary week
            (date!(2026 - 11 - 16), date!(2026 - 11 - 19)),
            // over a weekend
            (date!(2026 - 11 - 19), date!(2026 - 11 - 24)),
            // received on a Sunday
            (date!(2026 - 11 - 22), date!(2026 - 11 - 25)),
            // Chuseok 2026 (Thu, Fri) and the Saturday of it
            (date!(2026 - 09 - 23), date!(2026 - 09 - 30)),
            // Seollal 2027: Sunday to Tuesday with its substitute
            (date!(2027 - 02 - 05), date!(2027 - 02 - 12)),
            // Christmas 2027 on a Saturday, its substitute on Monday
            (date!(2027 - 12 - 24), date!(2027 - 12 - 30)),
            // National Foundation Day inside Chuseok 2028
            (date!(2028 - 09 - 29), date!(2028 - 10 - 11)),
        ] {
            assert_eq!(add_business_days(from, 3), due, "{from}");
        }
    }

    #[test]
    fn holidays_are_known_three_years_ahead() {
        assert!(HOLIDAYS.last().is_some_and(|last| last.year() >= 2029));
    }

    #[test]
    fn what_is_late_counts_backwards() {
        assert_eq!(business_days_between(date!(2026 - 11 - 19), date!(2026 - 11 - 24)), 3);
        assert_eq!(business_days_between(date!(2026 - 11 - 24), date!(2026 - 11 - 19)), -3);
        assert_eq!(business_days_between(date!(2026 - 11 - 24), date!(2026 - 11 - 24)), 0);
    }
}
