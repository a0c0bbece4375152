//! Showing that one is who one says, at the log-in and again before what hurts.

use secrecy::{ExposeSecret, SecretString};

use super::{FactorRefused, passkeys, recovery, totp};
use crate::{
    Backoffice, Fault,
    staff::{
        LoginRefused, Staff,
        log_in::prove as prove_password,
        password::Password,
        sessions::{self, SessionKey},
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
    ip: &str,
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
    if let Err(refused) = look_at(backoffice, session, staff, proof, ip).await? {
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
    ip: &str,
) -> Result<Result<(), FactorRefused>, Fault> {
    if let Some(credential) = &proof.credential {
        return passkeys::redeem(backoffice, session, staff, credential.expose_secret()).await;
    }
    if let Some(code) = &proof.code {
        let digits = totp::digits(code.expose_secret());
        if digits.len() == 6 {
            return totp::redeem(backoffice, staff, &digits).await;
        }
        return Ok(match recovery::redeem(backoffice, staff, code.expose_secret(), ip).await? {
            Some(true) => Ok(()),
            Some(false) => Err(FactorRefused::Used),
            None => Err(FactorRefused::Wrong),
        });
    }
    let Some(password) = proof.password.as_ref().filter(|_| !staff.has_factor) else {
        return Ok(Err(FactorRefused::Nothing));
    };
    let typed = Password::typed(password.expose_secret());
    Ok(match prove_password(backoffice, &staff.email, typed, ip).await? {
        Ok(_) => Ok(()),
        Err(LoginRefused::Wrong | LoginRefused::TooManyFailures) => Err(FactorRefused::Wrong),
    })
}
