//! Crash isolation. A panic in one webhook, one delivery or one document costs that one: `contain`.
//! A panic anywhere else ends its thread and with it the receiver, in order; whoever restarts it finds
//! the queue as it was last committed.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::task::Poll;
use std::thread::{Builder, JoinHandle};

use super::metrics::Metrics;

/// Why the receiver should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Somebody asked it to.
    Requested,
    /// Nobody reads its lines any more.
    OutputClosed,
    /// Its lines cannot be written.
    OutputFailed(io::ErrorKind),
    /// Nobody will acknowledge anything any more.
    InputEnded,
    /// A bug: one of its threads has panicked.
    Panicked,
}

/// Starts the receiver's threads, contains panics, and tells the owner when the receiver should end.
#[derive(Clone)]
pub(crate) struct Supervisor {
    shutdown_tx: Sender<ShutdownReason>,
    metrics: Arc<Metrics>,
}

impl Supervisor {
    /// `shutdown_tx` hears why the receiver should end; panics are counted in `metrics`.
    pub(crate) fn new(shutdown_tx: Sender<ShutdownReason>, metrics: Arc<Metrics>) -> Self {
        Self {
            shutdown_tx,
            metrics,
        }
    }

    /// Starts a thread; `stack_bytes` where it needs less than the usual stack.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub(crate) fn spawn(
        &self,
        name: &str,
        stack_bytes: Option<usize>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let mut thread = Builder::new().name(name.to_owned());
        if let Some(bytes) = stack_bytes {
            thread = thread.stack_size(bytes);
        }
        let supervisor = self.clone();
        thread.spawn(move || {
            if supervisor.contain(work).is_none() {
                supervisor.shut_down(ShutdownReason::Panicked);
            }
        })
    }

    /// The receiver can no longer work. Only the first reason counts.
    pub(crate) fn shut_down(&self, reason: ShutdownReason) {
        // Whoever no longer listens is ending already.
        let _ = self.shutdown_tx.send(reason);
    }

    /// Does one piece of work. `None` where it panicked, which is counted; the process's panic hook
    /// tells where that was.
    pub(crate) fn contain<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        // What the work owned is dropped with it. What it shared stays whole: channels, atomic
        // counters, and locks under which nothing is left half done. So nobody sees broken state.
        let result = catch_unwind(AssertUnwindSafe(work));
        if result.is_err() {
            self.metrics.panics.fetch_add(1, Ordering::Relaxed);
        }
        result.ok()
    }

    /// [`Supervisor::contain`] for asynchronous work.
    pub(crate) async fn contain_async<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        // What panicked is not polled again.
        std::future::poll_fn(
            |context| match self.contain(|| work.as_mut().poll(context)) {
                Some(Poll::Pending) => Poll::Pending,
                Some(Poll::Ready(output)) => Poll::Ready(Some(output)),
                None => Poll::Ready(None),
            },
        )
        .await
    }
}
