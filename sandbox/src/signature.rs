//! How Toss signs (toss-api.md A10.8), written down a second time and with another library than the product checks it
//! with: a misunderstanding on one side cannot hide on the other.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;

/// The value behind `v1:`. Toss's documents leave open how the key is read: as bytes in hexadecimal, or (`is_ascii`) as
/// the text that it is. `None` when it is no hexadecimal text.
pub fn sign(security_key: &str, is_ascii: bool, body: &[u8], transmitted: &str) -> Option<String> {
    let key = if is_ascii { security_key.as_bytes().to_vec() } else { bytes(security_key.as_bytes())? };
    let said = [body, b":", transmitted.as_bytes()].concat();
    Some(STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &said)))
}

fn bytes(hexadecimal: &[u8]) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, rest) = hexadecimal.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect())?
}
