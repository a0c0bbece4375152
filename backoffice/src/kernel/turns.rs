//! Turns at what costs a whole core and much memory: a few at work, some who wait, and no more. Whoever finds no place is
//! told at once.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A crowd at the log-in must not starve the pages.
const AT_WORK: usize = 4;
/// A second or two of work.
const WAITING: usize = 64;
/// Places that a crowd of strangers cannot take from those who were here before.
const KNOWN_WAITING: usize = 16;

/// Nobody else can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many at once")]
pub struct Busy;

/// What one process can do of it at once.
#[derive(Debug, Clone)]
pub struct Turns {
    at_work: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    known_waiting: Arc<Semaphore>,
    /// When it was last written down that somebody was sent away, in seconds.
    noted: Arc<AtomicI64>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            at_work: Arc::new(Semaphore::new(AT_WORK)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            known_waiting: Arc::new(Semaphore::new(KNOWN_WAITING)),
            noted: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Turns {
    /// Waits for a turn, if there is a place to wait. `known`: somebody who was here before, or is in.
    pub async fn take(&self, known: bool) -> Result<Turn, Busy> {
        if let Ok(now) = Arc::clone(&self.at_work).try_acquire_owned() {
            return Ok(Turn(now));
        }
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        let place = match place {
            Ok(place) => place,
            Err(_) if known => Arc::clone(&self.known_waiting).try_acquire_owned().map_err(|_| Busy)?,
            Err(_) => return Err(Busy),
        };
        let turn = Arc::clone(&self.at_work).acquire_owned().await.map_err(|_| Busy)?;
        drop(place);
        Ok(Turn(turn))
    }

    /// Whether it has to be written down that somebody was sent away: once a minute.
    pub(crate) fn is_news(&self, now: i64) -> bool {
        let noted = self.noted.load(Ordering::Relaxed);
        now.saturating_sub(noted) >= 60
            && self.noted.compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_crowd_waits_in_a_line_that_ends_and_those_who_were_here_before_have_their_own() {
        let turns = Turns::default();
        let mut at_work = Vec::new();
        for _ in 0..AT_WORK {
            at_work.push(turns.take(false).await.unwrap());
        }
        let mut line: Vec<_> = (0..WAITING).map(|_| Box::pin(turns.take(false))).collect();
        assert!(line.iter_mut().all(|waits| waits.now_or_never().is_none()));
        assert_eq!(turns.take(false).await.unwrap_err(), Busy);
        let mut known = Box::pin(turns.take(true));
        assert!((&mut known).now_or_never().is_none(), "it waits");
        at_work.clear();
        for waits in line {
            drop(waits.await.unwrap());
        }
        assert!(known.await.is_ok());
        assert!(turns.take(false).await.is_ok());
    }

    #[test]
    fn that_somebody_was_sent_away_is_said_once_a_minute() {
        let turns = Turns::default();
        assert_eq!(
            [100, 101, 159, 160, 161].map(|now| turns.is_news(now)),
            [true, false, false, true, false]
        );
    }
}
