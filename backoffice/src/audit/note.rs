//! Signed notes (c2sp.org/signed-note) and the checkpoints in them (c2sp.org/tlog-checkpoint), with ring's Ed25519.
//!
//! The crate `signed_note` 0.2 does the same and brings an older Ed25519 along; the format is forty lines.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tlog_tiles::{Checkpoint, Hash};

use crate::{Fault, kernel::seal};

/// Ed25519, in the bytes that a key begins with.
const ED25519_KEY: u8 = 1;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key of a log: `jangbu audit new-key` makes one")]
pub struct NoLogKey;

/// Why a note proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("it is no checkpoint")]
    Malformed,
    #[error("it is of another log")]
    OtherLog,
    #[error("it is not signed with a key of this log")]
    Unsigned,
}

/// What everybody may know of a key: whose, and how to verify with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    key: Vec<u8>,
}

/// A key that signs checkpoints. It never reaches the database.
#[derive(Debug, Clone)]
pub struct Signer {
    verifier: Verifier,
    pair: Arc<Ed25519KeyPair>,
}

fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let hash =
        Sha256::new().chain_update(name).chain_update([b'\n', ED25519_KEY]).chain_update(key).finalize();
    let mut id = [0; 4];
    id.copy_from_slice(&hash[..4]);
    id
}

/// The name, the key's id and the bytes of `name+id+base64`, of the one algorithm that we know.
fn parts(text: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8)?.to_be_bytes();
    let key = STANDARD.decode(key).ok()?;
    let (&kind, key) = key.split_first()?;
    let fits = kind == ED25519_KEY && key.len() == 32 && is_name(name);
    fits.then(|| (name, id, key.to_vec()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace())
}

impl Verifier {
    /// Reads `name+id+key`, as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Result<Self, NoLogKey> {
        let (name, id, key) = parts(text.trim()).ok_or(NoLogKey)?;
        (key_id(name, &key) == id).then(|| Self { name: name.to_owned(), id, key }).ok_or(NoLogKey)
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519_KEY], self.key.as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(key))
    }
}

impl Signer {
    /// Reads `PRIVATE+KEY+name+id+key`.
    pub fn parse(text: &SecretString) -> Result<Self, NoLogKey> {
        let text = text.expose_secret().trim().strip_prefix("PRIVATE+KEY+").ok_or(NoLogKey)?;
        let (name, id, seed) = parts(text).ok_or(NoLogKey)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NoLogKey)?;
        let key = pair.public_key().as_ref().to_vec();
        if key_id(name, &key) != id {
            return Err(NoLogKey);
        }
        let verifier = Verifier { name: name.to_owned(), id, key };
        Ok(Self { verifier, pair: Arc::new(pair) })
    }

    /// A new one, in the form that [`Self::parse`] reads. `name`: of the log, without spaces or `+`.
    pub fn generate(name: &str) -> Result<SecretString, Fault> {
        Ok(Self::of(name, &seal::random()?))
    }

    /// What a sandbox signs with: everybody knows it.
    pub fn rehearsal() -> Result<Self, NoLogKey> {
        Self::parse(&Self::of("jangbu.sandbox/audit", &[7; 32]))
    }

    fn of(name: &str, seed: &[u8]) -> SecretString {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        let key = pair.as_ref().map(|pair| pair.public_key().as_ref()).unwrap_or_default();
        let id = u32::from_be_bytes(key_id(name, key));
        let seed = STANDARD.encode([&[ED25519_KEY], seed].concat());
        format!("PRIVATE+KEY+{name}+{id:08x}+{seed}").into()
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The checkpoint of a tree, signed.
    pub fn checkpoint(&self, size: u64, root: Hash) -> Result<String, Fault> {
        let checkpoint = Checkpoint::new(&self.verifier.name, size, root, "")
            .map_err(|_| Fault::Inconsistent("the audit log has no name".into()))?;
        let text = String::from_utf8(checkpoint.to_bytes())
            .map_err(|_| Fault::Inconsistent("a checkpoint is text".into()))?;
        let signature = [&self.verifier.id, self.pair.sign(text.as_bytes()).as_ref()].concat();
        Ok(format!("{text}\n\u{2014} {} {}\n", self.verifier.name, STANDARD.encode(signature)))
    }
}

/// The tree that a checkpoint speaks of, if one of these has signed it.
pub fn open(note: &str, verifiers: &[Verifier]) -> Result<(u64, Hash), NoteError> {
    let (text, signatures) = note.split_once("\n\n").ok_or(NoteError::Malformed)?;
    let text = format!("{text}\n");
    let checkpoint = Checkpoint::from_bytes(text.as_bytes()).map_err(|_| NoteError::Malformed)?;
    if verifiers.iter().all(|verifier| verifier.name != checkpoint.origin()) {
        return Err(NoteError::OtherLog);
    }
    let is_signed = signatures.lines().any(|line| {
        verifiers.iter().any(|verifier| {
            let signature = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' '));
            let signature = signature.filter(|(name, _)| *name == verifier.name).map(|(_, rest)| rest);
            let Some(bytes) = signature.and_then(|text| STANDARD.decode(text).ok()) else { return false };
            let key = UnparsedPublicKey::new(&ED25519, &verifier.key);
            bytes.strip_prefix(&verifier.id).is_some_and(|bytes| key.verify(text.as_bytes(), bytes).is_ok())
        })
    });
    if is_signed { Ok((checkpoint.size(), *checkpoint.hash())) } else { Err(NoteError::Unsigned) }
}

/// Whose key has signed a note first, as `name+id`; nobody has looked whether that is so.
pub(super) fn signed_with(note: &str) -> Option<String> {
    let (_, signatures) = note.split_once("\n\n")?;
    let (name, signature) = signatures.lines().next()?.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let id = STANDARD.decode(signature).ok()?.first_chunk::<4>().copied()?;
    Some(format!("{name}+{:08x}", u32::from_be_bytes(id)))
}

/// The number of leaves that a note speaks of; nobody has looked whether it was signed.
pub(super) fn claimed_size(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

/// Each note of a file in which they stand one after the other.
pub fn split(text: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let was_signed = lines.last().is_some_and(|last: &&str| last.starts_with('\u{2014}'));
        if was_signed && !line.starts_with('\u{2014}') {
            notes.push(lines.join("\n") + "\n");
            lines.clear();
        }
        if !(lines.is_empty() && line.is_empty()) {
            lines.push(line);
        }
    }
    if !lines.is_empty() {
        notes.push(lines.join("\n") + "\n");
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of c2sp.org/signed-note's reference implementation, golang.org/x/mod/sumdb/note.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER_SIGNS: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    #[test]
    fn keys_are_those_of_the_reference_implementation() {
        assert_eq!(Verifier::parse(PETER).unwrap().to_string(), PETER);
        let signer = Signer::parse(&PETER_SIGNS.to_owned().into()).unwrap();
        assert_eq!(signer.verifier().to_string(), PETER);
        for wrong in ["", "a+00000000+", &PETER.replace("c74f", "c74e"), &PETER.replace("Peter", "Pe er")] {
            assert_eq!(Verifier::parse(wrong), Err(NoLogKey), "{wrong}");
        }
    }

    #[test]
    fn a_checkpoint_opens_with_its_key_and_with_no_other() {
        let signer = Signer::parse(&Signer::generate("shop.example/audit").unwrap()).unwrap();
        let other = Signer::parse(&Signer::generate("shop.example/audit").unwrap()).unwrap();
        let of_another = Signer::parse(&Signer::generate("other.example/audit").unwrap()).unwrap();
        let (root, keys) = (Hash([9; 32]), [signer.verifier().clone()]);
        let note = signer.checkpoint(7, root).unwrap();
        assert_eq!(open(&note, &keys), Ok((7, root)));
        assert_eq!(open(&note.replace("\n7\n", "\n8\n"), &keys), Err(NoteError::Unsigned));
        assert_eq!(open(&other.checkpoint(7, root).unwrap(), &keys), Err(NoteError::Unsigned));
        assert_eq!(open(&of_another.checkpoint(7, root).unwrap(), &keys), Err(NoteError::OtherLog));
        assert_eq!(open("x", &keys), Err(NoteError::Malformed));
        let second = signer.checkpoint(9, root).unwrap();
        assert_eq!(split(&format!("{note}{second}")), [note.clone(), second.clone()]);
        assert_eq!(split(&format!("{note}\n{second}\n")), [note, second]);
    }
}
