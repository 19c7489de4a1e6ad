//! Which account sends to whom: weighted rendezvous hashing, so that an account that comes or goes
//! moves nobody between the others.

use sha2::{Digest as _, Sha256};

/// A number in [0, 1) that depends on the texts alone.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are what a double holds"
)]
pub(crate) fn fraction(texts: &[&str]) -> f64 {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    let first = digest
        .finalize()
        .iter()
        .take(8)
        .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    (first >> 11) as f64 / (1u64 << 53) as f64
}

/// An account that may be chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weighted {
    pub(crate) name: String,
    pub(crate) weight: f64,
}

/// The place of the account that sends to a person, among those that are allowed for them; `None`
/// where there is none.
pub(crate) fn choose(
    accounts: &[Weighted],
    id: &str,
    is_allowed: impl Fn(usize) -> bool,
) -> Option<usize> {
    let mut allowed = (0..accounts.len()).filter(|place| {
        is_allowed(*place)
            && accounts
                .get(*place)
                .is_some_and(|account| account.weight > 0.0)
    });
    let first = allowed.next()?;
    let Some(second) = allowed.next() else {
        return Some(first);
    };
    let score = |place: &usize| {
        accounts.get(*place).map_or(0.0, |account| {
            // Between 0 and 1, neither included.
            let drawn = fraction(&[&account.name, id]).max(f64::MIN_POSITIVE);
            -account.weight / drawn.ln()
        })
    };
    [first, second]
        .into_iter()
        .chain(allowed)
        .max_by(|one, other| score(one).total_cmp(&score(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighted(accounts: &[(&str, f64)]) -> Vec<Weighted> {
        let accounts = accounts.iter().map(|(name, weight)| Weighted {
            name: (*name).to_owned(),
            weight: *weight,
        });
        accounts.collect()
    }

    #[test]
    fn weights_are_shares_and_an_account_that_goes_moves_nobody_else() {
        let all = weighted(&[("a", 70.0), ("b", 20.0), ("c", 10.0)]);
        let mut counts = [0u32; 3];
        for number in 0..100_000u32 {
            let id = format!("U{number:032x}");
            let chosen = choose(&all, &id, |_| true).unwrap();
            counts[chosen] += 1;
            let without = choose(&all, &id, |place| place != 2).unwrap();
            assert!(chosen == 2 || chosen == without, "{id} moved");
        }
        for (count, share) in counts.iter().zip([70_000u32, 20_000, 10_000]) {
            assert!(count.abs_diff(share) <= share / 100 + 200, "{counts:?}");
        }
    }

    #[test]
    fn nobody_is_sent_anything_by_an_account_of_weight_0_or_one_that_is_not_allowed() {
        let accounts = weighted(&[("a", 0.0), ("b", 1.0)]);
        assert_eq!(choose(&accounts, "U1", |_| true), Some(1));
        assert_eq!(choose(&accounts, "U1", |place| place == 0), None);
    }
}
