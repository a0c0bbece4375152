//! Users, authorization codes and tokens (toss-api.md B2).

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{Change, MiniApp, Outcome, Refused};
use crate::ids;

const CODE_LIFE: Duration = Duration::minutes(10);
const ACCESS_LIFE: Duration = Duration::hours(1);
const REFRESH_LIFE: Duration = Duration::days(14);

/// What a real merchant gets by e-mail; the sandbox's is public.
pub const SANDBOX_DECRYPT_KEY: &str = "c2FuZGJveC1kZWNyeXB0LWtleS0wMTIzNDU2Nzg5YWI=";
pub const SANDBOX_DECRYPT_AAD: &str = "TOSS";

const SCOPES: [&str; 5] = ["user_ci", "user_birthday", "user_name", "user_phone", "user_gender"];

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    pub user_key: i64,
    pub name: String,
    pub phone: String,
    /// `yyyyMMdd`
    pub birthday: String,
    pub gender: String,
    pub nationality: String,
    pub email: Option<String>,
    /// Has agreed to the mini-app.
    pub linked: bool,
    /// Has left Toss.
    pub withdrawn: bool,
    pub agreed_terms: Vec<String>,
    /// Gets push messages; others get them in the inbox only.
    pub push: bool,
}

impl Default for User {
    fn default() -> Self {
        Self {
            user_key: 0,
            name: "김하준".into(),
            phone: "01012345678".into(),
            birthday: "19950315".into(),
            gender: "MALE".into(),
            nationality: "LOCAL".into(),
            email: None,
            linked: true,
            withdrawn: false,
            agreed_terms: vec!["terms_service".into()],
            push: true,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Code {
    user_key: i64,
    made_at: OffsetDateTime,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub access_token: String,
    refresh_token: String,
    user_key: i64,
    #[serde(with = "toss::timestamp")]
    made_at: OffsetDateTime,
    ended: bool,
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refused> {
    body[name].as_str().filter(|t| !t.is_empty()).ok_or(Refused::parameter("요청에 실패했습니다."))
}

fn invalid_grant() -> Refused {
    Refused { status: 400, code: "invalid_grant", reason: "invalid_grant", retry_after_seconds: None }
}

fn unauthorized() -> Refused {
    Refused {
        status: 401, code: "UNAUTHORIZED", reason: "로그인이 필요해요.", retry_after_seconds: None
    }
}

fn sealed(text: &str) -> Option<String> {
    let key = STANDARD.decode(SANDBOX_DECRYPT_KEY).ok()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?);
    let mut iv = [0u8; NONCE_LEN];
    rand::fill(&mut iv);
    let mut bytes = text.as_bytes().to_vec();
    let aad = Aad::from(SANDBOX_DECRYPT_AAD.as_bytes());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), aad, &mut bytes).ok()?;
    Some(STANDARD.encode([iv.to_vec(), bytes].concat()))
}

impl MiniApp {
    /// A person with Toss on their phone.
    pub fn add_user(&mut self, mut user: User) -> User {
        if user.user_key == 0 {
            let last = self.users.last_key_value().map_or(443_731_103, |(key, _)| *key);
            user.user_key = last + 1;
        }
        self.put(Change::User(Box::new(user.clone())));
        user
    }

    /// The user opens the mini-app and agrees.
    pub fn authorize(&mut self, user_key: i64, now: OffsetDateTime) -> Option<String> {
        let mut user = self.users.get(&user_key).filter(|u| !u.withdrawn)?.clone();
        user.linked = true;
        self.put(Change::User(Box::new(user)));
        let code = ids::receipt_key();
        self.codes.insert(code.clone(), Code { user_key, made_at: now });
        Some(code)
    }

    /// The user ends it in the Toss app, withdraws consent, or leaves Toss.
    pub fn unlink(&mut self, user_key: i64, referrer: &str) -> bool {
        let Some(mut user) = self.users.get(&user_key).cloned() else { return false };
        user.linked = false;
        user.withdrawn |= referrer == "WITHDRAWAL_TOSS";
        self.put(Change::User(Box::new(user)));
        self.end_tokens(user_key);
        true
    }

    fn end_tokens(&mut self, user_key: i64) {
        let ended: Vec<Token> =
            self.tokens.values().filter(|t| t.user_key == user_key && !t.ended).cloned().collect();
        for token in ended {
            self.put(Change::Token(Box::new(Token { ended: true, ..token })));
        }
    }

    fn issue(&mut self, user_key: i64, now: OffsetDateTime) -> Value {
        let token = Token {
            access_token: format!("eyJ{}{}", ids::receipt_key(), ids::receipt_key()),
            refresh_token: format!("xNEY{}", ids::receipt_key()),
            user_key,
            made_at: now,
            ended: false,
        };
        let answer = json!({
            "tokenType": "Bearer", "accessToken": token.access_token, "refreshToken": token.refresh_token,
            "expiresIn": 3599, "scope": SCOPES.join(" "),
        });
        self.put(Change::Token(Box::new(token)));
        answer
    }

    pub fn generate_token(&mut self, body: &Value, now: OffsetDateTime) -> Outcome {
        let (code, _) = (text(body, "authorizationCode")?, text(body, "referrer")?);
        let known =
            self.codes.remove(code).filter(|c| now - c.made_at < CODE_LIFE).ok_or_else(invalid_grant)?;
        Ok(self.issue(known.user_key, now))
    }

    pub fn refresh_token(&mut self, body: &Value, now: OffsetDateTime) -> Outcome {
        let given = text(body, "refreshToken")?;
        let known =
            self.tokens.values().find(|t| t.refresh_token == given).cloned().ok_or_else(invalid_grant)?;
        if known.ended || now - known.made_at >= REFRESH_LIFE {
            return Err(invalid_grant());
        }
        let user_key = known.user_key;
        self.put(Change::Token(Box::new(Token { ended: true, ..known })));
        Ok(self.issue(user_key, now))
    }

    fn bearer(&self, token: Option<&str>, now: OffsetDateTime) -> Result<&User, Refused> {
        let token =
            token.and_then(|t| self.tokens.get(t)).filter(|t| !t.ended && now - t.made_at < ACCESS_LIFE);
        token.and_then(|t| self.users.get(&t.user_key)).filter(|u| u.linked).ok_or_else(unauthorized)
    }

    pub fn login_me(&self, token: Option<&str>, now: OffsetDateTime) -> Outcome {
        let user = self.bearer(token, now)?;
        Ok(json!({
            "userKey": user.user_key, "scope": format!("{},user_key", SCOPES.join(",")),
            "agreedTerms": user.agreed_terms, "name": sealed(&user.name), "phone": sealed(&user.phone),
            "birthday": sealed(&user.birthday), "ci": sealed(&format!("CI-{}", user.user_key)), "di": null,
            "gender": sealed(&user.gender), "nationality": sealed(&user.nationality),
            "email": user.email.as_deref().and_then(sealed),
        }))
    }

    pub fn remove_by_access_token(&mut self, token: Option<&str>, now: OffsetDateTime) -> Outcome {
        let user_key = self.bearer(token, now)?.user_key;
        self.unlink(user_key, "PARTNER");
        Ok(json!({}))
    }

    pub fn remove_by_user_key(&mut self, body: &Value) -> Outcome {
        let user_key = body["userKey"].as_i64().ok_or(Refused::parameter("userKey는 숫자여야 해요."))?;
        if !self.users.get(&user_key).is_some_and(|u| u.linked) {
            return Err(Refused::business("INVALID_PARAMETER", "연결된 사용자가 아니에요."));
        }
        self.unlink(user_key, "PARTNER");
        Ok(json!({ "userKey": user_key }))
    }

    /// The user a call is made for.
    pub(super) fn user(&self, header: Option<&str>) -> Result<&User, Refused> {
        let key = header.and_then(|h| h.parse::<i64>().ok()).ok_or(super::refused("4010"))?;
        self.users.get(&key).ok_or(super::refused("4010"))
    }
}
