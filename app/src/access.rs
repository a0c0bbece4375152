//! Who may open what: one table for every page and server function. What is not in it is closed.

use backoffice::staff::Permission::{
    self, ApproveRefund, ChangeSettings, Export, Grant, LookUpAtToss, ManageApiKeys, ManageCampaigns,
    ManageEvents, ManagePersonalData, ManageStaff, Reconcile, Refund, RevealPersonal, SendMessage,
    UnlinkUser, ViewAudit, ViewFinance, ViewTrade,
};

use crate::routes;

/// What a visitor needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nobody has to be logged in.
    Open,
    /// Anybody who is logged in.
    Staff,
    Needs(Permission),
    /// Anybody who is logged in and has just shown who they are.
    StaffProves,
    /// The permission, and a fresh proof.
    Proves(Permission),
    /// The same, where this field of the form says `1`.
    ProvesWhen(Permission, &'static str),
}

impl Access {
    pub fn permission(self) -> Option<Permission> {
        match self {
            Self::Needs(permission) | Self::Proves(permission) | Self::ProvesWhen(permission, _) => {
                Some(permission)
            }
            Self::Open | Self::Staff | Self::StaffProves => None,
        }
    }

    /// Whether what a form says takes a fresh proof.
    pub fn wants_proof(self, form: &[(String, String)]) -> bool {
        match self {
            Self::StaffProves | Self::Proves(_) => true,
            Self::ProvesWhen(_, field) => form.iter().any(|(name, value)| name == field && value == "1"),
            Self::Open | Self::Staff | Self::Needs(_) => false,
        }
    }

    pub fn may_want_proof(self) -> bool {
        matches!(self, Self::StaffProves | Self::Proves(_) | Self::ProvesWhen(..))
    }
}

/// All that somebody sees who has to have a second factor and has none yet.
pub const BEFORE_A_FACTOR: &[&str] = &[
    routes::FACTORS,
    "/fn/begin_totp",
    "/fn/confirm_totp",
    "/fn/offer_passkey",
    "/fn/add_passkey",
    "/fn/prove",
    "/fn/log_out",
    "/fn/set_preferences",
];

/// Pages, by the pattern they are routed with.
pub const PAGES: &[(&str, Access)] = &[
    (routes::LOGIN, Access::Open),
    // Whoever has the link.
    (routes::INVITATION, Access::Open),
    // Whoever has shown the password in this session; nobody sees more there than they have typed.
    (routes::LOGIN_FACTOR, Access::Open),
    (routes::FACTORS, Access::StaffProves),
    (routes::PROOF, Access::Staff),
    // Shows what its own request has posted, and nothing else.
    (routes::UNSENT, Access::Open),
    (routes::ACCOUNT, Access::Staff),
    (routes::HOME, Access::Needs(ViewTrade)),
    (routes::ORDERS, Access::Needs(ViewTrade)),
    ("/orders/{order_id}", Access::Needs(ViewTrade)),
    (routes::TRANSACTIONS, Access::Needs(ViewFinance)),
    (routes::REFUNDS, Access::Needs(ViewTrade)),
    (routes::REFUND_REASONS, Access::Needs(ViewTrade)),
    (routes::REFUND_BATCHES, Access::Needs(ViewTrade)),
    ("/refunds/batches/{id}", Access::Needs(ViewTrade)),
    (routes::RETURNS, Access::Needs(ViewTrade)),
    (routes::WEBHOOKS, Access::Needs(ViewTrade)),
    (routes::MISSING_EVENTS, Access::Needs(ViewTrade)),
    (routes::WEBHOOK_REPLAYS, Access::Needs(ViewTrade)),
    ("/webhooks/replays/{id}", Access::Needs(ViewTrade)),
    ("/webhooks/{id}", Access::Needs(ViewTrade)),
    (routes::EVENTS, Access::Needs(ViewTrade)),
    (routes::EVENT_ENDPOINTS, Access::Needs(ViewTrade)),
    ("/events/endpoints/{id}", Access::Needs(ViewTrade)),
    ("/events/{id}", Access::Needs(ViewTrade)),
    (routes::TOSS_CALLS, Access::Needs(ViewTrade)),
    // Which servers may do what, and what they have done.
    (routes::API_KEYS, Access::Needs(ManageApiKeys)),
    (routes::API_REQUESTS, Access::Needs(ManageApiKeys)),
    ("/api-keys/{id}", Access::Needs(ManageApiKeys)),
    ("/toss-calls/{id}", Access::Needs(ViewTrade)),
    (routes::RECONCILIATION, Access::Needs(ViewFinance)),
    (routes::DIFFERENCES, Access::Needs(ViewFinance)),
    ("/reconciliation/differences/{key}", Access::Needs(ViewFinance)),
    (routes::CONTRACT, Access::Needs(ViewFinance)),
    (routes::REPORTS, Access::Needs(ViewFinance)),
    (routes::PAYOUTS, Access::Needs(ViewFinance)),
    ("/reconciliation/payouts/{day}", Access::Needs(ViewFinance)),
    ("/reconciliation/{day}", Access::Needs(ViewFinance)),
    (routes::CASH_RECEIPTS, Access::Needs(ViewTrade)),
    (routes::PROMOTIONS, Access::Needs(ViewTrade)),
    ("/promotions/{promotion_code}", Access::Needs(ViewTrade)),
    ("/promotions/batches/{id}", Access::Needs(ViewTrade)),
    (routes::IAP, Access::Needs(ViewTrade)),
    (routes::MESSAGES, Access::Needs(ViewTrade)),
    (routes::USERS, Access::Needs(ViewTrade)),
    ("/users/{user_key}", Access::Needs(ViewTrade)),
    (routes::EXPORTS, Access::Needs(Export)),
    ("/exports/{id}", Access::Needs(Export)),
    ("/exports/file/{id}", Access::Needs(Export)),
    (routes::FIREWALL, Access::Staff),
    (routes::STAFF, Access::Needs(ManageStaff)),
    // What everybody may do is no secret; who has it is.
    (routes::ROLES, Access::Staff),
    (routes::RIGHTS, Access::Needs(ViewAudit)),
    ("/staff/{id}", Access::Needs(ManageStaff)),
    (routes::AUDIT, Access::Needs(ViewAudit)),
    ("/audit/{seq}", Access::Needs(ViewAudit)),
    (routes::ACCESS_RECORDS, Access::Needs(ViewAudit)),
    (routes::ACCESS_REVIEW, Access::Needs(ViewAudit)),
    (routes::PERSONAL_DATA, Access::Needs(ManagePersonalData)),
    // Who comes from where, and when.
    (routes::SECURITY, Access::Needs(ManageStaff)),
    (routes::SETTINGS, Access::Staff),
];

/// Our own ways in. A host that says who everybody is closes them.
pub const OWN_WAYS_IN: &[&str] = &[
    routes::LOGIN,
    routes::LOGIN_FACTOR,
    routes::INVITATION,
    "/fn/log_in",
    "/fn/log_in_with_passkey",
    "/fn/show_factor",
    "/fn/accept_invitation",
    "/fn/change_password",
    "/fn/invite_staff",
];

/// The log-in of the house next door. Where it is not set up, they are not in the table.
pub const NEXT_DOOR: &[(&str, Access)] = &[
    (routes::OIDC, Access::Open),
    // The state says whose session it is.
    (routes::OIDC_CALLBACK, Access::Open),
    (routes::OIDC_LEFT, Access::Open),
];

/// Server functions, by their path.
pub const FUNCTIONS: &[(&str, Access)] = &[
    ("/fn/log_in", Access::Open),
    ("/fn/set_preferences", Access::Open),
    ("/fn/accept_invitation", Access::Open),
    ("/fn/show_factor", Access::Open),
    ("/fn/ask_passkey", Access::Open),
    ("/fn/log_in_with_passkey", Access::Open),
    ("/fn/log_out", Access::Staff),
    ("/fn/prove", Access::StaffProves),
    ("/fn/see_notice", Access::Staff),
    ("/fn/begin_totp", Access::StaffProves),
    ("/fn/confirm_totp", Access::StaffProves),
    ("/fn/offer_passkey", Access::StaffProves),
    ("/fn/add_passkey", Access::StaffProves),
    ("/fn/remove_factor", Access::StaffProves),
    ("/fn/renew_recovery_codes", Access::StaffProves),
    // One's own account, and nobody else's.
    ("/fn/change_password", Access::Staff),
    ("/fn/end_session", Access::StaffProves),
    ("/fn/end_other_sessions", Access::StaffProves),
    ("/fn/forget_device", Access::StaffProves),
    ("/fn/confirm_device", Access::Staff),
    ("/fn/refund", Access::Needs(Refund)),
    ("/fn/approve_refund", Access::Proves(ApproveRefund)),
    ("/fn/decline_refund", Access::Needs(ApproveRefund)),
    ("/fn/withdraw_refund", Access::Needs(Refund)),
    ("/fn/decide_refund", Access::Needs(Refund)),
    ("/fn/record_way_out", Access::Needs(Refund)),
    ("/fn/set_refund_limit", Access::Proves(ChangeSettings)),
    ("/fn/decide_limit", Access::Proves(ChangeSettings)),
    ("/fn/approve_campaign", Access::Proves(ManageCampaigns)),
    ("/fn/preview_batch", Access::Needs(Refund)),
    ("/fn/start_batch", Access::Needs(Refund)),
    ("/fn/stop_batch", Access::Needs(Refund)),
    ("/fn/approve_batch", Access::Proves(ApproveRefund)),
    ("/fn/decline_batch", Access::Needs(ApproveRefund)),
    ("/fn/issue_cash_receipt", Access::Needs(Refund)),
    ("/fn/cancel_cash_receipt", Access::Needs(Refund)),
    ("/fn/retry_cash_receipt", Access::Needs(Refund)),
    ("/fn/read_cash_receipts", Access::Needs(LookUpAtToss)),
    ("/fn/record_return", Access::Needs(Refund)),
    ("/fn/close_return", Access::Needs(Refund)),
    ("/fn/look_up", Access::Needs(LookUpAtToss)),
    ("/fn/settle_attention", Access::Needs(Refund)),
    ("/fn/find", Access::Needs(ViewTrade)),
    // Of an export only to whoever asked for it.
    ("/fn/progress", Access::Needs(ViewTrade)),
    ("/fn/deliveries_since", Access::Needs(ViewTrade)),
    ("/fn/replay_webhook", Access::Needs(LookUpAtToss)),
    ("/fn/start_replay", Access::Needs(LookUpAtToss)),
    ("/fn/stop_replay", Access::Needs(LookUpAtToss)),
    ("/fn/go_on_with_replay", Access::Needs(LookUpAtToss)),
    // Where what happens here goes, and who can say that they are us.
    ("/fn/add_endpoint", Access::Proves(ManageEvents)),
    ("/fn/change_endpoint", Access::Proves(ManageEvents)),
    ("/fn/rotate_endpoint_secret", Access::Proves(ManageEvents)),
    ("/fn/remove_endpoint", Access::Proves(ManageEvents)),
    // Whoever has a key can do what it opens.
    ("/fn/add_api_key", Access::Proves(ManageApiKeys)),
    ("/fn/change_api_key", Access::Proves(ManageApiKeys)),
    ("/fn/rotate_api_key", Access::Proves(ManageApiKeys)),
    ("/fn/revoke_api_key", Access::Needs(ManageApiKeys)),
    ("/fn/test_endpoint", Access::Needs(ManageEvents)),
    ("/fn/disable_endpoint", Access::Needs(ManageEvents)),
    ("/fn/enable_endpoint", Access::Needs(ManageEvents)),
    ("/fn/resend_event", Access::Needs(ManageEvents)),
    ("/fn/resend_events", Access::Needs(ManageEvents)),
    ("/fn/assign_difference", Access::Needs(Reconcile)),
    ("/fn/note_difference", Access::Needs(Reconcile)),
    ("/fn/accept_difference", Access::Needs(Reconcile)),
    ("/fn/decide_difference", Access::Needs(Reconcile)),
    ("/fn/look_into_difference", Access::Needs(Reconcile)),
    ("/fn/correct_difference", Access::Needs(Reconcile)),
    ("/fn/upload_statement", Access::Needs(Reconcile)),
    (routes::ASK_FOR_EXPORT, Access::ProvesWhen(Export, "unmasked")),
    ("/fn/read_day", Access::Needs(Reconcile)),
    ("/fn/close_day", Access::Needs(Reconcile)),
    ("/fn/set_rate", Access::Needs(Reconcile)),
    ("/fn/set_iap_price", Access::Needs(Reconcile)),
    ("/fn/add_campaign", Access::Needs(ManageCampaigns)),
    ("/fn/stop_campaign", Access::Needs(ManageCampaigns)),
    ("/fn/grant_promotion", Access::Needs(Grant)),
    ("/fn/approve_grant", Access::Proves(ManageCampaigns)),
    ("/fn/decline_grant", Access::Needs(ManageCampaigns)),
    ("/fn/decide_grant", Access::Needs(ManageCampaigns)),
    ("/fn/preview_grants", Access::Needs(Grant)),
    ("/fn/start_grants", Access::Needs(Grant)),
    ("/fn/stop_grants", Access::Needs(Grant)),
    ("/fn/approve_grants", Access::Proves(ManageCampaigns)),
    ("/fn/decline_grants", Access::Needs(ManageCampaigns)),
    ("/fn/record_iap_request", Access::Needs(Refund)),
    ("/fn/import_iap_requests", Access::Needs(Refund)),
    ("/fn/decide_iap", Access::Needs(Refund)),
    ("/fn/look_up_iap", Access::Needs(LookUpAtToss)),
    ("/fn/add_template", Access::Needs(ManageCampaigns)),
    ("/fn/send_message", Access::Needs(SendMessage)),
    ("/fn/send_bulk", Access::Needs(SendMessage)),
    ("/fn/sign_access_review", Access::Needs(ViewAudit)),
    ("/fn/copy_personal_data", Access::Proves(ManagePersonalData)),
    ("/fn/erase_personal_data", Access::Proves(ManagePersonalData)),
    ("/fn/reveal_webhook", Access::Proves(RevealPersonal)),
    ("/fn/reveal_profile", Access::Proves(RevealPersonal)),
    ("/fn/unlink_user", Access::Needs(UnlinkUser)),
    ("/fn/invite_staff", Access::Proves(ManageStaff)),
    ("/fn/invite_staff_again", Access::Proves(ManageStaff)),
    ("/fn/log_out_staff", Access::Proves(ManageStaff)),
    ("/fn/reset_factors", Access::Proves(ManageStaff)),
    ("/fn/disable_staff", Access::Proves(ManageStaff)),
    ("/fn/set_addresses", Access::Proves(ManageStaff)),
    ("/fn/give_role", Access::Proves(ManageStaff)),
    ("/fn/decide_role", Access::Proves(ManageStaff)),
    ("/fn/add_role", Access::Proves(ManageStaff)),
    ("/fn/change_role", Access::Proves(ManageStaff)),
    ("/fn/decide_role_change", Access::Proves(ManageStaff)),
    ("/fn/remove_role", Access::Proves(ManageStaff)),
];

/// The same with what is set up only here and there.
pub fn rule_with(path: &str, has_next_door: bool) -> Option<Access> {
    let next_door = NEXT_DOOR.iter().find(|(known, _)| has_next_door && *known == path);
    next_door.map(|(_, access)| *access).or_else(|| rule(path))
}

/// The rule for a path below the base, or `None` when there is none.
pub fn rule(path: &str) -> Option<Access> {
    row(path).map(|(_, access)| access)
}

/// The same with the pattern that the path fits: what may be written down of it.
pub fn row(path: &str) -> Option<(&'static str, Access)> {
    let matches = |pattern: &str| match pattern.rsplit_once('/') {
        Some((parent, last)) if last.starts_with('{') => {
            path.rsplit_once('/').is_some_and(|(p, segment)| p == parent && !segment.is_empty())
        }
        _ => path == pattern,
    };
    PAGES.iter().chain(FUNCTIONS).find(|(pattern, _)| matches(pattern)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_closed() {
        assert_eq!(rule("/orders/ord_1"), Some(Access::Needs(ViewTrade)));
        for path in ["/orders/", "/orders/a/b", "//", "/fn/refund/", "/fn/unheard_of", "/Orders"] {
            assert_eq!(rule(path), None, "{path}");
        }
    }

    #[test]
    fn every_server_function_has_a_row_and_every_row_a_function() {
        let mut registered: Vec<&str> =
            leptos::server_fn::axum::server_fn_paths().map(|(path, _)| path).collect();
        let mut listed: Vec<&str> = FUNCTIONS.iter().map(|(path, _)| *path).collect();
        registered.sort_unstable();
        listed.sort_unstable();
        assert_eq!(registered, listed);
    }
}
