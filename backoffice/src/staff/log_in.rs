//! Coming in with an address and a password, and proving once more that it is the same person.

use serde_json::json;

use super::{
    Staff,
    devices::Caller,
    password::{self, Password},
    sessions,
    throttle::{self, Purpose},
};
use crate::{
    Backoffice, Fault,
    security::{self, Event, Kind},
};

/// Why nobody came in. Of what is wrong nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefused {
    Wrong,
    /// Too many wrong ones: the next is looked at after so many seconds.
    Wait {
        seconds: u64,
    },
    /// Too many at once want theirs looked at.
    Busy,
}

/// The longest address that there is (RFC 5321). Anybody may type here: nothing is done with more.
const LONGEST_EMAIL: usize = 254;

/// PostgreSQL has no text with a NUL: such an address belongs to nobody, and costs the same work.
fn normal(email: &str) -> String {
    let email: String = email.chars().take(LONGEST_EMAIL).collect();
    email.trim().to_lowercase().replace('\0', "\u{fffd}")
}

/// Whose address and password these are, if they are not disabled. The same work is done for an account that does not exist,
/// so that the time tells nothing. Whoever lets somebody in notes it: [`super::devices::arrive`].
pub async fn log_in(
    backoffice: &Backoffice,
    email: &str,
    password: Password,
    caller: &Caller<'_>,
) -> Result<Result<Staff, LoginRefused>, Fault> {
    let typed = normal(email);
    // Whoever has to wait is turned away before they take a place from others.
    let way = match throttle::knock(backoffice, Purpose::LogIn, &typed, caller).await? {
        Ok(way) => way,
        Err(wait) => return Ok(Err(LoginRefused::Wait { seconds: wait.seconds })),
    };
    let Ok(turn) = backoffice.turns.take(way.is_known).await else {
        note_busy(backoffice, caller).await;
        return Ok(Err(LoginRefused::Busy));
    };
    // Counted in one's turn: what is not looked at does not count, and few at once ask for the lock.
    let pass = match throttle::enter(backoffice, way, &typed, caller).await? {
        Ok(pass) => pass,
        Err(wait) => return Ok(Err(LoginRefused::Wait { seconds: wait.seconds })),
    };
    let found = sqlx::query!(
        "select id, email, password_hash from staff where email = $1 and disabled_at is null",
        typed,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let hash = found.as_ref().and_then(|row| row.password_hash.clone());
    let right = password::verify(turn, password, hash).await?;
    let Some(row) = found.filter(|_| right) else {
        let staff = pass.staff();
        let event = Event {
            kind: Kind::LogInWrong,
            staff,
            email: staff.is_none().then_some(&typed),
            ip: caller.ip,
            agent: caller.agent,
            detail: json!({}),
        };
        security::note(backoffice, event).await;
        return Ok(Err(LoginRefused::Wrong));
    };
    let mut tx = backoffice.pool.begin().await?;
    throttle::succeeded(&mut tx, pass).await?;
    tx.commit().await?;
    Ok(sessions::staff(backoffice, row.id).await?.ok_or(LoginRefused::Wrong))
}

async fn note_busy(backoffice: &Backoffice, caller: &Caller<'_>) {
    if backoffice.turns.is_news(backoffice.clock.now().unix_timestamp()) {
        let (ip, agent) = (caller.ip, caller.agent);
        let event = Event { kind: Kind::LogInBusy, staff: None, email: None, ip, agent, detail: json!({}) };
        security::note(backoffice, event).await;
    }
}

/// Somebody goes out.
pub async fn log_out(backoffice: &Backoffice, staff: &Staff, caller: &Caller<'_>) {
    security::note(backoffice, Event::of(Kind::LogOut, staff.id, caller.ip, caller.agent)).await;
}
