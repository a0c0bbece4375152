//! Any header, time and body: no panic, the true signature is always found wherever it stands, and nothing else is
//! ever taken for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toss::payments::webhook::{KeyReading, sign, verify_signature};

const KEY: &str = "5e0f6a3c9b1d4e7f8a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081";

fuzz_target!(|input: (&str, &str, &[u8])| {
    let (header, at, body) = input;
    let signatures = [KeyReading::DecodedBytes, KeyReading::Ascii]
        .map(|reading| (reading, sign(KEY, reading, body, at).expect("the key is hexadecimal")));
    let stands_in = |mac: &str| header.contains(mac.trim_end_matches('='));
    match verify_signature(KEY, body, at, header) {
        Some(proof) => {
            let (_, mac) = signatures.iter().find(|(reading, _)| *reading == proof.reading).expect("one of the two");
            assert!(stands_in(mac), "{header:?} was believed");
        }
        None => assert!(!signatures.iter().any(|(_, mac)| header == format!("v1:{mac}"))),
    }
    // Beside whatever else the header says, as long as it is among the first eight values.
    let others = header.matches("v1:").count();
    if others < 7 {
        for (reading, mac) in signatures {
            let with = format!("{header},v1:{mac}");
            let proof = verify_signature(KEY, body, at, &with).expect("the true one is there");
            assert!(proof.reading == reading || stands_in(&mac) || proof.value <= others + 1);
        }
    }
});
