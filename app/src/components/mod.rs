//! Pieces that several pages are made of.

pub mod agent;
pub mod badge;
pub mod chart;
pub mod errors;
pub mod export;
pub mod figures;
pub mod form;
pub mod layout;
pub mod list;
pub mod month;
pub mod once;
pub mod reveal;
