//! The friends of the account. Those from the start are just a number; only changes since are stored.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::ids::person_number;
use crate::settings::Settings;

/// Who added or blocked the account since the start.
#[derive(Debug, Default)]
pub(crate) struct Friends {
    /// Whether someone who added or blocked the account is a friend now.
    changed: HashMap<String, bool>,
    /// Those who were no friends at the start, in the order in which they first added the account.
    new: Vec<String>,
    is_new: HashSet<String>,
    /// The profiles that `follow` events described.
    profiles: HashMap<String, Value>,
}

impl Friends {
    /// Someone adds the account.
    pub(crate) fn add(&mut self, settings: &Settings, id: String, profile: Option<Value>) {
        self.profiles
            .extend(profile.map(|profile| (id.clone(), profile)));
        self.changed.insert(id.clone(), true);
        if !is_old_friend(settings, &id) && self.is_new.insert(id.clone()) {
            self.new.push(id);
        }
    }

    /// Someone blocks the account.
    pub(crate) fn remove(&mut self, id: String) {
        self.changed.insert(id, false);
    }

    /// Whether someone has blocked the account.
    pub(crate) fn has_left(&self, id: &str) -> bool {
        self.changed.get(id) == Some(&false)
    }

    /// Whether someone is a friend and has not blocked the account.
    pub(crate) fn contains(&self, settings: &Settings, id: &str) -> bool {
        let changed = self.changed.get(id);
        changed.map_or_else(|| is_old_friend(settings, id), |is_one| *is_one)
    }

    /// How many friends there are.
    pub(crate) fn count(&self, settings: &Settings) -> u64 {
        let mut count = settings.friends;
        for (id, is_one) in &self.changed {
            let is_numbered = person_number(id).is_some_and(|number| number < settings.friends);
            match (is_numbered, is_one) {
                (true, false) => count = count.saturating_sub(1),
                (false, true) => count += 1,
                _ => {}
            }
        }
        count
    }

    /// The user IDs of those who were no friends at the start, in the order in which they first added
    /// the account.
    pub(crate) fn newcomers(&self) -> &[String] {
        &self.new
    }

    /// The profile that a `follow` event described.
    pub(crate) fn profile(&self, id: &str) -> Option<&Value> {
        self.profiles.get(id)
    }
}

/// Whether someone was a friend at the start.
fn is_old_friend(settings: &Settings, id: &str) -> bool {
    let is_numbered = person_number(id).is_some_and(|number| number < settings.friends);
    is_numbered && !settings.unreachable.contains(id)
}
