//! What happens at the door: who came in, who was refused, what was changed about how somebody comes in. Each event is a
//! row that is kept for a year or longer, and a line of the log (`target` is `security`). Nothing that was typed stands in either.

mod list;
pub(crate) mod outside;

use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Backoffice, Fault, kernel::text};

pub use list::{Filter, Row, list};

text_enum! {
    Kind {
        LogIn = "log_in",
        LogInWrong = "log_in_wrong",
        /// Turned away before the password was looked at. `count`: how many since the last row.
        LogInThrottled = "log_in_throttled",
        /// Too many wanted to be looked at at once.
        LogInBusy = "log_in_busy",
        /// Whoever came from the house next door, or is named by a host, does not come in. `why`: what the page says.
        LogInRefused = "log_in_refused",
        LogOut = "log_out",
        SessionEnded = "session_ended",
        SessionExpired = "session_expired",
        /// A page or a function that the role does not open.
        Refused = "refused",
        NewDevice = "new_device",
        DeviceForgotten = "device_forgotten",
        InvitationUsed = "invitation_used",
        PasswordChanged = "password_changed",
        Unlocked = "unlocked",
        FactorAdded = "factor_added",
        FactorRemoved = "factor_removed",
        FactorReset = "factor_reset",
        FactorWrong = "factor_wrong",
        /// Somebody has shown once more that it is them, before something that matters.
        Proven = "proven",
    }
}

/// One of them, as it is told.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    pub kind: Kind,
    pub staff: Option<Uuid>,
    /// What was typed as an address that nobody has. A keyed hash is kept.
    pub email: Option<&'a str>,
    pub ip: &'a str,
    /// What the browser calls itself.
    pub agent: &'a str,
    /// Words and figures of ours.
    pub detail: Value,
}

impl<'a> Event<'a> {
    /// About an account.
    pub fn of(kind: Kind, staff: Uuid, ip: &'a str, agent: &'a str) -> Self {
        Self { kind, staff: Some(staff), email: None, ip, agent, detail: Value::Object(Map::new()) }
    }
}

/// At most so many rows of one kind about one account (or about none) in a minute: whoever attacks must not fill the
/// disk. The log has a line for each.
const ROWS_A_MINUTE: i64 = 30;

/// By what a typed address is found again.
fn hash_of(backoffice: &Backoffice, email: &str) -> String {
    backoffice.keys.index("security_events.email", email)
}

fn tell(event: &Event<'_>) {
    tracing::info!(
        target: "security",
        kind = event.kind.as_str(),
        staff = event.staff.map(tracing::field::display),
        ip = event.ip,
        agent = event.agent,
        path = event.detail["path"].as_str(),
        count = event.detail["count"].as_i64(),
        sessions = event.detail["sessions"].as_u64(),
        "at the door"
    );
}

/// Writes it down, with what it belongs to where that is a transaction.
pub async fn record(
    connection: &mut PgConnection,
    backoffice: &Backoffice,
    event: Event<'_>,
) -> Result<(), Fault> {
    tell(&event);
    let email = event.email.map(|email| hash_of(backoffice, email));
    let agent: String = event.agent.chars().take(200).collect();
    sqlx::query!(
        "insert into security_events (at, kind, staff_id, email, ip, agent, detail)
         select $1, $2, $3, $4, $5, $6, $7
         where (select count(*) from (
                    select 1 from security_events
                    where kind = $2 and at > $1::timestamptz - interval '1 minute'
                      and (staff_id = $3 or ($3::uuid is null and staff_id is null)) limit $8) as just_now) < $8",
        backoffice.clock.now(),
        event.kind.as_str(),
        event.staff,
        email,
        event.ip,
        agent,
        text::without_nul(event.detail),
        ROWS_A_MINUTE,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The same on its own. That a row could not be written stops nobody: the log has the line.
pub async fn note(backoffice: &Backoffice, event: Event<'_>) {
    let written = async {
        let mut connection = backoffice.pool.acquire().await?;
        record(&mut connection, backoffice, event).await
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "a security event could not be kept");
    }
}
