//! What somebody shows besides the password: one's own keys and codes, and being asked for them.

pub mod functions;
pub mod log_in_functions;

#[cfg(feature = "ssr")]
pub(super) mod fields;
#[cfg(feature = "ssr")]
pub(crate) mod log_in;
#[cfg(feature = "ssr")]
pub(super) mod messages;
#[cfg(feature = "ssr")]
pub(crate) mod own;
#[cfg(feature = "ssr")]
pub(crate) mod proof;

/// What a form carries as a proof. What is empty was not shown.
#[cfg(feature = "ssr")]
pub fn proof_of(
    code: &str,
    recovery: &str,
    credential: &str,
    password: &str,
) -> backoffice::staff::factors::Proof {
    let shown = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned().into());
    backoffice::staff::factors::Proof {
        code: shown(code).or_else(|| shown(recovery)),
        credential: shown(credential),
        password: shown(password),
    }
}
