//! Collections of bounded size, so that the memory of a sandbox that runs for days does not grow.

use std::collections::{HashMap, VecDeque};

/// How many bytes a log remembers.
const MAX_LOG_BYTES: usize = 64 * 1024 * 1024;

/// The newest entries, and how many older ones were removed.
#[derive(Debug)]
pub(crate) struct BoundedLog<T> {
    /// Each with about how many bytes it takes.
    entries: VecDeque<(T, usize)>,
    bytes: usize,
    capacity: usize,
    pub(crate) forgotten: u64,
}

impl<T: Clone> BoundedLog<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            capacity,
            forgotten: 0,
        }
    }

    pub(crate) fn push(&mut self, entry: T, bytes: usize) {
        self.entries.push_back((entry, bytes));
        self.bytes += bytes;
        while self.entries.len() > self.capacity || self.bytes > MAX_LOG_BYTES {
            let Some((_, bytes)) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= bytes;
            self.forgotten += 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.forgotten = 0;
    }

    pub(crate) fn to_vec(&self) -> Vec<T> {
        self.entries
            .iter()
            .map(|(entry, _)| entry.clone())
            .collect()
    }
}

/// A map of the newest entries.
#[derive(Debug)]
pub(crate) struct BoundedMap<T> {
    by_key: HashMap<String, T>,
    order: VecDeque<String>,
    capacity: usize,
}

impl<T> BoundedMap<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            by_key: HashMap::new(),
            order: VecDeque::new(),
            capacity,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&T> {
        self.by_key.get(key)
    }

    /// Stores a value; at capacity, the oldest one is removed.
    pub(crate) fn insert(&mut self, key: String, value: T) {
        if self.by_key.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }
}
