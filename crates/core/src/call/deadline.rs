//! The end of a call: its time is up, or the caller has given it up. No wait of any kind goes beyond
//! it, and nothing is begun after it. Until then the caller hears what is waited for.

use std::time::Duration;

use crate::documents::Options;
use crate::error::{Error, Kind};
use crate::handle::Handle;
use crate::host::Clock;

/// When a call must have ended, by the monotonic clock, and who may end it before.
#[derive(Clone)]
pub(super) struct Deadline {
    at: Duration,
    handle: Option<Handle>,
}

impl Deadline {
    /// The end of a call that begins now; `default_ms` holds where its options name no time.
    pub(super) fn of(options: &Options, default_ms: u64, clock: &dyn Clock) -> Self {
        let time = Duration::from_millis(options.deadline_ms.unwrap_or(default_ms));
        Self {
            at: clock.monotonic().saturating_add(time),
            handle: options.handle.clone(),
        }
    }

    /// What is left of the time; zero where it is up.
    pub(super) fn left(&self, clock: &dyn Clock) -> Duration {
        if self.is_cancelled() {
            return Duration::ZERO;
        }
        self.at.saturating_sub(clock.monotonic())
    }

    /// Lets a call that belongs to this one end with it.
    pub(super) fn hand_to(&self, options: &mut Options, clock: &dyn Clock) {
        let left = u64::try_from(self.left(clock).as_millis());
        options.deadline_ms = Some(left.unwrap_or(u64::MAX));
        options.handle.clone_from(&self.handle);
    }

    /// The caller's hold on the call.
    pub(super) fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// Tells the caller the next step, if it listens.
    pub(super) fn tell(&self, step: impl FnOnce() -> String) {
        if let Some(handle) = &self.handle {
            handle.tell(step);
        }
    }

    /// Whether the caller has given the call up.
    pub(super) fn is_cancelled(&self) -> bool {
        self.handle.as_ref().is_some_and(Handle::is_cancelled)
    }

    /// # Errors
    ///
    /// [`Kind::Cancelled`] where the caller has given the call up.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.is_cancelled() {
            return Err(Error::new(
                Kind::Cancelled,
                "the caller gave the call up before it was done",
            ));
        }
        Ok(())
    }

    /// Why the call goes no further: the caller's will, or else this.
    pub(super) fn reason(&self, otherwise: Error) -> Error {
        self.check().err().unwrap_or(otherwise)
    }
}
