//! What staff see. Pages are rendered on the server and work without JavaScript; islands make a few things nicer.
//!
//! Compiled twice: `ssr` is everything, `hydrate` is the islands and the stubs of the server functions they call.

pub mod api_keys;
pub mod audit;
pub mod bank;
pub mod cash_receipts;
pub mod error;
pub mod events;
pub mod exports;
pub mod iap;
pub mod islands;
pub mod messages;
pub mod orders;
pub mod personal_data;
pub mod progress;
pub mod promotions;
pub mod reconciliation;
pub mod refunds;
pub mod returns;
pub mod routes;
pub mod settings;
pub mod staff;
pub mod users;
pub mod webhooks;

#[cfg(feature = "ssr")]
pub mod access;
#[cfg(feature = "ssr")]
mod action;
#[cfg(feature = "ssr")]
mod components;
#[cfg(feature = "ssr")]
pub mod context;
#[cfg(feature = "ssr")]
mod explain;
#[cfg(feature = "ssr")]
mod firewall;
#[cfg(feature = "ssr")]
pub mod flash;
#[cfg(feature = "ssr")]
mod format;
#[cfg(feature = "ssr")]
mod home;
#[cfg(feature = "ssr")]
pub mod i18n;
#[cfg(feature = "ssr")]
mod payouts;
#[cfg(feature = "ssr")]
mod reports;
#[cfg(feature = "ssr")]
mod security;
#[cfg(feature = "ssr")]
pub mod shell;
#[cfg(feature = "ssr")]
mod toss_calls;
#[cfg(feature = "ssr")]
mod transactions;
#[cfg(feature = "ssr")]
mod upload;

/// Wakes the islands of the page that was served.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    let root = leptos::prelude::document().document_element();
    let base = root.as_ref().and_then(|e| e.get_attribute("data-base")).unwrap_or_default();
    // Set once for the life of the page; where the dashboard is mounted is known only at run time.
    if leptos::server_fn::client::try_set_server_url(Box::leak(base.into_boxed_str())).is_err() {
        leptos::logging::warn!("the islands were woken twice");
    }
    leptos::mount::hydrate_islands();
    if let Some(root) = root {
        drop(root.set_attribute("data-js", "on"));
    }
}
