//! Exponential backoff: how long to pause after failures in a row, and what a server asks for. It
//! waits for nothing.

use std::time::Duration;

use line_connector_http::Reply;

/// The bound of the pause after so many failures in a row: `first` after one, doubled after each
/// further one, and never over `most`.
#[must_use]
pub fn bound(first: Duration, failures: u32, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    first.saturating_mul(1 << doublings).min(most)
}

/// A pause between half and all of its [`bound`], so that many callers do not come back at once.
/// `random` is uniform over its type.
#[must_use]
pub fn jittered(
    first: Duration,
    failures: u32,
    most: Duration,
    random: impl FnOnce() -> u64,
) -> Duration {
    let half = bound(first, failures, most) / 2;
    let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(random() % spread)
}

/// The `Retry-After` of a reply, where it gives seconds.
#[must_use]
pub fn retry_after(reply: &Reply) -> Option<Duration> {
    let seconds = reply.headers.get("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_most() {
        let (first, most) = (Duration::from_secs(2), Duration::from_mins(5));
        for (failures, seconds) in [(0, 2), (1, 2), (2, 4), (8, 256), (9, 300), (u32::MAX, 300)] {
            assert_eq!(bound(first, failures, most).as_secs(), seconds);
        }
        assert_eq!(bound(Duration::MAX, 2, Duration::MAX), Duration::MAX);
        assert_eq!(bound(most, 1, first), first);
    }
}
