//! A hold on a call under way, for whoever made it: to give the call up. What that means for the call is
//! `call::deadline`'s matter.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A hold on one call, shared by its copies: [`Options::handle`](crate::documents::Options::handle)
/// has one of them.
#[derive(Clone, Default)]
pub struct Handle(Arc<State>);

#[derive(Default)]
struct State {
    cancelled: AtomicBool,
}

impl Handle {
    /// Gives the call up. The request that is on its way to LINE is finished, so that its effect is
    /// known; nothing is begun after it: no attempt, page, question or further request, and no wait.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
    }

    /// Whether the call was given up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Handle").finish_non_exhaustive()
    }
}
