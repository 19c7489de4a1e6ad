//! What can still be checked of an instance that breaks its schema: the same without what is wrong, so
//! that one mistake hides no other.

use serde_json::Value;

use super::detail::Detail;
use super::{Schema, step};

/// The most times that something is taken out.
const MAX_ROUNDS: usize = 50;

/// An instance, as far as it fits its schema.
#[derive(Debug, Clone)]
pub struct Salvaged {
    /// Everything that breaks the schema.
    pub violations: Vec<Detail>,
    /// What is left, which fits the schema.
    pub rest: Value,
    /// Where something was taken out, or put in because it must be there.
    changed: Vec<String>,
}

impl Salvaged {
    /// Whether what was found at a place of the rest may come from a change to the instance.
    #[must_use]
    pub fn is_changed(&self, path: &str) -> bool {
        self.changed
            .iter()
            .any(|changed| is_within(path, changed) || is_within(changed, path))
    }
}

impl Schema {
    /// Checks an instance, and leaves out what is wrong in it. What must be there is taken from
    /// `stand_in`, which fits the schema.
    #[must_use]
    pub fn salvage(&self, instance: &Value, stand_in: &Value) -> Salvaged {
        let violations = self.check(instance).violations;
        let mut salvaged = Salvaged {
            violations: violations.clone(),
            rest: instance.clone(),
            changed: Vec::new(),
        };
        let mut wrong = violations;
        for _ in 0..MAX_ROUNDS {
            if wrong.is_empty() {
                return salvaged;
            }
            for detail in &wrong {
                salvaged.mend(&detail.path, stand_in);
            }
            wrong = self.check(&salvaged.rest).violations;
        }
        salvaged.rest = stand_in.clone();
        salvaged.changed.push(String::new());
        salvaged
    }
}

impl Salvaged {
    /// Takes the value at a place out, or puts what must be there in its place.
    fn mend(&mut self, path: &str, stand_in: &Value) {
        let instead = stand_in.pointer(path);
        if let (Some(Value::Object(there)), Some(Value::Object(needed))) =
            (self.rest.pointer_mut(path), instead)
        {
            let known = there.len();
            for (name, value) in needed {
                if !there.contains_key(name) {
                    there.insert(name.clone(), value.clone());
                    self.changed.push(format!("{path}{}", step(name)));
                }
            }
            if there.len() > known {
                return;
            }
        }
        self.changed.push(path.to_owned());
        if let (Some(there), Some(needed)) = (self.rest.pointer_mut(path), instead) {
            *there = needed.clone();
            return;
        }
        self.remove(path, stand_in);
    }

    /// Takes a member out. Of a list the whole goes: what stands behind an item keeps its place.
    fn remove(&mut self, path: &str, stand_in: &Value) {
        let Some((parent, name)) = path.rsplit_once('/') else {
            self.rest = stand_in.clone();
            return;
        };
        let name = line_connector_catalog::references::unescape(name);
        match self.rest.pointer_mut(parent) {
            Some(Value::Object(members)) => drop(members.shift_remove(&name)),
            _ => self.mend(parent, stand_in),
        }
    }
}

fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
