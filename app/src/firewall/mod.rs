//! What has to get through the firewall.

pub(crate) mod page;
