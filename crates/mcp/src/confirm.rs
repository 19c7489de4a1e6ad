//! What binds a confirmation to the call that it was asked for: a digest that only this process can
//! have made, good for a while and for one call. Who confirms, and how, is not its matter.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use line_connector_client::{Random as _, SystemRandom};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// How long people may take.
const PATIENCE: Duration = Duration::from_mins(15);
/// How many questions may be open.
const OPEN: usize = 256;

/// The questions that are open.
pub(crate) struct Confirmations {
    secret: u128,
    open: Mutex<HashMap<String, Instant>>,
}

impl Default for Confirmations {
    fn default() -> Self {
        Self {
            secret: SystemRandom.bits(),
            open: Mutex::default(),
        }
    }
}

impl Confirmations {
    /// Opens the question whether this is wanted, and gives its digest.
    pub(crate) fn ask(&self, what: &Value) -> String {
        let digest = self.digest(what);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, since| since.elapsed() < PATIENCE);
        if open.len() >= OPEN {
            let oldest = open.iter().min_by_key(|(_, since)| **since);
            if let Some(oldest) = oldest.map(|(digest, _)| digest.clone()) {
                open.remove(&oldest);
            }
        }
        open.insert(digest.clone(), Instant::now());
        digest
    }

    /// Closes the question, if it was open and about this.
    pub(crate) fn is_answer(&self, digest: &str, what: &Value) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        digest == self.digest(what)
            && open
                .remove(digest)
                .is_some_and(|since| since.elapsed() < PATIENCE)
    }

    fn digest(&self, what: &Value) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret.to_be_bytes());
        hash.update(sorted(what).to_string());
        let mut digest = String::with_capacity(32);
        for byte in hash.finalize().iter().take(16) {
            let _ = write!(digest, "{byte:02x}");
        }
        digest
    }
}

/// The same value with the members of its objects in the order of their names: a repeat may have
/// another.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_good_once_and_for_its_question_alone() {
        let confirmations = Confirmations::default();
        let digest = confirmations.ask(&json!({"a": 1, "b": [{"c": 2, "d": 3}]}));
        assert!(!confirmations.is_answer(&digest, &json!({"a": 1})));
        let reordered = json!({"b": [{"d": 3, "c": 2}], "a": 1});
        assert!(confirmations.is_answer(&digest, &reordered));
        assert!(!confirmations.is_answer(&digest, &reordered), "once");
        assert!(
            !confirmations.is_answer(&confirmations.digest(&json!(1)), &json!(1)),
            "not asked"
        );
    }

    #[test]
    fn the_oldest_question_makes_room() {
        let confirmations = Confirmations::default();
        let first = confirmations.ask(&json!(0));
        for number in 1..=OPEN {
            confirmations.ask(&json!(number));
        }
        assert!(!confirmations.is_answer(&first, &json!(0)));
    }
}
