//! A hold on a call under way, for whoever made it: to give the call up, and to hear how far it has come.
//! What giving up means for the call is `call::deadline`'s matter.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A hold on one call, shared by its copies: [`Options::handle`](crate::documents::Options::handle)
/// has one of them.
#[derive(Clone, Default)]
pub struct Handle(Arc<State>);

/// Is told steps.
type Listener = dyn Fn(&str) + Send + Sync;

#[derive(Default)]
struct State {
    cancelled: AtomicBool,
    listener: Option<Box<Listener>>,
}

impl Handle {
    /// A hold whose listener is told each step of the call that takes time, or one of many: a short text
    /// for people, without secrets. It is called by the thread that makes the call, and should not keep it.
    #[must_use]
    pub fn listening(listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(State {
            cancelled: AtomicBool::new(false),
            listener: Some(Box::new(listener)),
        }))
    }

    /// Tells the next step, if anybody listens.
    pub(crate) fn tell(&self, step: impl FnOnce() -> String) {
        if let Some(listener) = &self.0.listener {
            listener(&step());
        }
    }

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
