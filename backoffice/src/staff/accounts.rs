//! Accounts are made, disabled, and given another password.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Invalid, LoginRefused, NewStaff, Staff, StaffError,
    devices::Caller,
    invitations,
    log_in::log_in,
    normal_email,
    password::{self, Password},
    register::{self, Change, Kind, Right},
    rights,
    sessions::{self, SessionKey},
    throttle,
};
use crate::{
    Backoffice,
    audit::{self, Act, Actor},
    security::{self, Event, Kind as Told},
};

pub(super) fn valid_name(name: &str) -> Result<String, Invalid> {
    let name = name.trim();
    let fits = !name.is_empty() && name.chars().count() <= 80 && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned()).ok_or(Invalid::Name)
}

/// An account with a password that a machine has made; people are invited.
pub async fn add(
    backoffice: &Backoffice,
    actor: &Actor,
    new: NewStaff,
    password: String,
) -> Result<Uuid, StaffError> {
    let password = Password::new(password, &[&new.email, &new.name])?;
    let hash = password::hash(backoffice, password).await?;
    let mut tx = backoffice.pool.begin().await?;
    let id = insert(backoffice, &mut tx, actor, new, Way::Password(hash)).await?;
    tx.commit().await?;
    Ok(id)
}

/// How somebody will come in.
pub(super) enum Way<'a> {
    /// With a password, of which this is the hash.
    Password(String),
    /// With a link, to choose one.
    Invitation,
    /// With the log-in of somebody else, who knows them.
    Elsewhere { issuer: &'a str, subject: &'a str },
}

pub(super) async fn insert(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    new: NewStaff,
    way: Way<'_>,
) -> Result<Uuid, StaffError> {
    let email = normal_email(&new.email).ok_or(Invalid::Email)?;
    let name = valid_name(&new.name)?;
    rights::begin(&mut *tx).await?;
    rights::reach(&mut *tx, actor, new.role.permissions()).await?;
    let now = backoffice.clock.now();
    let id = Uuid::now_v7();
    let is_invited = matches!(way, Way::Invitation);
    let hash = match &way {
        Way::Password(hash) => Some(hash.as_str()),
        Way::Invitation | Way::Elsewhere { .. } => None,
    };
    let inserted = sqlx::query!(
        "insert into staff (id, email, name, role, password_hash, created_at, access_set_at, access_set_by)
         values ($1, $2, $3, $4, $5, $6, $6, $7)
         on conflict (email) do nothing",
        id,
        email,
        name,
        new.role.as_str(),
        hash,
        now,
        actor.staff_id(),
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Invalid::EmailTaken.into());
    }
    let right = Right::preset(new.role);
    let kind = if is_invited { Kind::Invited } else { Kind::Added };
    let change = Change { staff: id, kind, before: None, after: Some(&right), asked_by: None };
    register::note(backoffice, tx, actor, change).await?;
    let mut detail = json!({ "email": email, "name": name, "role": new.role, "invited": is_invited });
    if let Way::Elsewhere { issuer, subject } = way {
        detail["issuer"] = issuer.into();
        detail["subject"] = subject.into();
    }
    let act = Act { action: "staff.added", subject_kind: "staff", subject: &id.to_string(), detail };
    audit::record(tx, now, actor, act).await?;
    Ok(id)
}

/// Ends the account and every session of it.
pub async fn disable(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), StaffError> {
    let mut tx = backoffice.pool.begin().await?;
    disable_in(backoffice, &mut tx, actor, id).await?;
    tx.commit().await?;
    Ok(())
}

/// The same in the transaction of whoever hands over what is theirs, of which something may be left when it is closed
/// already.
pub(crate) async fn leave_in(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<(), StaffError> {
    rights::begin(&mut *tx).await?;
    let person = rights::reach_person(&mut *tx, actor, id).await?;
    if person.disabled_at.is_none() {
        disable_in(backoffice, tx, actor, id).await?;
    }
    Ok(())
}

async fn disable_in(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<(), StaffError> {
    if actor.staff_id() == Some(id) {
        return Err(Invalid::Yourself.into());
    }
    rights::begin(&mut *tx).await?;
    close(backoffice, tx, actor, id, Kind::Disabled).await
}

/// Closes an account for a reason; what it had asked for of rights is over.
pub(super) async fn close(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
    kind: Kind,
) -> Result<(), StaffError> {
    let person = rights::reach_person(&mut *tx, actor, id).await?;
    if person.disabled_at.is_some() {
        return Err(Invalid::NotFound.into());
    }
    rights::keep_an_admin(&mut *tx, id).await?;
    let now = backoffice.clock.now();
    let is_dormant = kind == Kind::Dormant;
    sqlx::query!("update staff set disabled_at = $2, is_dormant = $3 where id = $1", id, now, is_dormant)
        .execute(&mut *tx)
        .await?;
    let withdrawn = rights::withdraw_requests(&mut *tx, id).await?;
    invitations::withdraw(backoffice, &mut *tx, id).await?;
    let sessions = sessions::end_all(&mut *tx, id).await?;
    let event = Event {
        detail: json!({ "sessions": sessions, "by": actor.key() }),
        ..Event::of(Told::SessionEnded, id, actor.ip(), "")
    };
    security::record(&mut *tx, backoffice, event).await?;
    let before = Right::of(&person);
    let change = Change { staff: id, kind, before: Some(&before), after: None, asked_by: None };
    register::note(backoffice, &mut *tx, actor, change).await?;
    let action = if is_dormant { "staff.dormant" } else { "staff.disabled" };
    let (subject, detail) = (id.to_string(), json!({ "requestsWithdrawn": withdrawn }));
    let act = Act { action, subject_kind: "staff", subject: &subject, detail };
    Ok(audit::record(tx, now, actor, act).await?)
}

/// Sets a new password, opens a disabled account again, and ends every session. For machines; people get a link.
pub async fn reset(
    backoffice: &Backoffice,
    actor: &Actor,
    email: &str,
    password: String,
) -> Result<(), StaffError> {
    let email = normal_email(email).ok_or(Invalid::Email)?;
    let hash = password::hash(backoffice, Password::new(password, &[&email])?).await?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let id = sqlx::query_scalar!("select id from staff where email = $1", email)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Invalid::NotFound)?;
    let sessions = rights::let_in_again(backoffice, &mut tx, actor, id, Some(hash)).await?;
    invitations::withdraw(backoffice, &mut tx, id).await?;
    throttle::forget(&mut tx, backoffice, &email, id).await?;
    let event = Event {
        detail: json!({ "sessions": sessions, "by": actor.key() }),
        ..Event::of(Told::PasswordChanged, id, actor.ip(), "")
    };
    security::record(&mut tx, backoffice, event).await?;
    let act =
        Act { action: "staff.reset", subject_kind: "staff", subject: &id.to_string(), detail: json!({}) };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Somebody changes their own password, with the one they have. Every other session of theirs ends.
pub async fn change_password(
    backoffice: &Backoffice,
    staff: &Staff,
    current: &str,
    new: String,
    caller: &Caller<'_>,
    here: Option<&SessionKey>,
) -> Result<(), StaffError> {
    let new = Password::new(new, &[&staff.email, &staff.name])?;
    log_in(backoffice, &staff.email, Password::typed(current), caller).await?.map_err(
        |refused| match refused {
            LoginRefused::Wrong => Invalid::PasswordWrong,
            LoginRefused::Wait { seconds } => Invalid::Wait { seconds },
            LoginRefused::Busy => Invalid::Busy,
        },
    )?;
    let hash = password::hash(backoffice, new).await?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("update staff set password_hash = $2 where id = $1", staff.id, hash)
        .execute(&mut *tx)
        .await?;
    let sessions = sessions::end_others(&mut tx, staff.id, here).await?;
    let event = Event {
        detail: json!({ "sessions": sessions }),
        ..Event::of(Told::PasswordChanged, staff.id, caller.ip, caller.agent)
    };
    security::record(&mut tx, backoffice, event).await?;
    let subject = staff.id.to_string();
    let act =
        Act { action: "staff.password_changed", subject_kind: "staff", subject: &subject, detail: json!({}) };
    audit::record(&mut tx, now, &staff.actor(caller), act).await?;
    tx.commit().await?;
    Ok(())
}
