//! Telling the person at the terminal what happens and how long it took.

use std::{fmt::Display, time::Instant};

#[expect(clippy::print_stderr, reason = "the one place that speaks to the terminal")]
pub(crate) fn line(text: &str) {
    eprintln!("{text}");
}

/// Says what begins, does it, says how long it took.
pub(crate) fn step<T, E: Display>(what: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    line(&format!("▸ {what}"));
    let started = Instant::now();
    let outcome = work();
    let took = started.elapsed().as_secs_f64();
    match &outcome {
        Ok(_) => line(&format!("  ✓ {what} ({took:.1} s)")),
        Err(_) => line(&format!("  ✗ {what} ({took:.1} s)")),
    }
    outcome
}
