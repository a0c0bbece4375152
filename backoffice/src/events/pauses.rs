//! How long is waited. Standard Webhooks' own schedule: three days and a few hours in all.

use time::Duration;

/// Before the second attempt at an event, the third, and so on.
const EVENT: [Duration; 9] = [
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(14),
    Duration::hours(20),
    Duration::hours(24),
];

/// Before an endpoint that fails for every event is tried again.
const ENDPOINT: [Duration; 7] = [
    Duration::seconds(5),
    Duration::seconds(30),
    Duration::minutes(2),
    Duration::minutes(5),
    Duration::minutes(15),
    Duration::minutes(30),
    Duration::hours(1),
];

/// What a receiver may ask us to wait at most.
const LONGEST_ASKED: Duration = Duration::DAY;

/// So many failures in a row, and it is the endpoint that fails and not the event.
pub(super) const ENDPOINT_FAILS: i32 = 5;

/// An endpoint that has failed for so long is told nothing more until somebody says so.
pub(super) const GIVE_UP_AFTER: Duration = Duration::days(3);

/// After the `attempts`th attempt at an event; nothing after the last.
pub(super) fn of_event(attempts: i32, asked: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let pause = EVENT.get(index)?;
    Some(asked.map_or(*pause, |asked| asked.clamp(*pause, LONGEST_ASKED.max(*pause))))
}

/// The longest: for an event that has no attempts left of its own while the whole endpoint fails.
pub(super) const LONGEST: Duration = Duration::hours(24);

/// After so many failures in a row; nothing while it may be the events.
pub(super) fn of_endpoint(failures: i32) -> Option<Duration> {
    let index = usize::try_from(failures.checked_sub(ENDPOINT_FAILS)?).ok()?;
    ENDPOINT.get(index).or(ENDPOINT.last()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_tried_for_three_days_with_growing_pauses() {
        let pauses: Vec<Duration> = (1..).map_while(|attempt| of_event(attempt, None)).collect();
        assert!(pauses.is_sorted());
        let all: Duration = pauses.iter().sum();
        assert!((Duration::days(3)..Duration::days(4)).contains(&all), "{all}");
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_and_not_for_less() {
        let asked = |seconds| of_event(1, Some(Duration::seconds(seconds)));
        assert_eq!(asked(1), Some(Duration::seconds(5)));
        assert_eq!(asked(60), Some(Duration::MINUTE));
        assert_eq!(asked(i64::MAX), Some(Duration::DAY));
    }

    #[test]
    fn an_endpoint_is_left_alone_when_everything_fails() {
        assert_eq!(of_endpoint(0), None);
        assert_eq!(of_endpoint(ENDPOINT_FAILS - 1), None);
        assert_eq!(of_endpoint(ENDPOINT_FAILS), Some(Duration::seconds(5)));
        assert_eq!(of_endpoint(i32::MAX), Some(Duration::HOUR));
    }
}
