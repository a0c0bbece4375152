//! Showing that one is who one says, at the log-in and again before what hurts.

use secrecy::{ExposeSecret, SecretString};

use super::{FactorRefused, passkeys, recovery, totp};
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
) -> Result<Result<(), FactorRefused>, Fault> {
    if proof.is_empty() {
        return Ok(Err(FactorRefused::Nothing));
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
        return Ok(Err(FactorRefused::TooMany));
    }
    if let Err(refused) = look_at(backoffice, session, staff, proof, caller).await? {
        if matches!(refused, FactorRefused::Wait { .. }) {
            // It was not looked at: the try is given back.
            sqlx::query!(
                "update staff_sessions set wrong_codes = wrong_codes - 1 where id_hash = $1 and wrong_codes > 0",
                session.hash(),
            )
            .execute(&backoffice.pool)
            .await?;
            return Ok(Err(refused));
        }
        security::note(backoffice, super::event(Kind::FactorWrong, staff, caller)).await;
        return Ok(Err(refused));
    }
    sqlx::query!(
        "update staff_sessions set wrong_codes = 0, proved_at = now() where id_hash = $1",
        session.hash()
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(Ok(()))
}

async fn look_at(
    backoffice: &Backoffice,
    session: &SessionKey,
    staff: &Staff,
    proof: &Proof,
    caller: &Caller<'_>,
) -> Result<Result<(), FactorRefused>, Fault> {
    if let Some(credential) = &proof.credential {
        return passkeys::redeem(backoffice, session, staff, credential.expose_secret()).await;
    }
    if let Some(code) = &proof.code {
        return code_fits(backoffice, staff, code.expose_secret(), caller).await;
    }
    let Some(password) = proof.password.as_ref().filter(|_| !staff.has_factor) else {
        return Ok(Err(FactorRefused::Nothing));
    };
    let typed = Password::typed(password.expose_secret());
    Ok(match log_in(backoffice, &staff.email, typed, caller).await? {
        Ok(_) => Ok(()),
        Err(LoginRefused::Wrong) => Err(FactorRefused::Wrong),
        Err(LoginRefused::Wait { seconds }) => Err(FactorRefused::Wait { seconds }),
        Err(LoginRefused::Busy) => Err(FactorRefused::Wait { seconds: 1 }),
    })
}

/// Whoever knows the password begins as many sessions as they like: wrong codes count for the account, too.
async fn code_fits(
    backoffice: &Backoffice,
    staff: &Staff,
    code: &str,
    caller: &Caller<'_>,
) -> Result<Result<(), FactorRefused>, Fault> {
    let account = staff.id.to_string();
    let pass = match throttle::attempt(backoffice, Purpose::Factor, &account, caller).await? {
        Ok(pass) => pass,
        Err(wait) => return Ok(Err(FactorRefused::Wait { seconds: wait.seconds })),
    };
    let digits = totp::digits(code);
    let fits = if digits.len() == 6 {
        totp::redeem(backoffice, staff, &digits).await?
    } else {
        match recovery::redeem(backoffice, staff, code, caller.ip).await? {
            Some(true) => Ok(()),
            Some(false) => Err(FactorRefused::Used),
            None => Err(FactorRefused::Wrong),
        }
    };
    if fits.is_ok() {
        let mut tx = backoffice.pool.begin().await?;
        throttle::succeeded(&mut tx, pass).await?;
        tx.commit().await?;
    }
    Ok(fits)
}
