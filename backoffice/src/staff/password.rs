//! Passwords: argon2id, off the async threads, a few at a time.

use std::sync::LazyLock;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use zxcvbn::{Score, zxcvbn};

use super::{Invalid, StaffError};
use crate::{Backoffice, Fault, kernel::turns::Turn};

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A password of an allowed length. Never shown, never compared as text.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// For a new password: 12 to 128 characters (longer ones only cost time), and none that is guessed in fewer than
    /// 10^8 tries by somebody who knows the `known` words, common passwords and names. Which kinds of characters it has
    /// does not matter (OWASP ASVS 5.0, 6.2).
    pub fn new(text: String, known: &[&str]) -> Result<Self, Invalid> {
        if !(12..=128).contains(&text.chars().count()) {
            return Err(Invalid::Password);
        }
        let known: Vec<&str> = known.iter().copied().chain(["jangbu", "장부", "toss", "토스"]).collect();
        if zxcvbn(&text, &known).score() < Score::Three {
            return Err(Invalid::PasswordWeak);
        }
        Ok(Self(text.into()))
    }

    /// For a log-in: whatever was typed, cut at a length that cannot be right anyway.
    pub fn typed(text: &str) -> Self {
        Self(text.chars().take(256).collect::<String>().into())
    }
}

fn hasher() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|e| Fault::Inconsistent(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String, Fault> {
    let hash =
        hasher()?.hash_password(password.as_bytes()).map_err(|e| Fault::Inconsistent(e.to_string()))?;
    Ok(hash.to_string())
}

/// Verified against when there is no account, so that "no such account" takes as long as "wrong password".
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_now("nobody has this password").ok());

/// The turn ends with the work, also when whoever asked has gone.
async fn off_thread<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let work = move || {
        let done = work();
        drop(turn);
        done
    };
    tokio::task::spawn_blocking(work).await?
}

/// Of somebody who is in, or was invited.
pub(super) async fn hash(backoffice: &Backoffice, password: Password) -> Result<String, StaffError> {
    let place = backoffice.turns.place(true).map_err(|_| Invalid::Busy)?;
    let turn = place.turn().await.map_err(|_| Invalid::Busy)?;
    Ok(off_thread(turn, move || hash_now(password.0.expose_secret())).await?)
}

/// True when the password fits the hash. Without a hash it is false, after the same work.
pub(super) async fn verify(turn: Turn, password: Password, hash: Option<String>) -> Result<bool, Fault> {
    off_thread(turn, move || {
        let known = hash.is_some();
        let Some(hash) = hash.or_else(|| NOBODY.clone()) else { return Ok(false) };
        let parsed = PasswordHash::new(&hash).map_err(|e| Fault::Inconsistent(e.to_string()))?;
        let fits = hasher()?.verify_password(password.0.expose_secret().as_bytes(), &parsed).is_ok();
        Ok(fits && known)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Turns;

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let hash = hash_now("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let turns = Turns::default();
        let fits = async |typed: &str, hash: Option<String>| {
            let turn = turns.place(false).unwrap().turn().await.unwrap();
            verify(turn, Password::typed(typed), hash).await.unwrap()
        };
        assert!(fits("correct horse battery", Some(hash.clone())).await);
        assert!(!fits("correct horse", Some(hash)).await);
        assert!(!fits("nobody has this password", None).await);
    }

    #[test]
    fn a_password_never_shows() {
        let shown = format!("{:?}", Password::typed("hunter2hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(Password::new("short".into(), &[]).unwrap_err(), Invalid::Password);
    }

    #[test]
    fn what_is_easy_to_guess_is_no_password() {
        let judge = |text: &str| Password::new(text.into(), &["minji.kim@shop.kr", "김민지"]).map(drop);
        for weak in [
            "password1234",
            "qwertyuiop12",
            "aaaaaaaaaaaaaaaa",
            "minji.kim@shop.kr",
            "jangbujangbu",
            "123456789012",
        ] {
            assert_eq!(judge(weak), Err(Invalid::PasswordWeak), "{weak}");
        }
        for good in [
            "우리가게열두시에문을닫아요",
            "correct horse battery staple",
            "k7#xQ9v!mT2p",
            "a b c d e f g 한글도 돼요",
        ] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
        assert_eq!(judge(&"가나다라마바사아자차카타파하".repeat(10)), Err(Invalid::Password));
    }
}
