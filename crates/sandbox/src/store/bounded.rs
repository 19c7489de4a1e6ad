//! Collections that keep the newest entries and let older ones go, so that a sandbox that runs for
//! days does not grow.

use std::collections::{HashMap, VecDeque};

/// The newest entries of something, and how many older ones were let go.
#[derive(Debug)]
pub(crate) struct BoundedLog<T> {
    entries: VecDeque<T>,
    keep: usize,
    pub(crate) forgotten: u64,
}

impl<T: Clone> BoundedLog<T> {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            keep,
            forgotten: 0,
        }
    }

    pub(crate) fn push(&mut self, entry: T) {
        self.entries.push_back(entry);
        if self.entries.len() > self.keep {
            self.entries.pop_front();
            self.forgotten += 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.forgotten = 0;
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.entries.iter().cloned().collect()
    }
}

/// The newest of what is asked for by name.
#[derive(Debug)]
pub(crate) struct BoundedMap<T> {
    by_name: HashMap<String, T>,
    order: VecDeque<String>,
    keep: usize,
}

impl<T> BoundedMap<T> {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            by_name: HashMap::new(),
            order: VecDeque::new(),
            keep,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.by_name.get(name)
    }

    /// Puts something in, in the place of what had its name.
    pub(crate) fn put(&mut self, name: String, one: T) {
        if self.by_name.insert(name.clone(), one).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > self.keep
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }
}
