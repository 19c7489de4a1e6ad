//! Random bits from the operating system.

/// 128 random bits.
///
/// # Panics
///
/// Where the operating system has none to give: no key is better than one that repeats.
#[must_use]
pub fn bits() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a source of randomness");
    u128::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_value_comes_twice() {
        let values: BTreeSet<_> = (0..1000).map(|_| bits()).collect();
        assert_eq!(values.len(), 1000);
    }
}
