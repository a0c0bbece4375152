//! How much this process is taking in, so that looking into what came yields to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// With more deliveries in flight than this, other work waits.
const BUSY: usize = 3;

/// How many deliveries are being taken in by this process.
#[derive(Debug, Clone, Default)]
pub struct IntakeLoad(Arc<AtomicUsize>);

/// One of them, until it is dropped.
pub(crate) struct InFlight(IntakeLoad);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl IntakeLoad {
    pub(crate) fn enter(&self) -> InFlight {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// Waits while much comes in, so that taking in goes before looking into; a second at most, because what was taken
    /// in must not wait for ever either.
    pub(crate) async fn yield_to_intake(&self) {
        for _ in 0..40 {
            if self.0.load(Ordering::Relaxed) <= BUSY {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}
