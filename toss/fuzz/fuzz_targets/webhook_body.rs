//! Any body: no panic, and what is read off it stays within bounds and is the same each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toss::payments::webhook::{Subject, parse};

fuzz_target!(|body: &[u8]| {
    let Some(event) = parse(body) else { return };
    assert!(event.ids.len() <= 40);
    assert!(event.ids.iter().all(|id| !id.is_empty() && id.len() <= 200));
    if event.subject == Subject::Payment {
        assert!(event.payment_key.is_some() || event.order_id.is_some());
    }
    assert_eq!(parse(body).as_ref(), Some(&event));
});
