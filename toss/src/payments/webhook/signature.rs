//! `base64(HMAC-SHA256(key, body + ":" + transmission time))` (toss-api.md A10.8).

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Which reading of the 64 hexadecimal characters signed a body; Toss's documents leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyReading {
    DecodedBytes,
    Ascii,
}

impl KeyReading {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DecodedBytes => "decoded_bytes",
            Self::Ascii => "ascii",
        }
    }
}

/// What matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Which `v1:` value of the header, from 1. Two are sent while a key is being changed.
    pub value: usize,
    pub reading: KeyReading,
}

/// The value that stands behind `v1:`; `None` when the key cannot be read that way.
pub fn sign(security_key: &str, reading: KeyReading, body: &[u8], transmission_time: &str) -> Option<String> {
    let mac = mac(security_key, reading, body, transmission_time)?;
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// Checks every `v1:` value of the header against both readings of the key, in constant time.
pub fn verify_signature(
    security_key: &str,
    body: &[u8],
    transmission_time: &str,
    header: &str,
) -> Option<Proof> {
    let candidates: Vec<Vec<u8>> = header
        .split(',')
        .filter_map(|part| part.trim().strip_prefix("v1:"))
        // More than Toss ever sends are not worth the time.
        .take(8)
        .map(|value| STANDARD.decode(value.trim()).unwrap_or_default())
        .collect();
    [KeyReading::DecodedBytes, KeyReading::Ascii].into_iter().find_map(|reading| {
        let mac = mac(security_key, reading, body, transmission_time)?;
        let at = candidates.iter().position(|candidate| mac.clone().verify_slice(candidate).is_ok())?;
        Some(Proof { value: at + 1, reading })
    })
}

fn mac(
    security_key: &str,
    reading: KeyReading,
    body: &[u8],
    transmission_time: &str,
) -> Option<Hmac<Sha256>> {
    let key = match reading {
        KeyReading::DecodedBytes => decode_hex(security_key)?,
        KeyReading::Ascii => security_key.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(body);
    mac.update(b":");
    mac.update(transmission_time.as_bytes());
    Some(mac)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn what_openssl_signs_verifies() {
        // printf '{"a":1}:2024-09-05T12:19:21+09:00' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$KEY -binary | base64,
        // and the same with -hmac $KEY.
        for (mac, reading) in [
            ("d7EKUG6zoc/QVsGHzaMT2CyCvQLPjdqtUk49WLGNQIc=", KeyReading::DecodedBytes),
            ("cSY2aNwatps5byDC3TLGDHCX955yxEUwbuh3VB6Xmmk=", KeyReading::Ascii),
        ] {
            let proof =
                verify_signature(KEY, br#"{"a":1}"#, "2024-09-05T12:19:21+09:00", &format!("v1:{mac}"));
            assert_eq!(proof, Some(Proof { value: 1, reading }));
        }
    }

    #[test]
    fn either_value_and_either_key_reading_verifies_and_is_named() {
        let (body, at) = (br#"{"a":1}"#.as_slice(), "2024-09-05T12:19:21+09:00");
        for reading in [KeyReading::DecodedBytes, KeyReading::Ascii] {
            let good = sign(KEY, reading, body, at).unwrap();
            for (header, value) in [
                (format!("v1:{good}"), 1),
                (format!("v1:{good},v1:AAAA"), 1),
                (format!("v1:AAAA,v1:{good}"), 2),
                (format!("v2:{good}, v1:not base64 , v1:{good}"), 2),
            ] {
                let proof = verify_signature(KEY, body, at, &header);
                assert_eq!(proof, Some(Proof { value, reading }), "{header}");
            }
            let header = format!("v1:{good}");
            assert_eq!(verify_signature(KEY, br#"{"a":2}"#, at, &header), None);
            assert_eq!(verify_signature(KEY, body, "2024-09-05T12:19:22+09:00", &header), None);
            assert_eq!(verify_signature(&KEY.replace('0', "1"), body, at, &header), None);
        }
        for header in ["v2:zzz", "", "v1:", "v1", ",,,", "v1:=="] {
            assert_eq!(verify_signature(KEY, body, at, header), None, "{header}");
        }
    }

    #[test]
    fn a_key_that_is_not_hexadecimal_is_read_as_text_alone() {
        let good = sign("열쇠", KeyReading::Ascii, b"x", "t").unwrap();
        assert_eq!(sign("열쇠", KeyReading::DecodedBytes, b"x", "t"), None);
        let proof = verify_signature("열쇠", b"x", "t", &format!("v1:{good}"));
        assert_eq!(proof, Some(Proof { value: 1, reading: KeyReading::Ascii }));
    }
}
