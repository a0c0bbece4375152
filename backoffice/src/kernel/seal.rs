//! What a dump of the database must not tell is sealed (AES-256-GCM) under keys that the database never sees, and found by
//! keyed hashes. Where the keys come from stands in [`crate::keys`].

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{personal, text::hex};
use crate::Fault;

/// How a column is sealed.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Whole.
    Text,
    /// Whole, and found by the hash in this column beside it.
    Indexed(&'static str, fn(&str) -> Option<String>),
    Bytes,
    /// The texts in it that are somebody's own: the rest is read by the database.
    Json,
}

/// Every column that is sealed, as `table.column`: what is sealed in one opens in no other.
pub const COLUMNS: [(&str, Form); 15] = [
    (BUYERS_ACCOUNT, Form::Text),
    (REFUND_ACCOUNT, Form::Text),
    (LINE_ACCOUNT, Form::Text),
    (ORDER_PHONE, Form::Indexed("customer_mobile_phone_hash", personal::phone)),
    (ORDER_EMAIL, Form::Indexed("customer_email_hash", personal::email)),
    (RECEIPT_IDENTITY, Form::Text),
    (FORM_ANSWER, Form::Text),
    (FACTOR, Form::Text),
    (OIDC_LOG_IN, Form::Text),
    (EXPORT_WORDS, Form::Text),
    (EXPORT_PART, Form::Bytes),
    (EVENT_SECRET, Form::Text),
    (DELIVERY, Form::Bytes),
    (PAYMENT, Form::Json),
    (SNAPSHOT, Form::Json),
];
pub(crate) const BUYERS_ACCOUNT: &str = "payments.refund_receive_account";
pub(crate) const REFUND_ACCOUNT: &str = "refunds.refund_account";
pub(crate) const LINE_ACCOUNT: &str = "refund_batch_lines.account";
pub(crate) const ORDER_PHONE: &str = "orders.customer_mobile_phone";
pub(crate) const ORDER_EMAIL: &str = "orders.customer_email";
pub(crate) const RECEIPT_IDENTITY: &str = "cash_receipts.identity_number";
pub(crate) const FORM_ANSWER: &str = "form_answers.answer";
pub(crate) const FACTOR: &str = "staff_factors.secret";
pub(crate) const OIDC_LOG_IN: &str = "oidc_log_ins.secret";
pub(crate) const EXPORT_WORDS: &str = "exports.what";
pub(crate) const EXPORT_PART: &str = "export_parts.bytes";
pub(crate) const EVENT_SECRET: &str = "event_secrets.secret";
pub(crate) const DELIVERY: &str = "webhook_deliveries.body";
pub(crate) const PAYMENT: &str = "payments.raw";
pub(crate) const SNAPSHOT: &str = "event_snapshots.body";

/// Within a session's data, for half a day at most: it is not sealed anew, and is left out once its key has gone.
pub(crate) const ID_TOKEN: &str = "staff_sessions.data.oidc.id_token";

/// In front of every sealed value, with the key's id behind it.
const VERSION: &str = "v1";

const KEY_LEN: usize = 32;

/// One key of the ring, 32 random bytes.
#[derive(Clone)]
pub struct DataKey {
    id: String,
    key: Arc<LessSafeKey>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("32 random bytes in base64 are expected: make them with `openssl rand -base64 32`")]
pub struct NoKey;

impl DataKey {
    pub fn parse(text: &SecretString) -> Result<Self, NoKey> {
        let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| NoKey)?;
        Self::of(&bytes)
    }

    fn of(bytes: &[u8]) -> Result<Self, NoKey> {
        if bytes.len() != KEY_LEN || bytes.iter().all(|byte| *byte == 0) {
            return Err(NoKey);
        }
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| NoKey)?;
        // Says which key it is and nothing of it.
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"jangbu data key");
        let id = hex(&tag.as_ref()[..4]);
        Ok(Self { id, key: Arc::new(LessSafeKey::new(key)) })
    }

    /// The one that every sandbox without a key of its own uses. It keeps nothing from anybody who can read this.
    pub fn rehearsal() -> Result<Self, NoKey> {
        Self::of(b"rehearsals: no key for real data")
    }

    /// A new one, as `JANGBU_DATA_KEY` takes it.
    pub fn generate() -> Result<SecretString, Fault> {
        Ok(STANDARD.encode(random()?).into())
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The nonce, and what is sealed behind it.
    fn seal(&self, context: &str, clear: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| no_random())?;
        let mut bytes = clear.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes)
            .map_err(|_| Fault::Inconsistent(format!("{context} could not be sealed")))?;
        Ok([&nonce[..], &bytes].concat())
    }

    fn open(&self, context: &str, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        Some(self.key.open_in_place(nonce, Aad::from(context), sealed).ok()?.to_vec())
    }
}

fn no_random() -> Fault {
    Fault::Inconsistent("this machine gives no random numbers".into())
}

/// 32 bytes that nobody can guess.
pub(crate) fn random() -> Result<[u8; KEY_LEN], Fault> {
    let mut bytes = [0; KEY_LEN];
    SystemRandom::new().fill(&mut bytes).map_err(|_| no_random())?;
    Ok(bytes)
}

/// The id of the key that a value is sealed with; nothing where it is not sealed.
pub fn key_id(sealed: &str) -> Option<&str> {
    sealed.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.').map(|(id, _)| id)
}

/// The values of a column that are not sealed, or sealed with another key than this one, as a condition of SQL's. What is
/// clear within JSON is not seen from outside: every value is one.
pub(crate) fn not_sealed(form: Form, column: &str, key_id: Option<&str>) -> String {
    let text = match form {
        Form::Text | Form::Indexed(..) => column.to_owned(),
        Form::Bytes => format!("encode(substring({column} from 1 for 12), 'escape')"),
        Form::Json => format!("{column}::text"),
    };
    match (form, key_id) {
        (Form::Json, None) => "true".into(),
        (Form::Json, Some(id)) => format!(r#"{text} ~ '"{VERSION}\.(?!{id}\.)[0-9a-f]{{8}}\.'"#),
        (_, None) => format!("{text} not like '{VERSION}.%'"),
        (_, Some(id)) => format!("{text} not like '{VERSION}.{id}.%'"),
    }
}

fn written(key: &DataKey, context: &str, text: &str) -> Result<String, Fault> {
    Ok(format!("{VERSION}.{}.{}", key.id, STANDARD.encode(key.seal(context, text.as_bytes())?)))
}

fn damaged(context: &str) -> Fault {
    Fault::Inconsistent(format!("{context} cannot be opened"))
}

/// The keys in use: values are sealed with the current one, and opened with any.
#[derive(Clone)]
pub struct Keyring {
    current: DataKey,
    previous: Vec<DataKey>,
    index: hmac::Key,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({}, {:?})", self.current.id, self.previous)
    }
}

/// Where the key of the index is sealed.
const INDEX: &str = "data_keys.index";

impl Keyring {
    /// The ring of a database that keeps the key of its index sealed.
    pub(crate) fn of(current: DataKey, previous: Vec<DataKey>, sealed_index: &str) -> Result<Self, Fault> {
        let nothing = hmac::Key::new(hmac::HMAC_SHA256, &[]);
        let ring = Self { current, previous, index: nothing };
        let index = STANDARD.decode(ring.open(INDEX, sealed_index)?);
        let index = index.map_err(|_| Fault::Inconsistent("the key of the index is damaged".into()))?;
        Ok(Self { index: hmac::Key::new(hmac::HMAC_SHA256, &index), ..ring })
    }

    /// A key for the index of a new database, sealed. It outlives the keys of the ring: what it has hashed stands for good.
    pub(crate) fn new_index(current: &DataKey) -> Result<String, Fault> {
        written(current, INDEX, &STANDARD.encode(random()?))
    }

    /// The id of the key that values are sealed with.
    pub fn current(&self) -> &str {
        &self.current.id
    }

    /// The key of the index under the current key.
    pub(crate) fn reseal_index(&self, sealed: &str) -> Result<String, Fault> {
        self.seal(INDEX, &self.open(INDEX, sealed)?)
    }

    /// `context` is one of [`COLUMNS`]: a value that is moved to another one cannot be opened there.
    pub fn seal(&self, context: &str, text: &str) -> Result<String, Fault> {
        written(&self.current, context, text)
    }

    pub fn open(&self, context: &str, sealed: &str) -> Result<String, Fault> {
        let id = key_id(sealed).ok_or_else(|| damaged(context))?;
        let body = sealed.rsplit_once('.').and_then(|(_, body)| STANDARD.decode(body).ok());
        let text = self.open_with(context, id, body.ok_or_else(|| damaged(context))?)?;
        String::from_utf8(text).map_err(|_| damaged(context))
    }

    pub fn seal_bytes(&self, context: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let sealed = self.current.seal(context, bytes)?;
        Ok([format!("{VERSION}.{}.", self.current.id).as_bytes(), &sealed].concat())
    }

    pub fn open_bytes(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut parts = sealed.splitn(3, |byte| *byte == b'.');
        let (Some(version), Some(id), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(damaged(context));
        };
        let id = std::str::from_utf8(id).ok().filter(|_| version == VERSION.as_bytes());
        self.open_with(context, id.ok_or_else(|| damaged(context))?, body.to_vec())
    }

    pub(crate) fn reseal_bytes(&self, context: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let sealed = |id: &str| format!("{VERSION}.{id}.");
        if bytes.starts_with(sealed(&self.current.id).as_bytes()) {
            return Ok(bytes.to_vec());
        }
        match self.previous.iter().any(|key| bytes.starts_with(sealed(&key.id).as_bytes())) {
            true => self.seal_bytes(context, &self.open_bytes(context, bytes)?),
            false => self.seal_bytes(context, bytes),
        }
    }

    /// Seals the texts that are somebody's own.
    pub(crate) fn seal_json(&self, context: &str, mut value: Value) -> Result<Value, Fault> {
        personal::change(&mut value, &mut |text| self.seal(context, text))?;
        Ok(value)
    }

    /// Seals with the current key what is not.
    pub(crate) fn reseal(&self, context: &str, text: &str) -> Result<String, Fault> {
        match key_id(text) {
            Some(id) if id == self.current.id => Ok(text.to_owned()),
            Some(_) => self.seal(context, &self.open(context, text)?),
            None => self.seal(context, text),
        }
    }

    pub(crate) fn reseal_json(&self, context: &str, mut value: Value) -> Result<Value, Fault> {
        personal::change(&mut value, &mut |text| self.reseal(context, text))?;
        Ok(value)
    }

    pub(crate) fn open_json(&self, context: &str, mut value: Value) -> Result<Value, Fault> {
        personal::change(&mut value, &mut |text| self.open(context, text))?;
        Ok(value)
    }

    fn open_with(&self, context: &str, id: &str, body: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let key = std::iter::once(&self.current).chain(&self.previous).find(|key| key.id == id);
        let key = key.ok_or_else(|| Fault::Inconsistent(format!("{context} is sealed with the key {id}")))?;
        key.open(context, body).ok_or_else(|| damaged(context))
    }

    /// A keyed hash, by which equal values are found without being told. 128 bits in hexadecimal.
    pub fn index(&self, context: &str, value: impl AsRef<[u8]>) -> String {
        let mut hash = hmac::Context::with_key(&self.index);
        hash.update(context.as_bytes());
        hash.update(&[0]);
        hash.update(value.as_ref());
        hex(&hash.sign().as_ref()[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DataKey {
        DataKey::parse(&DataKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_only_with_its_key_in_its_place() {
        let (first, second) = (key(), key());
        let index = Keyring::new_index(&first).unwrap();
        let ring = Keyring::of(first.clone(), Vec::new(), &index).unwrap();
        let sealed = ring.seal("refunds.account", "110-123-456789 홍길동").unwrap();
        assert!(!sealed.contains("456789"));
        assert_ne!(sealed, ring.seal("refunds.account", "110-123-456789 홍길동").unwrap());
        assert_eq!(ring.open("refunds.account", &sealed).unwrap(), "110-123-456789 홍길동");
        assert!(ring.open("payments.account", &sealed).is_err(), "moved");
        assert!(ring.open("refunds.account", &sealed.replace("v1", "v2")).is_err());
        assert!(ring.open("refunds.account", "110-123-456789").is_err(), "in the clear");
        // The next key opens what the one before has sealed, and finds what it has hashed.
        let next = Keyring::of(second.clone(), vec![first], &index).unwrap();
        assert_eq!(next.open("refunds.account", &sealed).unwrap(), "110-123-456789 홍길동");
        assert_eq!(next.index("a", "x"), ring.index("a", "x"));
        assert_ne!(next.index("b", "x"), ring.index("a", "x"));
        assert_eq!(key_id(&next.seal("a", "x").unwrap()), Some(second.id()));
        assert!(Keyring::of(second, Vec::new(), &index).is_err(), "the wrong key");
    }

    #[test]
    fn only_32_bytes_are_a_key() {
        for text in
            ["", "abc", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8="]
        {
            assert_eq!(DataKey::parse(&text.to_owned().into()).err(), Some(NoKey), "{text}");
        }
    }
}
