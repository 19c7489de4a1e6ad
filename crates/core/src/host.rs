//! What a call needs of the world: connections, time, randomness, files, tokens. The core has no
//! implementation of its own; `line-connector-client` brings the native ones, tests and WebAssembly
//! hosts bring theirs.

use std::io::{self, Write};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use line_connector_catalog::definition::Defaults;
use line_connector_http::Transport;

use crate::asset::{Network, Operator};
use crate::auth::{Store, TokenIssuer};
use crate::error::Error;
use crate::media::Probe;

/// The world of a [`Pipeline`](crate::call::Pipeline).
pub struct Host {
    /// Opens connections.
    pub network: Box<dyn Connect>,
    /// Tells the time and lets it pass.
    pub clock: Box<dyn Clock>,
    /// Random bits.
    pub random: Box<dyn Random>,
    /// The files that documents and assets name.
    pub files: Box<dyn Files>,
    /// The media that messages name.
    pub media: Box<dyn Media>,
    /// Issues channel access tokens.
    pub issuer: Box<dyn TokenIssuer>,
    /// Keeps tokens for other processes; `None` keeps them to this one.
    pub token_store: Option<Box<dyn Store>>,
    /// The operator's asset parameters at the start.
    pub operator: Operator,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Opens the way to LINE.
pub trait Connect: Send + Sync {
    /// The transport of one call, for assets with these network settings. A file that a document names is
    /// one of `files`.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidAsset`](crate::error::Kind::InvalidAsset) where the settings cannot be used.
    fn transport(
        &self,
        network: &Network,
        defaults: &Defaults,
        files: &dyn Files,
    ) -> Result<Arc<dyn Transport>, Error>;
}

/// One transport for every asset, such as a sandbox in memory.
impl Connect for Arc<dyn Transport> {
    fn transport(
        &self,
        _: &Network,
        _: &Defaults,
        _: &dyn Files,
    ) -> Result<Arc<dyn Transport>, Error> {
        Ok(Arc::clone(self))
    }
}

/// Time, read and let pass.
pub trait Clock: Send + Sync {
    /// The calendar's time.
    fn now(&self) -> SystemTime;

    /// Time since any fixed moment; it never goes back.
    fn monotonic(&self) -> Duration;

    /// Lets time pass.
    fn sleep(&self, pause: Duration);

    /// Wakes the calling thread out of [`Clock::park`].
    fn waker(&self) -> Waker;

    /// Waits until the calling thread is woken, or for so long. It may return early.
    fn park(&self, at_most: Option<Duration>);
}

/// Randomness for retry keys, boundaries and jitter.
pub trait Random: Send + Sync {
    /// 128 random bits, different each time.
    fn bits(&self) -> u128;
}

/// Files, by the path that a document gives. Whoever writes documents may be anybody: an
/// implementation opens only what the operator allows.
pub trait Files: Send + Sync {
    /// The content of a file of at most so many bytes.
    ///
    /// # Errors
    ///
    /// Where it cannot be read: [`io::ErrorKind::PermissionDenied`] where the operator has not
    /// allowed it, [`io::ErrorKind::FileTooLarge`] where there is more.
    fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>>;

    /// Begins a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be created, or exists and is not to be overwritten:
    /// [`io::ErrorKind::PermissionDenied`] where the operator has not allowed it.
    fn create(&self, path: &str, overwrite: bool) -> io::Result<Box<dyn NewFile>>;
}

/// Media on the web, by the URL that a message gives. Whoever writes messages may be anybody: an
/// implementation looks at nothing that only the operator can reach.
pub trait Media: Send + Sync {
    /// Sees the beginning of what a URL leads to, in so much time at most.
    ///
    /// # Errors
    ///
    /// Why it cannot be fetched, in words.
    fn probe(&self, url: &str, most: Duration) -> Result<Probe, String>;
}

/// A file that is being written, and is not there under its name until it is kept. Dropped, it
/// leaves nothing behind.
pub trait NewFile: Write {
    /// Makes the file appear under its name, whole.
    ///
    /// # Errors
    ///
    /// Where the system cannot do it; nothing is left behind then.
    fn keep(self: Box<Self>) -> io::Result<()>;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;
    use std::task::Wake;
    use std::thread::{self, Thread};
    use std::time::Instant;

    use super::*;

    /// The threads' own time, for tests of waiting.
    pub(crate) struct ThreadClock;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    impl Clock for ThreadClock {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            static START: LazyLock<Instant> = LazyLock::new(Instant::now);
            START.elapsed()
        }

        fn sleep(&self, _: Duration) {}

        fn waker(&self) -> Waker {
            Arc::new(Unpark(thread::current())).into()
        }

        fn park(&self, at_most: Option<Duration>) {
            match at_most {
                Some(pause) => thread::park_timeout(pause),
                None => thread::park(),
            }
        }
    }
}
