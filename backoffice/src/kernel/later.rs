//! Rows of logs, written down in groups a moment after they came. Nobody waits for it: what has no room in memory is dropped, and
//! counted.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::Fault;

/// Rows that may wait for being written.
const WAITING: usize = 4096;
/// Rows of one statement.
const GROUP: usize = 500;
/// What comes within this time is written together.
const EVERY: Duration = Duration::from_millis(250);
/// How long is waited before a group is tried once more; after the last it is dropped.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// How long the end waits for the last of them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is written.
pub(crate) trait Row: Send + Sync + Sized + 'static {
    /// The counter of those that were dropped.
    const DROPPED: &'static str;

    /// Writes some of them, in one statement.
    fn insert(pool: &PgPool, rows: &[Self]) -> impl Future<Output = Result<(), Fault>> + Send;
}

enum Message<R> {
    Row(Box<R>),
    /// Answered when all before it is written.
    Flush(oneshot::Sender<()>),
}

/// Takes rows down. Cheap to clone; ends when the last clone is dropped.
#[derive(Debug)]
pub(crate) struct Later<R> {
    queue: mpsc::Sender<Message<R>>,
}

impl<R> Clone for Later<R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<R: Row> Later<R> {
    /// Begins to write.
    pub fn open(pool: PgPool) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        tokio::spawn(write_all(pool, waiting));
        Self { queue }
    }

    pub fn write(&self, row: R) {
        if self.queue.try_send(Message::Row(Box::new(row))).is_err() {
            dropped::<R>(1);
        }
    }

    /// Comes back once everything that came until now is written; at the end of a process, and not later than after some seconds.
    pub async fn flush(&self) {
        let written = async {
            let (done, is_done) = oneshot::channel();
            if self.queue.send(Message::Flush(done)).await.is_ok() {
                drop(is_done.await);
            }
        };
        if tokio::time::timeout(PATIENCE, written).await.is_err() {
            tracing::warn!(counter = R::DROPPED, "the last rows of a log are not written down");
        }
    }
}

fn dropped<R: Row>(rows: usize) {
    metrics::counter!(R::DROPPED).increment(u64::try_from(rows).unwrap_or_default());
}

async fn write_all<R: Row>(pool: PgPool, mut queue: mpsc::Receiver<Message<R>>) {
    let mut messages = Vec::new();
    while queue.recv_many(&mut messages, GROUP).await > 0 {
        let is_urgent = messages.iter().any(|message| matches!(message, Message::Flush(_)));
        if messages.len() < GROUP && !is_urgent {
            tokio::time::sleep(EVERY).await;
        }
        while messages.len() < GROUP
            && let Ok(more) = queue.try_recv()
        {
            messages.push(more);
        }
        let (mut rows, mut flushed) = (Vec::new(), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Row(row) => rows.push(*row),
                Message::Flush(done) => flushed.push(done),
            }
        }
        write(&pool, &rows).await;
        for done in flushed {
            if done.send(()).is_err() {
                tracing::debug!("nobody waits any more until a log is written down");
            }
        }
    }
}

async fn write<R: Row>(pool: &PgPool, rows: &[R]) {
    if rows.is_empty() {
        return;
    }
    let mut waits = AGAIN_AFTER.into_iter();
    while let Err(fault) = R::insert(pool, rows).await {
        tracing::warn!(%fault, count = rows.len(), counter = R::DROPPED, "rows of a log are not written down");
        let Some(wait) = waits.next() else { return dropped::<R>(rows.len()) };
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Line;

    impl Row for Line {
        const DROPPED: &'static str = "lines_dropped_total";

        async fn insert(_: &PgPool, _: &[Self]) -> Result<(), Fault> {
            Ok(())
        }
    }

    #[test]
    fn a_full_queue_drops_and_nobody_waits() {
        let (queue, mut waiting) = mpsc::channel(1);
        let rows = Later { queue };
        for _ in 0..3 {
            rows.write(Line);
        }
        assert!(matches!(waiting.try_recv(), Ok(Message::Row(_))));
        assert!(waiting.try_recv().is_err(), "two were dropped");
    }
}
