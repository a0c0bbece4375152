//! The house next door: a provider of OpenID Connect that says whatever a test wants it to say.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Shop, cookie};

pub const CLIENT: &str = "jangbu";
pub const SECRET: &str = "a secret of the tests";

/// A key that tokens are signed with.
pub struct Key {
    kid: String,
    pair: EcdsaKeyPair,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { kid: kid.into(), pair }
    }

    fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y })
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": "ES256", "kid": self.kid }), claims)
    }

    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// What it hands out, and to whom.
#[derive(Default)]
struct Given {
    keys: Vec<Value>,
    /// By code: the token, and the challenge of PKCE that it was asked with.
    tokens: HashMap<String, (String, String)>,
    userinfo: Option<Value>,
}

#[derive(Clone)]
pub struct House {
    pub url: String,
    given: Arc<Mutex<Given>>,
}

/// A log-in that the provider has been asked for.
pub struct Asked {
    pub cookie: String,
    pub state: String,
    pub nonce: String,
    challenge: String,
    pub query: HashMap<String, String>,
}

pub fn now() -> i64 {
    backoffice::Clock::default().now().unix_timestamp()
}

impl House {
    pub async fn open() -> (Self, Key) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let house = Self { url, given: Arc::default() };
        let key = Key::new("first");
        house.publish(&[&key]);
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(house.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (house, key)
    }

    pub fn publish(&self, keys: &[&Key]) {
        self.given.lock().unwrap().keys = keys.iter().map(|key| key.public()).collect();
    }

    pub fn userinfo(&self, claims: Value) {
        self.given.lock().unwrap().userinfo = Some(claims);
    }

    /// A shop that is set up for it, with more settings.
    pub async fn shop(&self, more: &[(&str, &str)]) -> Shop {
        let mut settings = vec![
            ("JANGBU_OIDC_ISSUER", self.url.as_str()),
            ("JANGBU_OIDC_CLIENT_ID", CLIENT),
            ("JANGBU_OIDC_CLIENT_SECRET", SECRET),
            ("JANGBU_OIDC_ROLES", "support-team=support,finance=finance,admins=admin"),
            ("JANGBU_OIDC_NAME", "옆집"),
        ];
        settings.extend(more);
        Shop::open_with(&settings).await
    }

    /// What an ID token says of somebody.
    pub fn claims(&self, subject: &str, groups: &[&str]) -> Value {
        json!({
            "iss": self.url, "aud": CLIENT, "sub": subject, "iat": now(), "exp": now() + 300,
            "name": "한 사람", "email": format!("{subject}@next.example"), "email_verified": true,
            "groups": groups, "sid": format!("sid-of-{subject}"),
        })
    }

    /// What a log-out token says.
    pub fn log_out(&self, jti: &str, more: Value) -> Value {
        let mut claims = json!({
            "iss": self.url, "aud": CLIENT, "iat": now(), "exp": now() + 120, "jti": jti,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let all = claims.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        claims
    }

    /// The code for a token.
    pub fn code(&self, asked: &Asked, token: String) -> String {
        let code = uuid::Uuid::new_v4().to_string();
        self.given.lock().unwrap().tokens.insert(code.clone(), (token, asked.challenge.clone()));
        code
    }
}

async fn discovery(State(house): State<House>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", house.url);
    Json(json!({
        "issuer": house.url, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/me"), "jwks_uri": at("/keys"), "end_session_endpoint": at("/end?a=b"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    }))
}

async fn keys(State(house): State<House>) -> Json<Value> {
    Json(json!({ "keys": house.given.lock().unwrap().keys }))
}

/// The client's secret, the code, and the verifier whose hash came first.
async fn token(
    State(house): State<House>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let basic = headers["authorization"].to_str().unwrap().strip_prefix("Basic ").unwrap();
    let basic = base64::engine::general_purpose::STANDARD.decode(basic).unwrap();
    assert_eq!(String::from_utf8(basic).unwrap(), format!("{CLIENT}:{}", SECRET.replace(' ', "+")));
    let given = house.given.lock().unwrap().tokens.remove(&form["code"]);
    let hash = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
    match given.filter(|(_, challenge)| *challenge == URL_SAFE_NO_PAD.encode(hash)) {
        Some((token, _)) => {
            let said =
                json!({ "access_token": "an access token", "token_type": "Bearer", "id_token": token });
            (StatusCode::OK, Json(said))
        }
        None => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))),
    }
}

async fn me(State(house): State<House>) -> (StatusCode, Json<Value>) {
    match house.given.lock().unwrap().userinfo.clone() {
        Some(claims) => (StatusCode::OK, Json(claims)),
        None => (StatusCode::FORBIDDEN, Json(Value::Null)),
    }
}

impl Shop {
    async fn open_path(&self, path: &str, cookie: Option<&str>) -> reqwest::Response {
        let mut request = self.http.get(format!("{}{path}", self.url)).header("accept", "text/html");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    }

    /// Somebody follows the button.
    pub async fn ask(&self, path: &str, had: Option<&str>) -> Asked {
        let response = self.open_path(path, had).await;
        assert_eq!(response.status(), 303);
        let there = reqwest::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
        assert_eq!(there.path(), "/authorize");
        let query: HashMap<String, String> = there.query_pairs().into_owned().collect();
        assert_eq!(
            (query["response_type"].as_str(), query["code_challenge_method"].as_str()),
            ("code", "S256")
        );
        Asked {
            cookie: cookie(&response).or(had.map(str::to_owned)).expect("a session"),
            state: query["state"].clone(),
            nonce: query["nonce"].clone(),
            challenge: query["code_challenge"].clone(),
            query,
        }
    }

    /// The provider sends somebody back.
    pub async fn come_back(&self, cookie: &str, state: &str, code: &str) -> reqwest::Response {
        let path = format!("/login/oidc/callback?state={state}&code={code}");
        self.open_path(&path, Some(cookie)).await
    }

    /// All of it, with the claims of a token; where to, and the cookie.
    pub async fn through(&self, house: &House, key: &Key, mut claims: Value) -> (String, String) {
        let asked = self.ask("/login/oidc?next=%2Forders", None).await;
        if claims.get("nonce").is_none() {
            claims["nonce"] = asked.nonce.clone().into();
        }
        let code = house.code(&asked, key.sign(&claims));
        let response = self.come_back(&asked.cookie, &asked.state, &code).await;
        assert_eq!(response.status(), 303);
        let to = response.headers()["location"].to_str().unwrap().to_owned();
        (to, cookie(&response).unwrap_or(asked.cookie))
    }

    /// The sentence on the page of the log-in.
    pub async fn says(&self, cookie: &str) -> String {
        let (_, html) = self.page("/login", Some(cookie)).await;
        let at = html.find("role=\"alert\"").expect("a sentence");
        html[at..].split_once('>').unwrap().1.split('<').next().unwrap().to_owned()
    }

    /// The provider tells a log-out.
    pub async fn tell(&self, token: &str) -> u16 {
        let request = self.http.post(format!("{}/login/oidc/backchannel-logout", self.url));
        request.form(&[("logout_token", token)]).send().await.unwrap().status().as_u16()
    }
}
