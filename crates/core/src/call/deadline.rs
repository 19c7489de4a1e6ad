//! The end of a call's time: no wait of any kind goes beyond it.

use std::time::Duration;

use crate::host::Clock;

/// When a call must have ended, by the monotonic clock.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Duration);

impl Deadline {
    /// So long from now on.
    pub(super) fn after(clock: &dyn Clock, time_ms: u64) -> Self {
        Self(
            clock
                .monotonic()
                .saturating_add(Duration::from_millis(time_ms)),
        )
    }

    /// What is left of the time; zero where it is up.
    pub(super) fn left(self, clock: &dyn Clock) -> Duration {
        self.0.saturating_sub(clock.monotonic())
    }

    /// The same in whole milliseconds, for a call that belongs to this one.
    pub(super) fn left_ms(self, clock: &dyn Clock) -> u64 {
        u64::try_from(self.left(clock).as_millis()).unwrap_or(u64::MAX)
    }
}
