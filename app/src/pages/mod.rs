//! One module per page, named like the nouns of the back office.

pub mod audit;
pub mod campaign;
pub mod contract;
pub mod difference;
pub mod difference_words;
pub mod differences;
pub mod errors;
pub mod export_words;
pub mod exports;
pub mod firewall;
pub mod grant_batch;
pub mod home;
pub mod iap;
pub mod iap_words;
pub mod login;
pub mod message_words;
pub mod messages;
pub mod missing_events;
pub mod order;
mod order_timeline;
pub mod orders;
pub mod payout;
pub mod payouts;
pub mod promotion_words;
pub mod promotions;
pub mod reconciliation;
pub mod reconciliation_day;
mod reconciliation_tabs;
pub mod refund_batch;
pub mod refund_batches;
mod refund_desk;
pub mod refund_form;
pub mod refund_reasons;
pub mod refund_words;
pub mod refunds;
pub mod replay_words;
pub mod replays;
mod report_tables;
pub mod reports;
mod return_box;
pub mod returns;
pub mod settings;
pub mod staff;
pub mod statement_words;
pub mod transactions;
pub mod users;
pub mod webhook;
mod webhook_diff;
mod webhook_series;
pub mod webhooks;

use backoffice::Fault;

use crate::components::layout::Frame;

/// A page, or the fault that kept it from being made.
pub type Answer = Result<Frame, Fault>;
