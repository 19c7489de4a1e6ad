//! The system's time, and threads that wait for it.

use std::sync::{Arc, LazyLock};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};

use line_connector_core::host::Clock;

/// The system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where calls meet the system's time"
)]
impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    fn sleep(&self, pause: Duration) {
        thread::sleep(pause);
    }

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

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
