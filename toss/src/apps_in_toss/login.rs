//! Toss login: tokens, and the profile whose personal fields come encrypted (toss-api.md B2).

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::lenient;

/// A user of this mini-app: a positive whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserKey(pub i64);

impl UserKey {
    /// Reads the decimal digits that headers and callbacks carry.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().filter(|n| *n > 0).map(Self)
    }
}

impl std::fmt::Display for UserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What an authorization code or a refresh token is exchanged for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    pub token_type: String,
    pub access_token: SecretString,
    /// Lives 14 days. Whether it changes with a refresh is not documented: keep what came last.
    pub refresh_token: SecretString,
    /// Seconds.
    #[serde(deserialize_with = "lenient::amount")]
    pub expires_in: i64,
    /// Separated by spaces.
    #[serde(default)]
    pub scope: String,
}

/// `login-me`. Each personal field is base64 of an encrypted text, and absent without the user's consent.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub user_key: UserKey,
    /// Separated by commas.
    #[serde(default)]
    pub scope: String,
    #[serde(default)]
    pub agreed_terms: Vec<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub phone: Option<String>,
    /// `yyyyMMdd`
    #[serde(default)]
    pub birthday: Option<String>,
    #[serde(default)]
    pub ci: Option<String>,
    #[serde(default)]
    pub di: Option<String>,
    /// `MALE` or `FEMALE`
    #[serde(default)]
    pub gender: Option<String>,
    /// `LOCAL` or `FOREIGNER`
    #[serde(default)]
    pub nationality: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
}

impl Profile {
    /// The encrypted fields that are there, by Toss's name.
    pub fn sealed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("name", &self.name),
            ("phone", &self.phone),
            ("birthday", &self.birthday),
            ("ci", &self.ci),
            ("gender", &self.gender),
            ("nationality", &self.nationality),
            ("email", &self.email),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// Opens personal fields: AES-256-GCM, both parts e-mailed from Toss's console (toss-api.md B2.4).
#[derive(Clone)]
pub struct ProfileKey {
    key: LessSafeKey,
    aad: String,
}

impl std::fmt::Debug for ProfileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProfileKey")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    #[error("the decryption key is not base64 of 32 bytes: copy it again from Toss's e-mail")]
    Key,
    #[error("the encrypted text is damaged: it is not base64 of 12 bytes, a text and 16 bytes")]
    Form,
    #[error("the text cannot be decrypted: key or AAD are not those it was encrypted with")]
    Wrong,
}

impl ProfileKey {
    pub fn new(base64_key: &str, aad: impl Into<String>) -> Result<Self, DecryptError> {
        let bytes = STANDARD.decode(base64_key.trim()).map_err(|_| DecryptError::Key)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| DecryptError::Key)?;
        Ok(Self { key: LessSafeKey::new(key), aad: aad.into() })
    }

    /// base64 of IV, text and tag → the text.
    pub fn open(&self, sealed: &str) -> Result<SecretString, DecryptError> {
        let mut bytes = STANDARD.decode(sealed.trim()).map_err(|_| DecryptError::Form)?;
        if bytes.len() < NONCE_LEN + AES_256_GCM.tag_len() {
            return Err(DecryptError::Form);
        }
        let mut text = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| DecryptError::Form)?;
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(self.aad.as_bytes()), &mut text)
            .map_err(|_| DecryptError::Wrong)?;
        let text = std::str::from_utf8(opened).map_err(|_| DecryptError::Wrong)?;
        Ok(text.to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn sealed(key: &str, aad: &str, text: &str) -> String {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &STANDARD.decode(key).unwrap()).unwrap());
        let iv = [7u8; NONCE_LEN];
        let mut bytes = text.as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::from(aad.as_bytes()), &mut bytes)
            .unwrap();
        STANDARD.encode([iv.to_vec(), bytes].concat())
    }

    #[test]
    fn a_profile_opens_with_its_key_and_aad_only() {
        let text = sealed(KEY, "TOSS", "김하준");
        assert_eq!(ProfileKey::new(KEY, "TOSS").unwrap().open(&text).unwrap().expose_secret(), "김하준");
        assert_eq!(ProfileKey::new(KEY, "toss").unwrap().open(&text).unwrap_err(), DecryptError::Wrong);
        let other = STANDARD.encode([9u8; 32]);
        assert_eq!(ProfileKey::new(&other, "TOSS").unwrap().open(&text).unwrap_err(), DecryptError::Wrong);
        let right = ProfileKey::new(KEY, "TOSS").unwrap();
        for damaged in ["", "not base64!", "QUJD"] {
            assert_eq!(right.open(damaged).unwrap_err(), DecryptError::Form, "{damaged}");
        }
        assert_eq!(ProfileKey::new("QUJD", "TOSS").unwrap_err(), DecryptError::Key);
    }

    #[test]
    fn a_user_key_is_digits() {
        assert_eq!(UserKey::parse(" 443731104 "), Some(UserKey(443_731_104)));
        for text in ["", "0", "-1", "toss-user-key-abc123", "12.5", "99999999999999999999"] {
            assert_eq!(UserKey::parse(text), None, "{text}");
        }
    }
}
