//! What operators are told while the receiver works: one notice for each thing that went wrong, so many
//! of a kind a minute, and how many more there were. Nothing that people wrote is in one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// How many notices of a kind are told within a window.
const MAX_TOLD: u32 = 10;
/// After this time a kind is told again, and what was left out is counted.
const WINDOW: Duration = Duration::from_mins(1);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Things are as they should be again.
    Info,
    /// It is tried again, or somebody else's mistake.
    Warning,
    /// Something is lost, or will be, unless somebody acts.
    Error,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// What operators should know, in one line.
#[derive(Debug, Clone)]
pub struct Notice {
    /// How bad it is.
    pub level: Level,
    /// What happened, one of a fixed set of words.
    pub kind: &'static str,
    /// The same for people, in one sentence.
    pub message: String,
    /// What it is about: sequence numbers, ids, addresses, reasons.
    pub members: Map<String, Value>,
}

impl Notice {
    /// A notice about nothing in particular.
    #[must_use]
    pub fn new(level: Level, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            level,
            kind,
            message: message.into(),
            members: Map::new(),
        }
    }

    /// The same with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The sort that is told so often: its kind, and the result where it has one.
    fn sort(&self) -> String {
        let result = self.members.get("result").and_then(Value::as_str);
        result.map_or_else(
            || self.kind.to_owned(),
            |result| format!("{} ({result})", self.kind),
        )
    }
}

/// How often one sort was told since when.
struct Window {
    since: Instant,
    told: u32,
    left_out: u64,
    like: Notice,
}

/// Tells notices, not too many of a sort. Shared by all threads.
pub struct Log {
    tell: fn(&Notice),
    sorts: Mutex<BTreeMap<String, Window>>,
}

impl Log {
    /// Tells by this.
    #[must_use]
    pub fn new(tell: fn(&Notice)) -> Self {
        Self {
            tell,
            sorts: Mutex::default(),
        }
    }

    /// Tells a notice, or counts it where its like was told often enough.
    pub fn tell(&self, notice: &Notice) {
        let mut sorts = self.sorts.lock().unwrap_or_else(PoisonError::into_inner);
        let window = sorts.entry(notice.sort()).or_insert_with(|| Window {
            since: Instant::now(),
            told: 0,
            left_out: 0,
            like: notice.clone(),
        });
        if window.told >= MAX_TOLD {
            window.left_out += 1;
            return;
        }
        window.told += 1;
        drop(sorts);
        (self.tell)(notice);
    }

    /// Tells how many notices were left out, of those sorts whose window is over, or of all at the end.
    pub fn summarise(&self, at_the_end: bool) {
        let mut sorts = self.sorts.lock().unwrap_or_else(PoisonError::into_inner);
        let over = sorts.extract_if(.., |_, window| {
            at_the_end || window.since.elapsed() >= WINDOW
        });
        let over: Vec<_> = over.filter(|(_, window)| window.left_out > 0).collect();
        drop(sorts);
        for (sort, Window { left_out, like, .. }) in over {
            let message = format!("{left_out} more of {sort} were not told one by one");
            let mut notice =
                Notice::new(like.level, like.kind, message).with("suppressed", left_out);
            if let Some(result) = like.members.get("result") {
                notice = notice.with("result", result.clone());
            }
            (self.tell)(&notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static TOLD: RefCell<Vec<(&'static str, Option<u64>)>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn a_flood_of_one_sort_is_counted_and_hides_no_other() {
        let log = Log::new(|notice| {
            let suppressed = notice.members.get("suppressed").and_then(Value::as_u64);
            TOLD.with_borrow_mut(|told| told.push((notice.kind, suppressed)));
        });
        let of = |result: &str| Notice::new(Level::Warning, "refused", "no").with("result", result);
        for _ in 0..1_000 {
            log.tell(&of("unsigned"));
        }
        log.tell(&of("too_large"));
        log.tell(&Notice::new(Level::Error, "given_up", "it was"));
        log.summarise(false);
        log.summarise(true);
        log.summarise(true);
        let mut expected = vec![("refused", None); 11];
        expected.push(("given_up", None));
        expected.push(("refused", Some(990)));
        assert_eq!(TOLD.take(), expected);
    }
}
