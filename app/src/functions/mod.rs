//! Server functions: what forms post to and islands call. Each has a fixed path under `/fn/` and a row in the access
//! table.

pub mod batches;
pub mod exports;
pub mod finance;
pub mod mini_app;
pub mod orders;
pub mod promotions;
pub mod refunds;
pub mod returns;
pub mod session;
pub mod staff;
pub mod webhooks;
