//! One day: our receipts beside Toss's list.

use rust_decimal::Decimal;
use sqlx::{Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};

use super::{COLUMNS, Origin, Receipt, State, Transaction};
use crate::{Backoffice, Fault, clock::day_start};

text_enum! {
    /// What is not alike.
    Finding {
        /// Ours stands, and Toss's list has it not.
        NotListed = "not_listed",
        /// Toss's list has one that nobody asked for here.
        NotOurs = "not_ours",
        /// The sums differ.
        AmountDiffers = "amount_differs",
    }
}

/// Receipts and what was taken back of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Side {
    pub receipts: u64,
    pub issued: Decimal,
    pub cancelled: Decimal,
}

impl Side {
    fn add(&mut self, transaction: Transaction, amount: Decimal) {
        self.receipts += 1;
        match transaction {
            Transaction::Confirm => self.issued += amount,
            Transaction::Cancel => self.cancelled += amount,
        }
    }

    pub fn standing(&self) -> Decimal {
        self.issued - self.cancelled
    }
}

#[derive(Debug, Clone)]
pub struct Day {
    /// When Toss's list was read to its end; nothing says nothing about differences.
    pub read_at: Option<OffsetDateTime>,
    pub rows: Vec<(Receipt, Option<Finding>)>,
    /// Those that were asked for here. What came with payments is not in Toss's list of receipts by itself.
    pub ours: Side,
    pub toss: Side,
    pub with_payments: Side,
}

/// Receipts of one Seoul day, newest first, 1,000 at most.
pub async fn day(backoffice: &Backoffice, day: Date) -> Result<Day, Fault> {
    let read_at = sqlx::query_scalar!("select read_at from cash_receipt_days where day = $1", day)
        .fetch_optional(&backoffice.pool)
        .await?;
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push("cash_receipts r where r.requested_at >= ").push_bind(day_start(day));
    query.push(" and r.requested_at < ").push_bind(day_start(day.next_day().unwrap_or(day)));
    query.push(" order by r.requested_at desc, r.transaction_type = 'CANCEL' desc, r.id desc limit 1000");
    let receipts: Vec<Receipt> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    let mut found = Day {
        read_at,
        rows: Vec::new(),
        ours: Side::default(),
        toss: Side::default(),
        with_payments: Side::default(),
    };
    for receipt in receipts {
        let stands = matches!(receipt.state, State::Completed | State::InProgress);
        if stands {
            match receipt.origin {
                Origin::Here => found.ours.add(receipt.transaction_type, receipt.amount),
                Origin::Payment => found.with_payments.add(receipt.transaction_type, receipt.amount),
                Origin::Toss => {}
            }
            if let Some(listed) = receipt.listed_amount.filter(|_| receipt.origin != Origin::Payment) {
                found.toss.add(receipt.transaction_type, listed);
            }
        }
        let finding = finding(&receipt, read_at);
        found.rows.push((receipt, finding));
    }
    Ok(found)
}

fn finding(receipt: &Receipt, read_at: Option<OffsetDateTime>) -> Option<Finding> {
    let read_at = read_at?;
    match receipt.origin {
        Origin::Toss => Some(Finding::NotOurs),
        _ if receipt.listed_amount.is_some_and(|listed| listed != receipt.amount) => {
            Some(Finding::AmountDiffers)
        }
        Origin::Here
            if matches!(receipt.state, State::Completed | State::InProgress)
                && receipt.settled_at.is_none_or(|at| at < read_at)
                && receipt.listed_at.is_none_or(|at| at < read_at) =>
        {
            Some(Finding::NotListed)
        }
        _ => None,
    }
}
