//! When the buyer has the money, and how far it is (toss-api.md A5.3). For most methods Toss promises a time and tells no
//! more; for a deposited virtual account a bank pays out, and Toss tells how that went: [`super::follow`].

use time::{Date, Duration, OffsetDateTime, Time};
use toss::{
    calendar::{add_business_days, is_business_day},
    payments::RefundStatus,
    timestamp::SEOUL,
};

text_enum! {
    /// What Toss promises, by how it was paid.
    Arrival {
        /// Nothing was paid in yet.
        NothingToReturn = "nothing_to_return",
        AtOnce = "at_once",
        SameDay = "same_day",
        /// Before acquisition at once, after it or in part in three to four business days.
        CardThreeToFourDays = "card_three_to_four_days",
        /// A deposited virtual account; suspicious deals up to [`BANK_DAYS`].
        TwoBusinessDays = "two_business_days",
        FiveBusinessDays = "five_business_days",
        /// Part refunds of PayPal.
        UpToThirtyDays = "up_to_thirty_days",
    }
}

text_enum! {
    /// Where the money is, once Toss has taken a refund.
    Stage {
        /// Toss tells nothing more of this method.
        Accepted = "accepted",
        AtTheBank = "at_the_bank",
        Arrived = "arrived",
        /// A part came back; Toss does not tell which.
        PartlyArrived = "partly_arrived",
        /// The bank could not pay it out.
        Returned = "returned",
    }
}

/// Business days that a bank may take.
pub const BANK_DAYS: u32 = 9;

/// Hours in Seoul at which a bank may have news.
const BANK_HOURS: [u8; 3] = [9, 13, 17];

impl Arrival {
    /// The day in Korea by which the buyer has it.
    pub fn expected_on(self, accepted_on: Date) -> Option<Date> {
        match self {
            Self::NothingToReturn => None,
            Self::AtOnce | Self::SameDay => Some(accepted_on),
            Self::CardThreeToFourDays => Some(add_business_days(accepted_on, 4)),
            Self::TwoBusinessDays => Some(add_business_days(accepted_on, 2)),
            Self::FiveBusinessDays => Some(add_business_days(accepted_on, 5)),
            Self::UpToThirtyDays => Some(accepted_on + Duration::days(30)),
        }
    }

    /// Where the money is when Toss has just taken the refund.
    pub(super) fn first_stage(self) -> Option<Stage> {
        match self {
            Self::NothingToReturn => None,
            Self::TwoBusinessDays => Some(Stage::AtTheBank),
            _ => Some(Stage::Accepted),
        }
    }
}

impl Stage {
    /// It is somebody's task: the buyer does not have the money, and no machine will bring it.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::PartlyArrived | Self::Returned)
    }

    /// Toss is asked how it goes on.
    pub(super) fn is_followed(self) -> bool {
        matches!(self, Self::AtTheBank | Self::PartlyArrived | Self::Returned)
    }
}

/// One refund of a payment, as far as its way through the bank goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtBank {
    pub stage: Stage,
    /// No other refund of the payment is at the bank, and none came later: what Toss says of the payment is said of it.
    pub is_the_only_one_meant: bool,
    /// A person has said where it is, at this day in Korea.
    pub declared_on: Option<Date>,
}

/// What Toss says of the payment's refunds, applied to one of them. Toss tells one status for all refunds of a payment: what
/// has arrived stays so, unless nothing else can be meant.
pub(super) fn next_stage(now: AtBank, told: &RefundStatus, today: Date) -> Stage {
    let declared = |on: Date| match now.stage {
        // Toss needs a moment to learn what a person did in its admin; what a person paid otherwise is no concern of Toss's.
        Stage::AtTheBank => today <= add_business_days(on, 1),
        _ => true,
    };
    match told {
        RefundStatus::Pending if now.stage.needs_person() => Stage::AtTheBank,
        RefundStatus::Completed => Stage::Arrived,
        RefundStatus::Failed | RefundStatus::PartialFailed
            if now.declared_on.is_some_and(declared)
                || (now.stage == Stage::Arrived && !now.is_the_only_one_meant) =>
        {
            now.stage
        }
        RefundStatus::Failed => Stage::Returned,
        RefundStatus::PartialFailed => Stage::PartlyArrived,
        _ => now.stage,
    }
}

/// When Toss is asked next about money that a bank has: soon after Toss took it (a closed account comes back at once), then
/// at the hours of business, and once a day when a bank takes longer than it may.
pub(super) fn next_look(since: OffsetDateTime, due_on: Date, now: OffsetDateTime) -> OffsetDateTime {
    for soon in [Duration::minutes(10), Duration::hours(1)] {
        if now < since + soon {
            return since + soon;
        }
    }
    let local = now.to_offset(SEOUL);
    let mut day = local.date();
    loop {
        let hours = if day > due_on { &BANK_HOURS[..1] } else { &BANK_HOURS[..] };
        let next = hours
            .iter()
            .filter_map(|hour| Time::from_hms(*hour, 0, 0).ok())
            .map(|time| day.with_time(time).assume_offset(SEOUL))
            .find(|at| *at > now);
        match (next, day.next_day()) {
            (Some(next), _) if is_business_day(day) => return next,
            (_, Some(following)) => day = following,
            (_, None) => return now + Duration::days(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_day_is_promised_over_weekends_and_holidays() {
        // A Friday; the Monday after it is an ordinary one.
        let friday = date!(2026 - 11 - 20);
        for (arrival, day) in [
            (Arrival::NothingToReturn, None),
            (Arrival::AtOnce, Some(friday)),
            (Arrival::SameDay, Some(friday)),
            (Arrival::TwoBusinessDays, Some(date!(2026 - 11 - 24))),
            (Arrival::CardThreeToFourDays, Some(date!(2026 - 11 - 26))),
            (Arrival::FiveBusinessDays, Some(date!(2026 - 11 - 27))),
            (Arrival::UpToThirtyDays, Some(date!(2026 - 12 - 20))),
        ] {
            assert_eq!(arrival.expected_on(friday), day, "{arrival:?}");
        }
        // Chuseok 2026 is 24 to 26 September.
        assert_eq!(Arrival::TwoBusinessDays.expected_on(date!(2026 - 09 - 23)), Some(date!(2026 - 09 - 29)));
    }

    #[test]
    fn a_bank_is_asked_soon_then_in_its_hours_then_once_a_day() {
        let since = datetime!(2026-11-20 16:30 +9);
        let due = date!(2026 - 12 - 03);
        for (now, next) in [
            (since, datetime!(2026-11-20 16:40 +9)),
            (datetime!(2026-11-20 16:40 +9), datetime!(2026-11-20 17:30 +9)),
            (datetime!(2026-11-20 17:30 +9), datetime!(2026-11-23 09:00 +9)),
            (datetime!(2026-11-23 09:00 +9), datetime!(2026-11-23 13:00 +9)),
            (datetime!(2026-11-23 16:59 +9), datetime!(2026-11-23 17:00 +9)),
            (datetime!(2026-12-03 17:00 +9), datetime!(2026-12-04 09:00 +9)),
            (datetime!(2026-12-04 09:00 +9), datetime!(2026-12-07 09:00 +9)),
        ] {
            assert_eq!(next_look(since, due, now), next, "{now}");
        }
    }

    fn at(stage: Stage, only: bool, declared_on: Option<Date>) -> AtBank {
        AtBank { stage, is_the_only_one_meant: only, declared_on }
    }

    #[test]
    fn what_a_bank_says_moves_the_money_and_what_arrived_stays() {
        let today = date!(2026 - 11 - 24);
        use RefundStatus as Told;
        for (before, told, after) in [
            (at(Stage::AtTheBank, true, None), Told::None, Stage::AtTheBank),
            (at(Stage::AtTheBank, true, None), Told::Pending, Stage::AtTheBank),
            (at(Stage::AtTheBank, true, None), Told::Completed, Stage::Arrived),
            (at(Stage::AtTheBank, true, None), Told::Failed, Stage::Returned),
            (at(Stage::AtTheBank, true, None), Told::PartialFailed, Stage::PartlyArrived),
            (at(Stage::AtTheBank, false, None), Told::Failed, Stage::Returned),
            (at(Stage::Returned, true, None), Told::Pending, Stage::AtTheBank),
            (at(Stage::Returned, true, None), Told::Completed, Stage::Arrived),
            (at(Stage::PartlyArrived, true, None), Told::Failed, Stage::Returned),
            // Of an earlier refund of the same payment.
            (at(Stage::Arrived, false, None), Told::Pending, Stage::Arrived),
            (at(Stage::Arrived, false, None), Told::Failed, Stage::Arrived),
            // The account was closed after all.
            (at(Stage::Arrived, true, None), Told::Failed, Stage::Returned),
            (at(Stage::Arrived, true, None), Told::Pending, Stage::Arrived),
            (at(Stage::AtTheBank, true, None), Told::from("NEW_WORD"), Stage::AtTheBank),
        ] {
            assert_eq!(next_stage(before, &told, today), after, "{before:?} {told:?}");
        }
    }

    #[test]
    fn what_a_person_did_in_tosss_admin_has_a_day_to_show() {
        let declared = at(Stage::AtTheBank, true, Some(date!(2026 - 11 - 20)));
        for (today, after) in
            [(date!(2026 - 11 - 20), Stage::AtTheBank), (date!(2026 - 11 - 23), Stage::AtTheBank)]
        {
            assert_eq!(next_stage(declared, &RefundStatus::Failed, today), after);
        }
        assert_eq!(next_stage(declared, &RefundStatus::Failed, date!(2026 - 11 - 24)), Stage::Returned);
        assert_eq!(next_stage(declared, &RefundStatus::Completed, date!(2026 - 11 - 20)), Stage::Arrived);
        // Paid otherwise: Toss goes on saying what it said.
        let otherwise = at(Stage::Arrived, true, Some(date!(2026 - 11 - 20)));
        assert_eq!(next_stage(otherwise, &RefundStatus::Failed, date!(2026 - 12 - 31)), Stage::Arrived);
    }

    proptest! {
        #[test]
        fn the_next_look_is_later_and_within_a_long_holiday(
            since in 0i64..40_000_000, passed in 0i64..4_000_000, due in 0i64..20,
        ) {
            let since = datetime!(2026-01-01 00:00 UTC) + Duration::seconds(since);
            let now = since + Duration::seconds(passed);
            let due = since.to_offset(SEOUL).date() + Duration::days(due);
            let next = next_look(since, due, now);
            prop_assert!(next > now && next - now < Duration::days(11));
        }
    }
}
