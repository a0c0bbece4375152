//! Whom an ID token is about, once its signature, issuer, audience, nonce and times are believed.

use std::time::{Duration, UNIX_EPOCH};

use backoffice::{Clock, staff::oidc::UnderWay};
use openidconnect::{
    AccessToken, ClaimsVerificationError, IdTokenVerifier, Nonce, SignatureVerificationError, StandardClaims,
    UserInfoClaims, UserInfoError,
    core::{CoreGenderClaim, CoreJsonWebKey},
};
use serde_json::{Map, Value};

use super::{
    NotIn, SKEW,
    provider::{IdToken, Known, Others, Provider},
};
use crate::settings::Oidc;

/// Somebody, as the provider tells it.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) subject: String,
    pub(super) name: String,
    /// Only when the provider has verified it.
    pub(super) email: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    /// The provider has seen a second factor.
    pub(super) factor: bool,
    /// The provider's session.
    pub(super) sid: Option<String>,
}

/// The provider's clock is not turned with a sandbox's.
pub(super) fn now() -> i64 {
    Clock::default().now().unix_timestamp()
}

/// Believes an ID token, or says why not.
pub(super) async fn believe(
    provider: &Provider,
    known: &Known,
    token: &IdToken,
    under_way: &UnderWay,
) -> Result<Person, NotIn> {
    match read(provider, known, token, under_way) {
        Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
            let known = provider.known_anew().await?;
            read(provider, &known, token, under_way)
        }
        read => read,
    }
    .map_err(|error| NotIn::Token(why(&error).into()))
}

fn read(
    provider: &Provider,
    known: &Known,
    token: &IdToken,
    under_way: &UnderWay,
) -> Result<Person, ClaimsVerificationError> {
    let now = now();
    let late = Duration::from_secs(u64::try_from(now - SKEW).unwrap_or_default());
    let again_since = under_way.again_since;
    let verifier: IdTokenVerifier<'_, CoreJsonWebKey> = known.client.id_token_verifier();
    let verifier = verifier
        .set_allowed_algs(known.algorithms())
        .set_time_fn(move || (UNIX_EPOCH + late).into())
        .set_issue_time_verifier_fn(move |at| match at.timestamp() > now + SKEW {
            true => Err("issued in the future".into()),
            false => Ok(()),
        })
        .set_auth_time_verifier_fn(move |at| match again_since {
            Some(since) if at.is_none_or(|at| at.timestamp() < since - SKEW) => {
                Err("nobody has shown anew who they are".into())
            }
            _ => Ok(()),
        });
    let claims = token.claims(&verifier, &Nonce::new(under_way.nonce.clone()))?;
    let client = &provider.settings.client_id;
    if claims.authorized_party().is_some_and(|party| party.as_str() != client) {
        return Err(ClaimsVerificationError::InvalidAudience("azp".into()));
    }
    let amr = claims.auth_method_refs().into_iter().flatten().map(|method| method.as_str());
    let shown = amr.chain(claims.auth_context_ref().map(|context| context.as_str()));
    let others = &claims.additional_claims().claims;
    let (email, name) = (claims.email(), claims.name().and_then(|name| name.get(None)));
    Ok(Person {
        subject: claims.subject().as_str().to_owned(),
        name: name
            .map(|name| name.as_str())
            .or(claims.preferred_username().map(|name| name.as_str()))
            .unwrap_or_default()
            .to_owned(),
        email: email.filter(|_| claims.email_verified() == Some(true)).map(|email| email.as_str().to_owned()),
        groups: groups(others, &provider.settings.groups_claim),
        factor: has_factor(&provider.settings, shown),
        sid: others.get("sid").and_then(Value::as_str).map(str::to_owned),
    })
}

fn has_factor<'a>(settings: &Oidc, mut shown: impl Iterator<Item = &'a str>) -> bool {
    shown.any(|method| settings.factor_amr.iter().any(|proof| proof == method))
}

/// Somebody's groups: a list or one word, by the name of the claim, or by its path within another.
fn groups(claims: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let found = claims.get(name).or_else(|| {
        let mut path = name.split('.');
        let first = claims.get(path.next()?)?;
        path.try_fold(first, |value, key| value.get(key))
    })?;
    match found {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(all) => Some(all.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

/// Asks the provider for what its ID token has left out.
pub(super) async fn complete(
    provider: &Provider,
    known: &Known,
    person: &mut Person,
    access_token: &AccessToken,
) -> Result<(), NotIn> {
    let whole = person.groups.is_some() && person.email.is_some() && !person.name.is_empty();
    if whole || known.metadata.userinfo_endpoint().is_none() {
        return Ok(());
    }
    let subject = openidconnect::SubjectIdentifier::new(person.subject.clone());
    let request = known.client.user_info(access_token.clone(), Some(subject));
    let request = request.map_err(|error| NotIn::Provider(error.to_string()))?;
    let told: Result<UserInfoClaims<Others, CoreGenderClaim>, _> =
        request.request_async(&provider.http).await;
    let told = match told {
        Ok(told) => told,
        Err(UserInfoError::ClaimsVerification(error)) => return Err(NotIn::Token(why(&error).into())),
        Err(error) => {
            let what = match error {
                UserInfoError::Request(error) => format!("userinfo: {error}"),
                UserInfoError::Response(status, ..) => format!("userinfo: it answers {status}"),
                _ => "userinfo: it cannot be read".into(),
            };
            // Without groups nobody has a role; what else is missing may not be needed.
            if person.groups.is_none() {
                return Err(NotIn::Provider(what));
            }
            tracing::warn!(what, "the provider does not tell more than its ID token");
            return Ok(());
        }
    };
    let standard: &StandardClaims<CoreGenderClaim> = told.standard_claims();
    if person.email.is_none() && standard.email_verified() == Some(true) {
        person.email = standard.email().map(|email| email.as_str().to_owned());
    }
    if let Some(name) = standard.name().and_then(|name| name.get(None)).filter(|_| person.name.is_empty()) {
        person.name = name.as_str().to_owned();
    }
    if person.groups.is_none() {
        person.groups = groups(&told.additional_claims().claims, &provider.settings.groups_claim);
    }
    Ok(())
}

/// What is wrong with a token, without anything that stands in it.
fn why(error: &ClaimsVerificationError) -> &'static str {
    use ClaimsVerificationError as Wrong;
    match error {
        Wrong::Expired(_) => "its time is over, or to come",
        Wrong::InvalidAudience(_) => "it is for somebody else",
        Wrong::InvalidIssuer(_) => "it is another issuer's",
        Wrong::InvalidNonce(_) => "it answers another log-in",
        Wrong::InvalidAuthTime(_) => "nobody has shown anew who they are",
        Wrong::InvalidSubject(_) => "it is about somebody else",
        Wrong::SignatureVerification(SignatureVerificationError::DisallowedAlg(_)) => {
            "its signature is of a kind that is not taken"
        }
        Wrong::SignatureVerification(_) => "its signature is not the provider's",
        _ => "it is of a kind that is not taken",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_found_by_name_and_by_path() {
        let claims = json!({
            "groups": ["a", 7, "b"],
            "role": "one",
            "realm_access": { "roles": ["admin"] },
            "https://shop.example/groups": ["dotted"],
        });
        let find = |name: &str| groups(claims.as_object().unwrap(), name);
        assert_eq!(find("groups"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(find("role"), Some(vec!["one".to_owned()]));
        assert_eq!(find("realm_access.roles"), Some(vec!["admin".to_owned()]));
        assert_eq!(find("https://shop.example/groups"), Some(vec!["dotted".to_owned()]));
        for nothing in ["realm_access", "realm_access.groups", "nobody", ""] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }
}
