//! Parts of an amount.

use rust_decimal::{Decimal, RoundingStrategy};
use toss::payments::Payment;

/// Decimal places of a currency.
pub(super) fn places(currency: &str) -> u32 {
    if matches!(currency, "KRW" | "JPY") { 0 } else { 2 }
}

/// Sets the balance and what follows from it: `vat = round((balance − taxFree − taxExemption) / 11)`, half up,
/// and `supplied` is the rest (toss-api.md A6).
pub(super) fn set_balance(payment: &mut Payment, balance: Decimal) {
    let free = payment.tax_free_amount.unwrap_or_default().min(balance);
    let exempt = payment.tax_exemption_amount.unwrap_or_default().min(balance - free);
    let places = places(payment.currency());
    let vat = ((balance - free - exempt) / Decimal::from(11))
        .round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    payment.balance_amount = balance;
    payment.tax_free_amount = Some(free);
    payment.tax_exemption_amount = Some(exempt);
    payment.vat = Some(vat);
    payment.supplied_amount = Some(balance - vat - free - exempt);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vat_is_the_one_in_real_answers() {
        let mut payment: Payment = serde_json::from_value(serde_json::json!({
            "paymentKey": "p", "orderId": "o", "status": "DONE", "totalAmount": 0, "balanceAmount": 0,
        }))
        .unwrap();
        for (balance, vat) in [(163_020, 14_820), (30_000, 2_727), (15_000, 1_364), (9_026, 821)] {
            set_balance(&mut payment, Decimal::from(balance));
            assert_eq!(payment.vat, Some(Decimal::from(vat)), "{balance}");
        }
        payment.currency = Some("USD".into());
        set_balance(&mut payment, Decimal::new(54468, 2));
        assert_eq!(
            (payment.vat, payment.supplied_amount),
            (Some(Decimal::new(4952, 2)), Some(Decimal::new(49516, 2)))
        );
    }
}
