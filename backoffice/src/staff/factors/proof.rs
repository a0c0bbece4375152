//! Showing that one is who one says, at the log-in and again before what hurts.

use secrecy::{ExposeSecret, SecretString};

use super::{FactorError, FactorRefused, passkeys, recovery, totp};
use crate::{
    Backoffice, Fault,
    security::{self, Kind},
    staff::{
        Caller, LoginRefused, Staff, log_in,
        password::Password,
        sessions::{self, SessionKey},
        throttle::{self, Purpose},
    },
};

/// Wrong ones in one session; then it ends.
pub const TRIES: i32 = 5;

/// What somebody shows: one of these.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Of an app, or one for bad days.
    pub code: Option<SecretString>,
    /// What a browser made of a passkey, as JSON.
    pub credential: Option<SecretString>,
    /// Where there is no second factor yet.
    pub password: Option<SecretString>,
}

impl Proof {
    pub fn is_empty(&self) -> bool {
        self.code.is_none() && self.credential.is_none() && self.password.is_none()
    }
}

/// Whether whoever is in this session has shown it in the last five minutes.
pub async fn is_fresh(backoffice: &Backoffice, session: &SessionKey) -> Result<bool, Fault> {
    let fresh = sqlx::query_scalar!(
        r#"select proved_at > now() - interval '5 minutes' as "fresh!" from staff_sessions where id_hash = $1"#,
        session.hash(),
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(fresh.unwrap_or(false))
}

/// Whether this is the person. A try is taken before it is looked at, so that a crowd of guesses is one of five; a right
/// one makes the session fresh.
pub async fn prove(
    backoffice: &Backoffice,
    session: &SessionKey,
    staff: &Staff,
    proof: &Proof,
    caller: &Caller<'_>,
) -> Result<(), FactorError> {
    if proof.is_empty() {
        return Err(FactorRefused::Nothing.into());
    }
    let taken = sqlx::query!(
        "update staff_sessions set wrong_codes = wrong_codes + 1 where id_hash = $1 and wrong_codes < $2",
        session.hash(),
        TRIES,
    )
    .execute(&backoffice.pool)
    .await?;
    if taken.rows_affected() == 0 {
        sessions::end(&backoffice.pool, session).await?;
        return Err(FactorRefused::TooMany.into());
    }
    match look_at(backoffice, session, staff, proof, caller).await {
        Ok(()) => {}
        Err(FactorError::Refused(refused @ FactorRefused::Wait { .. })) => {
            // It was not looked at: the try is given back.
            sqlx::query!(
                "update staff_sessions set wrong_codes = wrong_codes - 1 where id_hash = $1 and wrong_codes > 0",
                session.hash(),
            )
            .execute(&backoffice.pool)
            .await?;
            return Err(refused.into());
        }
        Err(FactorError::Refused(refused)) => {
            security::note(backoffice, super::event(Kind::FactorWrong, staff, caller)).await;
            return Err(refused.into());
        }
        Err(fault) => return Err(fault),
    }
    sqlx::query!(
        "update staff_sessions set wrong_codes = 0, proved_at = now() where id_hash = $1",
        session.hash()
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

async fn look_at(
    backoffice: &Backoffice,
    session: &SessionKey,
    staff: &Staff,
    proof: &Proof,
    caller: &Caller<'_>,
) -> Result<(), FactorError> {
    if let Some(credential) = &proof.credential {
        return passkeys::redeem(backoffice, session, staff, credential.expose_secret()).await;
    }
    if let Some(code) = &proof.code {
        return code_fits(backoffice, staff, code.expose_secret(), caller).await;
    }
    let Some(password) = proof.password.as_ref().filter(|_| !staff.has_factor) else {
        return Err(FactorRefused::Nothing.into());
    };
    let typed = Password::typed(password.expose_secret());
    match log_in(backoffice, &staff.email, typed, caller).await? {
        Ok(_) => Ok(()),
        Err(LoginRefused::Wrong) => Err(FactorRefused::Wrong.into()),
        Err(LoginRefused::Wait { seconds }) => Err(FactorRefused::Wait { seconds }.into()),
        Err(LoginRefused::Busy) => Err(FactorRefused::Wait { seconds: 1 }.into()),
    }
}

/// Whoever knows the password begins as many sessions as they like: wrong codes count for the account, too.
async fn code_fits(
    backoffice: &Backoffice,
    staff: &Staff,
    code: &str,
    caller: &Caller<'_>,
) -> Result<(), FactorError> {
    let account = staff.id.to_string();
    let attempt = throttle::attempt(backoffice, Purpose::Factor, &account, caller).await?;
    let pass = attempt.map_err(|wait| FactorRefused::Wait { seconds: wait.seconds })?;
    let digits = totp::digits(code);
    if digits.len() == 6 {
        totp::redeem(backoffice, staff, &digits).await?;
    } else {
        match recovery::redeem(backoffice, staff, code, caller).await? {
            Some(true) => {}
            Some(false) => return Err(FactorRefused::Used.into()),
            None => return Err(FactorRefused::Wrong.into()),
        }
    }
    let mut tx = backoffice.pool.begin().await?;
    throttle::succeeded(&mut tx, pass).await?;
    Ok(tx.commit().await?)
}
