//! Why somebody may not be the second person. Who may is decided in [`crate::staff`].

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotSecond {
    /// Nobody approves their own.
    Own,
    /// The account, its role or its password is too new.
    TooNew {
        #[serde(with = "toss::timestamp")]
        until: OffsetDateTime,
    },
    /// They have just made the account that asks, or set its password.
    OwnCreation {
        #[serde(with = "toss::timestamp")]
        until: OffsetDateTime,
    },
}
