//! Amounts on the wire: JSON numbers outside, [`Decimal`] inside, for `#[serde(with = "toss::decimal")]`.
//!
//! serde_json hands over a number with a fraction as `f64`. Its shortest text is the text Toss wrote for every
//! number of up to 15 digits, far more than a payment in cents has, so going through that text loses
//! nothing. `serde_json/arbitrary_precision` was rejected: it changes every `Value` of every crate in the build.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserializer, Serializer, de};

struct Amount;

impl de::Visitor<'_> for Amount {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of money")
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Decimal, E> {
        Ok(v.into())
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Decimal, E> {
        Ok(v.into())
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Decimal, E> {
        self.visit_str(&v.to_string())
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Decimal, E> {
        Decimal::from_str(v).map(|d| d.normalize()).map_err(|_| E::custom("not an amount"))
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Decimal, D::Error> {
    d.deserialize_any(Amount)
}

pub fn serialize<S: Serializer>(amount: &Decimal, s: S) -> Result<S::Ok, S::Error> {
    let amount = amount.normalize();
    match (amount.scale(), amount.to_i64()) {
        (0, Some(whole)) => s.serialize_i64(whole),
        _ => s.serialize_f64(amount.to_string().parse().map_err(serde::ser::Error::custom)?),
    }
}

/// The same for a member that may be null or absent.
pub mod option {
    use super::{Amount, Decimal, Deserializer, Serializer};
    use serde::{Deserialize, de};

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Decimal>, D::Error> {
        struct Wrapped(Decimal);
        impl<'de> Deserialize<'de> for Wrapped {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Amount).map(Self).map_err(de::Error::custom)
            }
        }
        Ok(Option::<Wrapped>::deserialize(d)?.map(|w| w.0))
    }

    pub fn serialize<S: Serializer>(amount: &Option<Decimal>, s: S) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => super::serialize(amount, s),
            None => s.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Row {
        #[serde(with = "crate::decimal")]
        amount: Decimal,
    }

    proptest! {
        #[test]
        fn no_cent_is_lost(cents in -99_999_999_999_999i64..99_999_999_999_999) {
            let amount = Decimal::new(cents, 2);
            let text = serde_json::to_string(&Row { amount }).unwrap();
            prop_assert_eq!(serde_json::from_str::<Row>(&text).unwrap().amount, amount);
        }
    }

    #[test]
    fn large_won_and_text_are_read() {
        for text in [r#"{"amount":50000000000}"#, r#"{"amount":"50000000000"}"#, r#"{"amount":5e10}"#] {
            assert_eq!(serde_json::from_str::<Row>(text).unwrap().amount, Decimal::from(50_000_000_000i64));
        }
    }
}
