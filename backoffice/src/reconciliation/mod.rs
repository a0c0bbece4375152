//! Whether what customers paid, what Toss says and what Toss settles are the same, and if not, why.
//!
//! A row is one transaction, by Toss's key. It gets exactly one class, in one place: the function `reconciled_rows` of
//! migration 17. [`run`] applies it to days and keeps their sums and what does not agree, [`expectations`] says what may be
//! expected when, [`differences`] are worked by people, [`close`] freezes a day. Nothing here changes the books by itself.

pub mod close;
pub mod contract;
mod days;
pub mod differences;
mod expectations;
pub(crate) mod job;
mod rows;
mod run;

use crate::{rail::Rail, settlements::FeeParts};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::Date;

pub use days::{Day, Light, Month, Source, class_sums, get_day, get_month, sources_read};
pub use rows::{Row, list_rows};
pub(crate) use run::read_day;
pub use run::{Reconciled, WindowError, reconcile, reconcile_due, request_day, window};

text_enum! {
    /// What became of a row.
    Class {
        Matched = "matched",
        /// Not due yet, or Toss's list is not read yet.
        Expected = "expected",
        MissingHere = "missing_here",
        MissingAtToss = "missing_at_toss",
        AmountDiffers = "amount_differs",
        StatusDiffers = "status_differs",
        FeeDiffers = "fee_differs",
        Duplicate = "duplicate",
        /// The sale was settled, its refund was not.
        SettledButRefunded = "settled_but_refunded",
        Late = "late",
    }
}

text_enum! {
    /// Why a row has its class; `reconciled_rows` writes them.
    Finding {
        SettledTwice = "settled_twice",
        ListedTwice = "listed_twice",
        NotBooked = "not_booked",
        NotListed = "not_listed",
        ListNotRead = "list_not_read",
        Currency = "currency",
        Amount = "amount",
        SettledAmount = "settled_amount",
        Status = "status",
        NotDue = "not_due",
        SettlementsNotRead = "settlements_not_read",
        RefundNotSettled = "refund_not_settled",
        NotSettled = "not_settled",
        FeeRate = "fee_rate",
        FeeSum = "fee_sum",
        FeeParts = "fee_parts",
        Payout = "payout",
        PaidLate = "paid_late",
        NoPrice = "no_price",
        NoRate = "no_rate",
    }
}

impl Class {
    /// Whether a person has to look at it.
    pub fn is_difference(self) -> bool {
        !matches!(self, Self::Matched | Self::Expected)
    }
}

/// Sums of rows of one currency: what moved on each side, and how a sale becomes a payout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    pub rows: i64,
    pub ours: Decimal,
    pub toss: Decimal,
    pub settled: Decimal,
    pub discount: Decimal,
    pub points: Decimal,
    /// With VAT: `supply + vat`.
    pub fee: Decimal,
    pub fee_base: Decimal,
    pub fee_instalment: Decimal,
    /// Below nothing: Toss takes so much less.
    pub fee_instalment_discount: Decimal,
    pub fee_point_saving: Decimal,
    pub fee_other: Decimal,
    /// Interest on instalments that the merchant bears, told beside the fee.
    pub interest_fee: Decimal,
    pub supply: Decimal,
    pub vat: Decimal,
    pub payout: Decimal,
    /// How many of the rows are reckoned from a price list.
    pub estimates: i64,
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.ours += other.ours;
        self.toss += other.toss;
        self.settled += other.settled;
        self.discount += other.discount;
        self.points += other.points;
        self.fee += other.fee;
        self.fee_base += other.fee_base;
        self.fee_instalment += other.fee_instalment;
        self.fee_instalment_discount += other.fee_instalment_discount;
        self.fee_point_saving += other.fee_point_saving;
        self.fee_other += other.fee_other;
        self.interest_fee += other.interest_fee;
        self.supply += other.supply;
        self.vat += other.vat;
        self.payout += other.payout;
        self.estimates += other.estimates;
    }
}

impl Sums {
    pub fn fee_parts(&self) -> FeeParts {
        FeeParts {
            base: self.fee_base,
            instalment: self.fee_instalment,
            instalment_discount: self.fee_instalment_discount,
            point_saving: self.fee_point_saving,
            other: self.fee_other,
            interest: self.interest_fee,
        }
    }

    /// What Toss has more than our books.
    pub fn difference(&self) -> Decimal {
        self.toss - self.ours
    }
}

/// Sums of the rows of one class, rail and currency on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSums {
    pub day: Date,
    pub rail: Rail,
    pub currency: String,
    pub class: Class,
    pub sums: Sums,
}
