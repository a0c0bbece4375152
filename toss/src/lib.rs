//! Typed clients of the two Toss APIs.
//!
//! This crate knows HTTP, JSON and Toss's words. It knows no database, no web page and no rule of ours:
//! what a merchant may do with a payment is decided in `backoffice`.

pub mod apps_in_toss;
pub mod calendar;
pub mod decimal;
pub mod observe;
mod open_enum;
pub mod payments;
pub mod redact;
pub mod timestamp;

pub use rust_decimal::Decimal;

/// Declares a string newtype for an identifier that is opaque to us.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}
pub(crate) use id;
