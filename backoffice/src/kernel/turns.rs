//! Turns at what costs a whole core and much memory: a few at work, some who wait, and no more. Whoever finds no place is
//! told at once, and whoever waits asks the database nothing: a crowd would stand in line for its connections, too.
//! Those who were here before have a line of their own, which no crowd of strangers makes longer.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A crowd at the log-in must not starve the pages.
const AT_WORK: usize = 4;
/// A second or two of work.
const WAITING: usize = 64;
const KNOWN_AT_WORK: usize = 2;
const KNOWN_WAITING: usize = 16;

/// Nobody else can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many at once")]
pub struct Busy;

#[derive(Debug, Clone)]
struct Line {
    /// With those at work.
    places: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
}

impl Line {
    fn new(at_work: usize, waiting: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { places: semaphore(at_work + waiting), at_work: semaphore(at_work) }
    }

    fn place(&self) -> Result<Place, Busy> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        Ok(Place { permit, at_work: Arc::clone(&self.at_work) })
    }
}

/// What one process can do of it at once.
#[derive(Debug, Clone)]
pub struct Turns {
    strangers: Line,
    known: Line,
    /// When it was last written down that somebody was sent away, in seconds.
    noted: Arc<AtomicI64>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            strangers: Line::new(AT_WORK, WAITING),
            known: Line::new(KNOWN_AT_WORK, KNOWN_WAITING),
            noted: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }
}

/// Somebody's place in a line, until it is dropped.
#[derive(Debug)]
pub struct Place {
    permit: OwnedSemaphorePermit,
    at_work: Arc<Semaphore>,
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, not read")] [OwnedSemaphorePermit; 2]);

impl Turns {
    /// A place to wait. `known`: somebody who was here before, or is in.
    pub fn place(&self, known: bool) -> Result<Place, Busy> {
        if known && let Ok(place) = self.known.place() {
            return Ok(place);
        }
        self.strangers.place()
    }

    /// Whether it has to be written down that somebody was sent away: once a minute.
    pub(crate) fn is_news(&self, now: i64) -> bool {
        let noted = self.noted.load(Ordering::Relaxed);
        now.saturating_sub(noted) >= 60
            && self.noted.compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Place {
    /// Waits for the turn.
    pub async fn turn(self) -> Result<Turn, Busy> {
        let turn = self.at_work.acquire_owned().await.map_err(|_| Busy)?;
        Ok(Turn([turn, self.permit]))
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
            at_work.push(turns.place(false).unwrap().turn().await.unwrap());
        }
        let mut line: Vec<_> = (0..WAITING).map(|_| Box::pin(turns.place(false).unwrap().turn())).collect();
        assert!(line.iter_mut().all(|waits| waits.now_or_never().is_none()));
        assert_eq!(turns.place(false).unwrap_err(), Busy);
        assert!(turns.place(true).unwrap().turn().now_or_never().unwrap().is_ok(), "at once");
        at_work.clear();
        for waits in line {
            drop(waits.await.unwrap());
        }
        assert!(turns.place(false).is_ok());
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
