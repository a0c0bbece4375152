//! What every noun may use, and what knows none of them.

#[macro_use]
mod text_enum;

pub(crate) mod apps_in_toss;
pub mod card_number;
pub mod clock;
pub mod intake_load;
pub(crate) mod later;
pub mod masking;
pub mod money;
pub mod page;
pub mod periods;
pub mod permission;
pub(crate) mod personal;
pub(crate) mod place;
pub mod rail;
pub mod role;
pub mod seal;
pub mod second_person;
pub(crate) mod text;
pub mod turns;
