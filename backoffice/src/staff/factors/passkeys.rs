//! Passkeys (W3C WebAuthn): registered, asked, believed. What is signed and for whom is checked by the library; that a
//! question is answered once, in the session that it was put to, is checked here.

use std::{fmt, sync::Arc};

use passki::{
    AuthenticationCredential, AuthenticationOptions, AuthenticationState, ClientData, Passki, PasskiError,
    RegistrationCredential, RegistrationOptions, RegistrationState, StoredPasskey,
    UserVerificationRequirement,
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{FactorError, FactorRefused, Kind, after_adding, lock};
use crate::{
    Backoffice, Fault,
    kernel::seal::FACTOR,
    staff::{self, Caller, Staff, accounts::valid_name, sessions::SessionKey},
};

/// The library, set up for the address that browsers reach us at.
#[derive(Clone)]
pub struct Passkeys(Arc<Passki>);

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passkeys")
    }
}

impl Passkeys {
    /// `origin`: scheme, host and port. Browsers have no passkeys for a bare address, nor without https but on the machine
    /// itself: nothing there.
    pub fn at(origin: &str) -> Option<Self> {
        let (scheme, rest) = origin.split_once("://")?;
        let origin = format!("{scheme}://{}", rest.split('/').next()?);
        let host = rest.split(['/', ':']).next()?;
        let is_local = host == "localhost" || host.ends_with(".localhost");
        let is_name = !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err();
        (is_name && (scheme == "https" || is_local))
            .then(|| Self(Arc::new(Passki::new(host, &[origin.as_str()], "Jangbu"))))
    }
}

fn library(backoffice: &Backoffice) -> Result<&Passki, FactorRefused> {
    backoffice.passkeys.as_ref().map(|passkeys| &*passkeys.0).ok_or(FactorRefused::NoPasskeysHere)
}

fn refused(error: &PasskiError) -> FactorRefused {
    tracing::info!(%error, "a passkey was refused");
    match error {
        PasskiError::OriginMismatch { .. }
        | PasskiError::RpIdHashMismatch
        | PasskiError::CrossOriginNotAllowed => FactorRefused::OtherOrigin,
        PasskiError::CredentialNotAllowed => FactorRefused::UnknownPasskey,
        PasskiError::UserNotPresent | PasskiError::UserVerificationRequired => FactorRefused::NotVerified,
        PasskiError::CounterRegression => FactorRefused::Copied,
        PasskiError::ChallengeMismatch => FactorRefused::NotAsked,
        _ => FactorRefused::Unreadable,
    }
}

fn written(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(Fault::unreadable("a question to a passkey"))
}

/// Every challenge is found by its hash: two tabs have two.
fn hash(challenge: &[u8]) -> Vec<u8> {
    Sha256::digest(challenge).to_vec()
}

async fn remember(
    backoffice: &Backoffice,
    session: &SessionKey,
    challenge: &[u8],
    state: &impl Serialize,
) -> Result<(), Fault> {
    let state = serde_json::to_value(state).map_err(Fault::unreadable("a question to a passkey"))?;
    sqlx::query!(
        "insert into passkey_challenges (challenge_hash, session_hash, state) values ($1, $2, $3)",
        hash(challenge),
        session.hash(),
        state,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// What was asked in this session, once: whoever answers it has used it up, right or wrong.
async fn take<State: DeserializeOwned>(
    backoffice: &Backoffice,
    session: &SessionKey,
    client_data: &str,
) -> Result<State, FactorError> {
    let data = ClientData::from_base64(client_data).map_err(|error| refused(&error))?;
    let challenge = Passki::base64_decode(&data.challenge).map_err(|error| refused(&error))?;
    let state = sqlx::query_scalar!(
        "delete from passkey_challenges where challenge_hash = $1 and session_hash = $2 and expires_at > now()
         returning state",
        hash(&challenge),
        session.hash(),
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    // A state of the other ceremony is no answer to this one.
    Ok(state.and_then(|state| serde_json::from_value(state).ok()).ok_or(FactorRefused::NotAsked)?)
}

pub(in crate::staff) async fn delete_expired(pool: &sqlx::PgPool) -> Result<(), Fault> {
    sqlx::query!("delete from passkey_challenges where expires_at <= now()").execute(pool).await?;
    Ok(())
}

async fn kept(backoffice: &Backoffice, staff: Uuid) -> Result<Vec<StoredPasskey>, Fault> {
    let sealed = sqlx::query_scalar!(
        "select secret from staff_factors where staff_id = $1 and kind = 'passkey' order by added_at limit 100",
        staff,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    sealed.iter().map(|sealed| opened(backoffice, sealed)).collect()
}

fn opened(backoffice: &Backoffice, sealed: &str) -> Result<StoredPasskey, Fault> {
    serde_json::from_str(&backoffice.keys.open(FACTOR, sealed)?).map_err(Fault::unreadable("a passkey"))
}

/// Asks a browser for a new passkey: `PublicKeyCredentialCreationOptionsJSON`.
pub async fn offer(
    backoffice: &Backoffice,
    session: &SessionKey,
    staff: &Staff,
) -> Result<String, FactorError> {
    let library = library(backoffice)?;
    let known = kept(backoffice, staff.id).await?;
    let mut options = RegistrationOptions::default();
    options.exclude_credentials = Some(&known);
    let started = library.start_passkey_registration(staff.id.as_bytes(), &staff.email, &staff.name, options);
    let (question, state) = started.map_err(|error| Fault::Inconsistent(error.to_string()))?;
    remember(backoffice, session, &state.challenge, &state).await?;
    Ok(written(&question)?)
}

/// Keeps the passkey that a browser has made. Codes for bad days, where it is the first factor.
pub async fn add(
    backoffice: &Backoffice,
    staff: &Staff,
    name: &str,
    credential: &str,
    caller: &Caller<'_>,
    here: &SessionKey,
) -> Result<Vec<String>, FactorError> {
    let name = valid_name(name).map_err(|_| FactorRefused::Name)?;
    let library = library(backoffice)?;
    let credential: RegistrationCredential =
        serde_json::from_str(credential).map_err(|_| FactorRefused::Unreadable)?;
    let state: RegistrationState = take(backoffice, here, &credential.response.client_data_json).await?;
    // The question was put to this very person.
    if state.user.id != Passki::base64_encode(staff.id.as_bytes()) {
        return Err(FactorRefused::NotAsked.into());
    }
    let passkey =
        library.finish_passkey_registration(&credential, &state).map_err(|error| refused(&error))?;
    let sealed = backoffice.keys.seal(FACTOR, &written(&passkey)?)?;
    let mut tx = backoffice.pool.begin().await?;
    lock(&mut tx, staff.id).await?;
    let added = sqlx::query!(
        "insert into staff_factors (id, staff_id, kind, name, secret, credential_id, added_at, confirmed_at)
         values ($1, $2, 'passkey', $3, $4, $5, $6, $6) on conflict (credential_id) do nothing",
        Uuid::now_v7(),
        staff.id,
        name,
        sealed,
        passkey.credential_id,
        backoffice.clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    if added.rows_affected() == 0 {
        return Err(FactorRefused::Taken.into());
    }
    let codes = after_adding(backoffice, &mut tx, staff, (Kind::Passkey, &name), caller, here).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Asks a browser for one of somebody's passkeys, or for any that it has of ours: `PublicKeyCredentialRequestOptionsJSON`.
pub async fn ask(
    backoffice: &Backoffice,
    session: &SessionKey,
    of: Option<Uuid>,
) -> Result<String, FactorError> {
    let library = library(backoffice)?;
    let known = match of {
        Some(staff) => kept(backoffice, staff).await?,
        None => Vec::new(),
    };
    if of.is_some() && known.is_empty() {
        return Err(FactorRefused::UnknownPasskey.into());
    }
    let mut options = AuthenticationOptions::default();
    if of.is_none() {
        // Alone it has to be two factors: the key, and the finger or number that opens it.
        options.user_verification = UserVerificationRequirement::Required;
    }
    let started = library.start_passkey_authentication(&known, options);
    let (question, state) = started.map_err(|error| Fault::Inconsistent(error.to_string()))?;
    remember(backoffice, session, &state.challenge, &state).await?;
    Ok(written(&question)?)
}

/// Whose passkey has answered. `of`: whose it has to be, where that is known.
async fn answered(
    backoffice: &Backoffice,
    session: &SessionKey,
    credential: &str,
    of: Option<Uuid>,
) -> Result<Uuid, FactorError> {
    let library = library(backoffice)?;
    let credential: AuthenticationCredential =
        serde_json::from_str(credential).map_err(|_| FactorRefused::Unreadable)?;
    let state: AuthenticationState = take(backoffice, session, &credential.response.client_data_json).await?;
    // A question to anybody is no proof of somebody who is known: it may have been put before they were.
    if of.is_some() == state.allowed_credentials.is_empty() {
        return Err(FactorRefused::NotAsked.into());
    }
    let id = Passki::base64_decode(&credential.raw_id).map_err(|error| refused(&error))?;
    let mut tx = backoffice.pool.begin().await?;
    let found = sqlx::query!(
        "select id, staff_id, secret from staff_factors where credential_id = $1 for update",
        id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .filter(|found| of.is_none_or(|staff| found.staff_id == staff));
    let found = found.ok_or(FactorRefused::UnknownPasskey)?;
    let mut passkey = opened(backoffice, &found.secret)?;
    let result = library
        .finish_passkey_authentication(&credential, &state, &passkey)
        .map_err(|error| refused(&error))?;
    if result.user_handle.is_some_and(|handle| handle != found.staff_id.as_bytes()) {
        return Err(FactorRefused::UnknownPasskey.into());
    }
    passkey.counter = result.counter;
    used(backoffice, &mut tx, found.id, &passkey).await?;
    tx.commit().await?;
    Ok(found.staff_id)
}

async fn used(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    id: Uuid,
    passkey: &StoredPasskey,
) -> Result<(), Fault> {
    sqlx::query!(
        "update staff_factors set secret = $2, last_used_at = $3 where id = $1",
        id,
        backoffice.keys.seal(FACTOR, &written(passkey)?)?,
        backoffice.clock.now(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn redeem(
    backoffice: &Backoffice,
    session: &SessionKey,
    staff: &Staff,
    credential: &str,
) -> Result<(), FactorError> {
    answered(backoffice, session, credential, Some(staff.id)).await.map(drop)
}

/// A passkey as the whole log-in: who it is.
pub async fn come_in_with(
    backoffice: &Backoffice,
    session: &SessionKey,
    credential: &str,
) -> Result<Staff, FactorError> {
    let id = answered(backoffice, session, credential, None).await?;
    // Somebody who is disabled is told no more than a stranger.
    Ok(staff::sessions::staff(backoffice, id).await?.ok_or(FactorRefused::UnknownPasskey)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_need_a_name_and_https() {
        for origin in [
            "https://shop.example",
            "https://back.office.example:8443/jangbu",
            "http://localhost:4000",
            "http://jangbu.localhost",
        ] {
            assert!(Passkeys::at(origin).is_some(), "{origin}");
        }
        for origin in [
            "http://shop.example",
            "https://192.0.2.1",
            "http://127.0.0.1:4000",
            "https://[::1]:4000",
            "shop",
        ] {
            assert!(Passkeys::at(origin).is_none(), "{origin}");
        }
    }

    #[test]
    fn a_state_of_one_ceremony_is_none_of_the_other() {
        let library = Passki::new("shop.example", &["https://shop.example"], "Jangbu");
        let (_, registration) = library
            .start_passkey_registration(&[7; 16], "a@example.com", "a", RegistrationOptions::default())
            .unwrap();
        let state = serde_json::to_value(registration).unwrap();
        assert!(serde_json::from_value::<AuthenticationState>(state).is_err());
    }
}
