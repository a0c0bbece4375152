//! What staff see. Pages are rendered on the server and work without JavaScript; islands make a few things nicer.
//!
//! Compiled twice: `ssr` is everything, `hydrate` is the islands and the stubs of the server functions they call.

pub mod error;
pub mod functions;
pub mod islands;
pub mod routes;

#[cfg(feature = "ssr")]
pub mod access;
#[cfg(feature = "ssr")]
mod chart;
#[cfg(feature = "ssr")]
mod components;
#[cfg(feature = "ssr")]
pub mod context;
#[cfg(feature = "ssr")]
mod flash;
#[cfg(feature = "ssr")]
mod format;
#[cfg(feature = "ssr")]
mod pages;
#[cfg(feature = "ssr")]
pub mod shell;
#[cfg(feature = "ssr")]
mod upload;
#[cfg(feature = "ssr")]
pub mod words;

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
