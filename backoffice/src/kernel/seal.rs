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

use super::text::hex;
use crate::Fault;

/// Every column that is sealed, as `table.column`: what is sealed in one opens in no other.
pub const COLUMNS: [&str; 3] = [BUYERS_ACCOUNT, REFUND_ACCOUNT, LINE_ACCOUNT];
pub(crate) const BUYERS_ACCOUNT: &str = "payments.refund_receive_account";
pub(crate) const REFUND_ACCOUNT: &str = "refunds.refund_account";
pub(crate) const LINE_ACCOUNT: &str = "refund_batch_lines.account";

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

    fn seal(&self, context: &str, text: &str) -> Result<String, Fault> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| no_random())?;
        let mut bytes = text.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes)
            .map_err(|_| Fault::Inconsistent(format!("{context} could not be sealed")))?;
        Ok(format!("{VERSION}.{}.{}", self.id, STANDARD.encode([&nonce[..], &bytes].concat())))
    }

    fn open(&self, context: &str, body: &str) -> Option<String> {
        let mut bytes = STANDARD.decode(body).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.open_in_place(nonce, Aad::from(context), sealed).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

fn no_random() -> Fault {
    Fault::Inconsistent("this machine gives no random numbers".into())
}

fn random() -> Result<[u8; KEY_LEN], Fault> {
    let mut bytes = [0; KEY_LEN];
    SystemRandom::new().fill(&mut bytes).map_err(|_| no_random())?;
    Ok(bytes)
}

/// The id of the key that a value is sealed with; nothing where it is not sealed.
pub fn key_id(sealed: &str) -> Option<&str> {
    sealed.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.').map(|(id, _)| id)
}

/// What SQL's `like` finds values by that are sealed with this key, or with any.
pub(crate) fn like(key_id: Option<&str>) -> String {
    key_id.map_or_else(|| format!("{VERSION}.%"), |id| format!("{VERSION}.{id}.%"))
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
        current.seal(INDEX, &STANDARD.encode(random()?))
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
        self.current.seal(context, text)
    }

    pub fn open(&self, context: &str, sealed: &str) -> Result<String, Fault> {
        let damaged = || Fault::Inconsistent(format!("{context} cannot be opened"));
        let id = key_id(sealed).ok_or_else(damaged)?;
        let body = sealed.rsplit_once('.').map(|(_, body)| body).ok_or_else(damaged)?;
        let key = std::iter::once(&self.current).chain(&self.previous).find(|key| key.id == id);
        let key = key.ok_or_else(|| Fault::Inconsistent(format!("{context} is sealed with the key {id}")))?;
        key.open(context, body).ok_or_else(damaged)
    }

    /// A keyed hash, by which equal values are found without being told. 128 bits in hexadecimal.
    pub fn index(&self, context: &str, text: &str) -> String {
        let mut hash = hmac::Context::with_key(&self.index);
        hash.update(context.as_bytes());
        hash.update(&[0]);
        hash.update(text.as_bytes());
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
