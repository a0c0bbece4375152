//! Amounts that people type and read.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Larger than any payment Toss takes, smaller than what overflows anything.
const LARGEST: i64 = 1_000_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum AmountError {
    #[error("no amount")]
    Empty,
    #[error("not a plain number")]
    NotANumber,
    #[error("not more than zero")]
    NotPositive,
    #[error("too large")]
    TooLarge,
    #[error("more decimal places than the currency has")]
    TooFine,
}

/// Decimal places of a currency: none for won and yen, two for the rest that Toss takes.
pub fn places(currency: &str) -> u32 {
    match currency {
        "KRW" | "JPY" => 0,
        _ => 2,
    }
}

/// Reads an amount as people write it: `1,000`, `₩12,000`, `12000원`, full-width digits. Exponents, signs and
/// misplaced commas are refused rather than guessed at.
pub fn parse(text: &str, currency: &str) -> Result<Decimal, AmountError> {
    let plain: String = text
        .trim()
        .chars()
        .map(|c| match c {
            '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c),
            '，' => ',',
            '．' => '.',
            other => other,
        })
        .collect();
    let plain = plain.trim_start_matches(['₩', '￦', '$']).trim_end_matches('원').trim();
    if plain.is_empty() {
        return Err(AmountError::Empty);
    }
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
    if whole.starts_with('-') {
        return Err(AmountError::NotPositive);
    }
    let digits: String = if whole.contains(',') {
        let mut groups = whole.split(',');
        let first_fits = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
        if !first_fits || groups.any(|group| group.len() != 3) {
            return Err(AmountError::NotANumber);
        }
        whole.replace(',', "")
    } else {
        whole.to_owned()
    };
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(&digits) || fraction.is_some_and(|f| !all_digits(f)) {
        return Err(AmountError::NotANumber);
    }
    if digits.len() > 18 {
        return Err(AmountError::TooLarge);
    }
    let text = fraction.map_or(digits.clone(), |f| format!("{digits}.{}", f.trim_end_matches('0')));
    let amount: Decimal = text.trim_end_matches('.').parse().map_err(|_| AmountError::NotANumber)?;
    check(amount, currency)?;
    Ok(amount)
}

/// The bounds of every amount that enters.
pub fn check(amount: Decimal, currency: &str) -> Result<(), AmountError> {
    if amount <= Decimal::ZERO {
        return Err(AmountError::NotPositive);
    }
    if amount > Decimal::from(LARGEST) {
        return Err(AmountError::TooLarge);
    }
    if amount.normalize().scale() > places(currency) {
        return Err(AmountError::TooFine);
    }
    Ok(())
}

/// `52,500` or `1,234.50`.
pub fn group(amount: Decimal, currency: &str) -> String {
    let places = places(currency);
    let text = format!("{:.*}", places as usize, amount.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut grouped = String::with_capacity(text.len() + 6);
    if amount.is_sign_negative() && !amount.is_zero() {
        grouped.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, won) in [
            ("52500", 52_500),
            ("52,500", 52_500),
            (" ₩52,500원 ", 52_500),
            ("５２，５００", 52_500),
            ("1,234,567", 1_234_567),
        ] {
            assert_eq!(parse(text, "KRW"), Ok(Decimal::from(won)), "{text}");
        }
        assert_eq!(parse("12.50", "USD"), Ok(Decimal::new(125, 1)));
    }

    #[test]
    fn what_is_not_plain_is_refused_with_a_reason() {
        use AmountError::*;
        for (text, error) in [
            ("", Empty),
            ("0", NotPositive),
            ("-5", NotPositive),
            ("1e9", NotANumber),
            ("1,00", NotANumber),
            ("12,34,567", NotANumber),
            ("abc", NotANumber),
            ("1000000000000000000", TooLarge),
            ("10000000000000000000000", TooLarge),
            ("12.5", TooFine),
            ("=1+1", NotANumber),
        ] {
            assert_eq!(parse(text, "KRW"), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_typed_back(won in 1i64..LARGEST) {
            let amount = Decimal::from(won);
            prop_assert_eq!(parse(&group(amount, "KRW"), "KRW"), Ok(amount));
        }
    }
}
