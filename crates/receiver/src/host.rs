//! What the receiver needs of its host: the time, randomness, and somebody to tell. It also makes a
//! steady time of the calendar's, which people and servers set.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::notice::Notice;

/// The calendar's time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What the receiver needs of its host.
#[derive(Clone)]
pub struct Host {
    /// Tells the time.
    pub clock: Clock,
    /// 128 random bits, different each time: they spread retries.
    pub random: fn() -> u128,
    /// Tells operators, in one line, what they should know.
    pub tell: fn(&Notice),
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Host {
    /// Random bits for the jitter of a pause.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "any 64 of the random bits do"
    )]
    pub(crate) fn jitter(&self) -> u64 {
        (self.random)() as u64
    }
}

/// The calendar's time as it was at the start, and as much later as has passed since: whoever sets
/// the clock neither stops deliveries nor ages events.
pub(crate) struct SteadyClock {
    started: Instant,
    start: i64,
}

impl SteadyClock {
    /// Starts at what the calendar says now.
    pub(crate) fn new(clock: &Clock) -> Self {
        Self {
            started: Instant::now(),
            start: millis(clock()),
        }
    }

    /// When it was started, milliseconds since 1970.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The time, milliseconds since 1970.
    pub(crate) fn millis(&self) -> i64 {
        self.start
            .saturating_add(whole_millis(self.started.elapsed()))
    }
}

/// A time as milliseconds since 1970, as the queue keeps it; what is before that counts as 1970.
#[must_use]
pub fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A duration as whole milliseconds, small enough to be added to a time.
pub(crate) fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
