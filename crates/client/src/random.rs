//! Random bits from the operating system.

use line_connector_core::host::Random;

/// The operating system's source of randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    ///
    /// Where the operating system has none to give: no key is better than one that repeats.
    fn bits(&self) -> u128 {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has a source of randomness");
        u128::from_ne_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_value_comes_twice() {
        let values: BTreeSet<_> = (0..1000).map(|_| SystemRandom.bits()).collect();
        assert_eq!(values.len(), 1000);
    }
}
