//! How long to pause after failures in a row, at most: twice as long after each. It spreads nothing
//! and waits for nothing.

use std::time::Duration;

/// The bound of the pause after so many failures in a row: `first` after one, and never over `most`.
pub(crate) fn bound(first: Duration, failures: u32, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    first.saturating_mul(1 << doublings).min(most)
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
