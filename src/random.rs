//! Random bits from the operating system, asked for some calls at once: to ask anew in each would be
//! a fortieth of what a call costs.

use std::cell::RefCell;

use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// How many values a thread keeps at most.
const AHEAD: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

/// 128 random bits, which nobody else gets.
#[must_use]
pub fn bits() -> u128 {
    let next = KEPT.with_borrow_mut(|kept| {
        if kept.is_empty() {
            fill(kept);
        }
        kept.pop()
    });
    // Where nothing could be had, this ends the process: no key is better than one that repeats.
    next.unwrap_or_else(|| Uuid::new_v4().as_u128())
}

fn fill(kept: &mut Vec<u128>) {
    let mut bytes = [0; AHEAD * size_of::<u128>()];
    if SystemRandom::new().fill(&mut bytes).is_ok() {
        let (values, _) = bytes.as_chunks();
        kept.extend(values.iter().copied().map(u128::from_ne_bytes));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    #[test]
    fn no_value_comes_twice() {
        let some = || (0..10 * AHEAD).map(|_| bits()).collect::<Vec<_>>();
        let others = thread::spawn(some);
        let mut values = some();
        values.extend(others.join().unwrap());
        let distinct: BTreeSet<_> = values.iter().collect();
        assert_eq!(distinct.len(), values.len());
    }
}
