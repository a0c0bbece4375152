//! The provider: what it says of itself, its keys, and our calls to it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use app::routes;
use http::{Request, Response};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthType, ClientId, ClientSecret, DiscoveryError,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl,
    JwsSigningAlgorithm, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl,
    StandardErrorResponse, StandardTokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::NotIn;
use crate::settings::{Oidc, Settings};

/// How long what the provider says of itself is believed.
const LIFE: Duration = Duration::from_secs(60 * 60);
/// An unknown key makes us ask anew, but not more often than this.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// The largest answer.
const LARGEST: usize = 1 << 20;

/// The claims that the library has no name for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Others {
    #[serde(flatten)]
    pub(super) claims: Map<String, Value>,
}

impl AdditionalClaims for Others {}

pub(super) type IdToken = openidconnect::IdToken<
    Others,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Client = openidconnect::Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<
        IdTokenFields<
            Others,
            EmptyExtraTokenFields,
            CoreGenderClaim,
            CoreJweContentEncryptionAlgorithm,
            CoreJwsSigningAlgorithm,
        >,
        CoreTokenType,
    >,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the provider says of itself, with its keys.
pub(super) struct Known {
    pub(super) metadata: ProviderMetadataWithLogout,
    pub(super) client: Client,
}

impl Known {
    /// What its tokens may be signed with: a key that only the provider has. A shared secret proves little, `none` nothing.
    pub(super) fn algorithms(&self) -> Vec<CoreJwsSigningAlgorithm> {
        let announced = self.metadata.id_token_signing_alg_values_supported().iter();
        announced.filter(|alg| alg.key_type().is_some() && !alg.uses_shared_secret()).cloned().collect()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Http(reqwest::Client);

/// Why a call has brought nothing. No address and no body is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("not reached{}", if *.0 { " in time" } else { "" })]
    NotReached(bool),
    #[error("it answers with more than a megabyte")]
    TooLarge,
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self::NotReached(error.is_timeout())
    }
}

impl Http {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, CallError> {
        let mut answer = self.0.execute(request.try_into()?).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                return Err(CallError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, CallError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// The provider of the settings.
pub(crate) struct Provider {
    pub(crate) settings: Oidc,
    pub(super) http: Http,
    pub(super) after_log_out: PostLogoutRedirectUrl,
    issuer: IssuerUrl,
    callback: RedirectUrl,
    said: Mutex<Said>,
}

/// What the provider has said of itself so far.
#[derive(Default)]
struct Said {
    known: Option<(Arc<Known>, Instant)>,
    /// When a key that nobody knew last made us ask.
    asked_for_key: Option<Instant>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.settings.issuer)
    }
}

impl Provider {
    /// Asks nothing yet: the dashboard starts whether the provider answers or not.
    pub(crate) fn new(settings: &Settings, oidc: &Oidc) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            // What is asked with a secret is not asked elsewhere.
            .redirect(Policy::none())
            .timeout(Duration::from_secs(10))
            .build()?;
        let ours = |path: &str| format!("{}{}{path}", settings.public_url, settings.base_path);
        Ok(Self {
            settings: oidc.clone(),
            http: Http(http),
            after_log_out: PostLogoutRedirectUrl::new(ours(routes::LOGIN))?,
            issuer: IssuerUrl::new(oidc.issuer.clone())?,
            callback: RedirectUrl::new(ours(routes::OIDC_CALLBACK))?,
            said: Mutex::default(),
        })
    }

    /// What is known, asked anew once an hour.
    pub(super) async fn known(&self) -> Result<Arc<Known>, NotIn> {
        let mut said = self.said.lock().await;
        match &said.known {
            Some((known, at)) if at.elapsed() < LIFE => Ok(Arc::clone(known)),
            _ => self.ask(&mut said).await,
        }
    }

    /// For a token whose key is not among the known ones: the provider may have new ones.
    pub(super) async fn known_anew(&self) -> Result<Arc<Known>, NotIn> {
        let mut said = self.said.lock().await;
        if let Some((known, _)) = &said.known
            && said.asked_for_key.is_some_and(|at| at.elapsed() < AT_MOST_EVERY)
        {
            return Ok(Arc::clone(known));
        }
        said.asked_for_key = Some(Instant::now());
        self.ask(&mut said).await
    }

    async fn ask(&self, said: &mut Said) -> Result<Arc<Known>, NotIn> {
        match (self.discover().await, said.known.as_ref()) {
            (Ok(found), _) => {
                let found = Arc::new(found);
                said.known = Some((Arc::clone(&found), Instant::now()));
                Ok(found)
            }
            // Its keys of an hour ago are better than nobody coming in.
            (Err(why), Some((before, _))) => {
                tracing::warn!(%why, "the provider cannot be asked anew");
                Ok(Arc::clone(before))
            }
            (Err(why), None) => Err(why),
        }
    }

    async fn discover(&self) -> Result<Known, NotIn> {
        let metadata = ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = metadata.map_err(|error| NotIn::Provider(format!("discovery: {}", kind(&error))))?;
        let end_session = metadata.additional_metadata().end_session_endpoint.as_ref().map(|u| u.url());
        let mut addresses = vec![metadata.authorization_endpoint().url(), metadata.jwks_uri().url()];
        addresses.extend(metadata.token_endpoint().map(|url| url.url()));
        addresses.extend(metadata.userinfo_endpoint().map(|url| url.url()));
        addresses.extend(end_session);
        // What begins with https goes on with it.
        let secure = self.issuer.url().scheme() == "https";
        if addresses.iter().any(|url| secure && url.scheme() != "https") {
            return Err(NotIn::Provider("discovery: not every address begins with https://".into()));
        }
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let id = ClientId::new(self.settings.client_id.clone());
        let client = Client::from_provider_metadata(metadata.clone(), id, secret);
        let takes = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| takes.is_none_or(|methods| methods.contains(&method));
        let by_body =
            !takes(CoreClientAuthMethod::ClientSecretBasic) && takes(CoreClientAuthMethod::ClientSecretPost);
        let client = client
            .set_auth_type(if by_body { AuthType::RequestBody } else { AuthType::BasicAuth })
            .set_redirect_uri(self.callback.clone());
        Ok(Known { metadata, client })
    }

    /// For `jangbu check`.
    pub(crate) async fn greet(&self) -> anyhow::Result<()> {
        self.known().await?;
        Ok(())
    }
}

/// What went wrong, without anything that was sent or answered.
fn kind(error: &DiscoveryError<CallError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, ..) => format!("it answers {status}, or not with JSON"),
        DiscoveryError::Parse(_) => "it cannot be read".into(),
        DiscoveryError::Validation(_) => "it is another issuer's".into(),
        _ => "it cannot be used".into(),
    }
}
