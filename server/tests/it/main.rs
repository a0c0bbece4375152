//! The product's promises, kept over real HTTP: the real router, a real PostgreSQL, the sandbox on a real port.
//!
//! `JANGBU_TEST_DATABASE_URL` names the PostgreSQL; `cargo xtask test` starts one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

mod access;
mod access_records;
mod accounts;
mod api_keys;
mod approvals;
mod apps_in_toss;
mod arrival;
mod audit;
mod batches;
mod cash_receipts;
mod database_roles;
mod edge;
mod edge_listener;
mod event_pages;
mod events;
mod factors;
mod finance_files;
mod forms;
mod guessing;
mod killed;
mod leaks;
mod leaving;
mod log;
mod merchant_api;
mod mini_app;
mod missing;
mod mounted;
mod next_door;
mod oidc;
mod origins;
mod pages;
mod people;
mod personal_data;
mod promotions;
mod queue;
mod reconciliation;
mod refunds;
mod returns;
mod rights;
mod sealed;
mod security_lines;
mod support;
mod tax;
mod toss_calls;
mod toss_client;
mod toss_pay;
mod two_people;
mod upgrade;
mod webhook_lives;
mod webhook_log;
mod webhook_trust;
mod webhooks;
