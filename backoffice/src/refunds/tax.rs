//! What of a part refund bears no VAT (toss-api.md A5.1, A6). What is left must stay one of Toss's payments: neither of its
//! parts below nothing, and no more VAT to bear than there was.

use rust_decimal::{Decimal, RoundingStrategy};
use toss::payments::Payment;

use super::Refused;

/// What of the balance bears no VAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaxLeft {
    pub balance: Decimal,
    /// 면세: goods without VAT.
    pub free: Decimal,
    /// 과세 제외: no sale at all, a deposit for a cup.
    pub exempt: Decimal,
}

/// The same of a part that goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaxSplit {
    pub free: Decimal,
    pub exempt: Decimal,
}

impl TaxLeft {
    pub fn of(payment: &Payment) -> Self {
        Self {
            balance: payment.balance_amount,
            free: payment.tax_free_amount.unwrap_or_default(),
            exempt: payment.tax_exemption_amount.unwrap_or_default(),
        }
    }

    /// Something of it bears no VAT.
    pub fn is_mixed(&self) -> bool {
        !self.free.is_zero() || !self.exempt.is_zero()
    }

    /// There is something to choose: some of it bears VAT, some does not.
    pub fn is_chosen(&self) -> bool {
        !self.free.is_zero() && self.free < self.balance
    }

    fn taxable(&self) -> Decimal {
        self.balance - self.free - self.exempt
    }

    fn in_proportion(&self, part: Decimal, amount: Decimal, places: u32) -> Decimal {
        (amount * part / self.balance).round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
    }

    /// The split of a part of `amount`: as typed, or in proportion. Nothing for the whole, and for what bears VAT throughout.
    pub fn split(
        &self,
        amount: Decimal,
        typed: Option<Decimal>,
        places: u32,
    ) -> Result<Option<TaxSplit>, Refused> {
        if amount >= self.balance || !self.is_mixed() {
            return match typed.filter(|typed| !typed.is_zero() && *typed != self.free) {
                Some(_) => Err(Refused::TaxFree { least: self.free, most: self.free }),
                None => Ok(None),
            };
        }
        // Exempt first: nobody is asked for it.
        let exempt = self.in_proportion(self.exempt, amount, places).min(self.exempt).min(amount);
        let most = self.free.min(amount - exempt);
        let least = (amount - exempt - self.taxable()).max(Decimal::ZERO);
        // All that can be given back as taxable is, and it does not reach: some of the rest is exempt.
        if least > most {
            let exempt = (exempt + least - most).min(self.exempt);
            return Ok(Some(TaxSplit { free: most, exempt }));
        }
        let free = typed.unwrap_or_else(|| self.in_proportion(self.free, amount, places).clamp(least, most));
        if free < least || free > most {
            return Err(Refused::TaxFree { least, most });
        }
        Ok(Some(TaxSplit { free, exempt }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn left(balance: i64, free: i64, exempt: i64) -> TaxLeft {
        TaxLeft { balance: balance.into(), free: free.into(), exempt: exempt.into() }
    }

    fn split(left: TaxLeft, amount: i64, typed: Option<i64>) -> Result<Option<(i64, i64)>, Refused> {
        use rust_decimal::prelude::ToPrimitive;
        let split = left.split(amount.into(), typed.map(Decimal::from), 0)?;
        Ok(split.map(|split| (split.free.to_i64().unwrap(), split.exempt.to_i64().unwrap())))
    }

    #[test]
    fn a_part_takes_its_share_of_what_bears_no_vat() {
        // Half of it is free: half of a part is.
        assert_eq!(split(left(10_000, 5_000, 0), 1_000, None), Ok(Some((500, 0))));
        assert_eq!(split(left(10_000, 5_000, 0), 1_001, None), Ok(Some((501, 0))), "half a won goes up");
        // A shop without VAT: all of every part, and nobody is asked.
        let free = left(10_000, 10_000, 0);
        assert!(!free.is_chosen());
        assert_eq!(split(free, 3_000, None), Ok(Some((3_000, 0))));
        // One that bears VAT throughout, and the whole: nothing is sent.
        assert_eq!(split(left(10_000, 0, 0), 3_000, None), Ok(None));
        assert_eq!(split(left(10_000, 5_000, 0), 10_000, None), Ok(None));
        // A cup's deposit goes back in its share.
        assert_eq!(split(left(10_000, 2_000, 1_000), 5_000, None), Ok(Some((1_000, 500))));
    }

    #[test]
    fn what_is_typed_stays_within_what_is_left() {
        let refused =
            |least: i64, most: i64| Err(Refused::TaxFree { least: least.into(), most: most.into() });
        let mixed = left(10_000, 4_000, 0);
        assert_eq!(split(mixed, 5_000, Some(0)), Ok(Some((0, 0))));
        assert_eq!(split(mixed, 5_000, Some(4_000)), Ok(Some((4_000, 0))));
        assert_eq!(split(mixed, 5_000, Some(4_001)), refused(0, 4_000));
        assert_eq!(split(mixed, 3_000, Some(3_001)), refused(0, 3_000), "more than goes back");
        assert_eq!(split(mixed, 8_000, Some(1_999)), refused(2_000, 4_000), "only 6,000 bear VAT");
        assert_eq!(split(left(10_000, 0, 0), 5_000, Some(1)), refused(0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// Parts, one after the other, until all of it went back: whatever the rule gives Toss takes, what it refuses Toss
        /// refuses, and in the end exactly what bore no VAT has come back without VAT.
        #[test]
        fn whatever_is_split_toss_takes_until_nothing_is_left(
            total in 1_000i64..1_000_000, free in 0i64..=100, exempt in 0i64..=100, method in 0usize..3,
            parts in prop::collection::vec((1i64..=100, prop::option::of(0i64..1_000_000)), 1..8),
        ) {
            use sandbox::books::{Books, Choice, Opening};
            use toss::payments::{CancelRequest, ConfirmRequest, OrderId};

            let now = datetime!(2026-11-14 15:00 UTC);
            let free = total * free / 100;
            let exempt = (total - free) * exempt / 100;
            let mut books = Books::new("m");
            let opening: Opening = serde_json::from_value(serde_json::json!({
                "orderId": "ord_tax_1", "orderName": "x", "amount": total, "taxFreeAmount": free, "taxExemptionAmount": exempt,
            })).unwrap();
            let key = books.open(opening, now).unwrap().payment.payment_key;
            let method = ["계좌이체", "카드", "휴대폰"][method];
            let choice = Choice { method: Some(method.into()), ..Choice::default() };
            books.authenticate(&key.0, choice, now).unwrap();
            let confirm = ConfirmRequest {
                payment_key: key.clone(), order_id: OrderId("ord_tax_1".into()), amount: total.into(),
            };
            books.confirm(&confirm, now).unwrap();
            let ask = |amount: Decimal, split: Option<TaxSplit>| CancelRequest {
                cancel_reason: "x".into(),
                cancel_amount: Some(amount),
                tax_free_amount: split.map(|split| split.free),
                tax_exemption_amount: split.map(|split| split.exempt),
                ..CancelRequest::default()
            };
            for (percent, typed) in parts {
                let payment = books.look_up(&key.0, now).unwrap();
                let left = TaxLeft::of(&payment);
                let amount = (left.balance * Decimal::from(percent) / Decimal::ONE_HUNDRED).round().max(Decimal::ONE);
                if left.balance.is_zero() || amount > left.balance {
                    break;
                }
                // A card with an exempt part goes back whole (toss-api.md A5.3).
                let whole_only = method == "카드" && exempt > 0 && amount < left.balance;
                match left.split(amount, typed.map(Decimal::from), 0) {
                    Ok(split) => {
                        let done = books.cancel(&key.0, &ask(amount, split), now);
                        prop_assert_eq!(done.is_ok(), !whole_only, "{:?} of {:?}", split, left);
                    }
                    Err(_) => {
                        let split = TaxSplit { free: typed.unwrap().into(), exempt: Decimal::ZERO };
                        let wrong = books.cancel(&key.0, &ask(amount, Some(split)), now);
                        prop_assert!(wrong.is_err() || exempt > 0, "{:?} of {:?}", split, left);
                        if wrong.is_ok() {
                            break;
                        }
                    }
                }
                let payment = books.look_up(&key.0, now).unwrap();
                let back: Decimal = payment.cancels().iter().filter_map(|c| c.tax_free_amount).sum();
                prop_assert_eq!(back + payment.tax_free_amount.unwrap(), Decimal::from(free));
                let back: Decimal = payment.cancels().iter().filter_map(|c| c.tax_exemption_amount).sum();
                prop_assert_eq!(back + payment.tax_exemption_amount.unwrap(), Decimal::from(exempt));
                let sum = payment.supplied_amount.unwrap() + payment.vat.unwrap()
                    + payment.tax_free_amount.unwrap() + payment.tax_exemption_amount.unwrap();
                prop_assert_eq!(sum, payment.balance_amount);
                prop_assert!(payment.supplied_amount.unwrap() >= Decimal::ZERO);
            }
        }
    }
}
