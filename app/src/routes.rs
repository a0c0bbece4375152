//! Every path of the dashboard, without the base it is mounted at.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub const HOME: &str = "/";
pub const LOGIN: &str = "/login";
/// Out to the house next door; back from it; and out of it.
pub const OIDC: &str = "/login/oidc";
pub const OIDC_CALLBACK: &str = "/login/oidc/callback";
pub const OIDC_LEFT: &str = "/login/oidc/left";
/// Where the provider tells its log-outs.
pub const OIDC_LOG_OUT: &str = "/login/oidc/backchannel-logout";
pub const INVITATION: &str = "/invitation";
/// The second step of a log-in.
pub const LOGIN_FACTOR: &str = "/login/factor";
pub const ACCOUNT: &str = "/account";
/// Passkeys, apps and codes of one's own.
pub const FACTORS: &str = "/account/factors";
/// What stands in the place of an answer until somebody has shown who they are.
pub const PROOF: &str = "/proof";
/// What stands in the place of an answer where nobody was logged in any more.
pub const UNSENT: &str = "/unsent";
pub const ORDERS: &str = "/orders";
pub const TRANSACTIONS: &str = "/transactions";
pub const REFUNDS: &str = "/refunds";
pub const REFUND_BATCHES: &str = "/refunds/batches";
pub const REFUND_REASONS: &str = "/refunds/reasons";
pub const RETURNS: &str = "/returns";
pub const WEBHOOKS: &str = "/webhooks";
pub const MISSING_EVENTS: &str = "/webhooks/missing";
pub const WEBHOOK_REPLAYS: &str = "/webhooks/replays";
/// What the merchant's own systems are told.
pub const EVENTS: &str = "/events";
pub const EVENT_ENDPOINTS: &str = "/events/endpoints";
pub const TOSS_CALLS: &str = "/toss-calls";
pub const API_KEYS: &str = "/api-keys";
pub const API_REQUESTS: &str = "/api-keys/requests";
pub const RECONCILIATION: &str = "/reconciliation";
pub const DIFFERENCES: &str = "/reconciliation/differences";
pub const CONTRACT: &str = "/reconciliation/contract";
pub const PAYOUTS: &str = "/reconciliation/payouts";
pub const REPORTS: &str = "/reconciliation/reports";
pub const CASH_RECEIPTS: &str = "/cash-receipts";
pub const PROMOTIONS: &str = "/promotions";
pub const GRANT_BATCHES: &str = "/promotions/batches";
pub const IAP: &str = "/iap";
pub const MESSAGES: &str = "/messages";
pub const USERS: &str = "/users";
pub const EXPORTS: &str = "/exports";
/// Where the form under a list posts to. It stands here because components know no noun.
pub const ASK_FOR_EXPORT: &str = "/fn/ask_for_export";
pub const STAFF: &str = "/staff";
pub const ROLES: &str = "/staff/roles";
/// The register of right changes.
pub const RIGHTS: &str = "/staff/rights";
pub const AUDIT: &str = "/audit";
/// Who saw whose personal data.
pub const ACCESS_RECORDS: &str = "/access-records";
/// A month of it.
pub const ACCESS_REVIEW: &str = "/access-records/review";
/// What people ask of us about their own data.
pub const PERSONAL_DATA: &str = "/personal-data";
pub const SECURITY: &str = "/security";
pub const SETTINGS: &str = "/settings";
pub const FIREWALL: &str = "/settings/firewall";

/// What a link of an invitation opens. What it carries stands in the query: no log keeps one.
pub fn invitation(token: &str) -> String {
    format!("{INVITATION}?t={}", encode(token))
}

/// The log-in of the house next door, for the page that somebody wants.
pub fn oidc(next: &str) -> String {
    format!("{OIDC}?next={}", encode(next))
}

/// Somebody who is in shows there anew who they are.
pub fn oidc_again() -> String {
    format!("{}&again=1", oidc(ACCOUNT))
}

pub fn order(order_id: &str) -> String {
    format!("{ORDERS}/{}", encode(order_id))
}

/// An order's page; of an in-app purchase, which has none of its own, the list that shows it.
#[cfg(feature = "ssr")]
pub fn order_on(rail: backoffice::Rail, order_id: &str) -> String {
    if rail == backoffice::Rail::Iap { format!("{IAP}?q={}", encode(order_id)) } else { order(order_id) }
}

pub fn refund_batch(id: &impl std::fmt::Display) -> String {
    format!("{REFUND_BATCHES}/{}", encode(&id.to_string()))
}

/// One day of the books.
pub fn day(day: impl std::fmt::Display) -> String {
    format!("{RECONCILIATION}/{}", encode(&day.to_string()))
}

pub fn export(id: &impl std::fmt::Display) -> String {
    format!("{EXPORTS}/{}", encode(&id.to_string()))
}

pub fn export_file(id: &impl std::fmt::Display) -> String {
    format!("{EXPORTS}/file/{}", encode(&id.to_string()))
}

/// `key`: a transaction, with `~2` for a second row of it.
pub fn difference(key: &impl std::fmt::Display) -> String {
    format!("{DIFFERENCES}/{}", encode(&key.to_string()))
}

pub fn campaign(code: &str) -> String {
    format!("{PROMOTIONS}/{}", encode(code))
}

pub fn grant_batch(id: &impl std::fmt::Display) -> String {
    format!("{GRANT_BATCHES}/{}", encode(&id.to_string()))
}

/// What Toss pays out on a day.
pub fn payout(day: impl std::fmt::Display) -> String {
    format!("{PAYOUTS}/{}", encode(&day.to_string()))
}

/// One account.
pub fn person(id: &impl std::fmt::Display) -> String {
    format!("{STAFF}/{}", encode(&id.to_string()))
}

pub fn audit_row(seq: i64) -> String {
    format!("{AUDIT}/{seq}")
}

/// A user of the mini-app.
pub fn user(user_key: i64) -> String {
    format!("{USERS}/{user_key}")
}

/// One call to Toss.
pub fn toss_call(id: i64) -> String {
    format!("{TOSS_CALLS}/{id}")
}

/// One key of the merchant's own servers.
pub fn api_key(id: &impl std::fmt::Display) -> String {
    format!("{API_KEYS}/{}", encode(&id.to_string()))
}

/// All calls to Toss about an order.
pub fn toss_calls_of(order_id: &str) -> String {
    format!("{TOSS_CALLS}?order={}", encode(order_id))
}

pub fn webhook(id: &impl std::fmt::Display) -> String {
    format!("{WEBHOOKS}/{}", encode(&id.to_string()))
}

pub fn webhook_replay(id: &impl std::fmt::Display) -> String {
    format!("{WEBHOOK_REPLAYS}/{}", encode(&id.to_string()))
}

pub fn event(id: &impl std::fmt::Display) -> String {
    format!("{EVENTS}/{}", encode(&id.to_string()))
}

pub fn event_endpoint(id: &impl std::fmt::Display) -> String {
    format!("{EVENT_ENDPOINTS}/{}", encode(&id.to_string()))
}

/// Whether a browser may be sent there after a form: a plain path of ours, nothing that leaves the host.
pub fn is_inside(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

/// What stays as it is in a path segment or a query value: the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes one path segment or query value.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_away_from_the_host() {
        assert!(is_inside("/orders?status=DONE"));
        for path in [
            "",
            "orders",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\u{1}",
            "https://evil.example",
            "/주문",
        ] {
            assert!(!is_inside(path), "{path:?}");
        }
    }
}
