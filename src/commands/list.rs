//! `list`: the actions and the triggers, all of them or those that have some words, as a table or as
//! JSON.

use line_connector_client::{Catalog, ExitCode};
use line_connector_core::describe;
use serde_json::Value;

use crate::layout::{COLUMNS, cut};
use crate::terminal::{in_one_line, print, say, tell};

/// The members of an entry that name it.
const NAMES: [&str; 4] = ["name", "short", "operation_id", "title"];

/// The members of an entry in which words are looked for.
const SEARCHED: [&str; 8] = [
    "name",
    "short",
    "operation_id",
    "family",
    "title",
    "description",
    "endpoint",
    "event",
];

/// Prints the list of what has every one of the words.
pub(crate) fn list(catalog: &Catalog, json: bool, words: &[String]) -> ExitCode {
    let mut entries = describe::list(catalog);
    if let Some(entries) = entries.as_array_mut() {
        entries.retain(|entry| words.iter().all(|word| has(entry, word, &SEARCHED)));
        // First what is called so, then what only speaks of it.
        entries.sort_by_key(|entry| !words.iter().all(|word| has(entry, word, &NAMES)));
        if entries.is_empty() {
            let words = words.join(" ");
            say(&match catalog.nearest(&words) {
                Some(near) => format!("nothing has `{words}`; did you mean `{near}`?"),
                None => format!("nothing has `{words}`"),
            });
        }
    }
    if json {
        print(&describe::pretty(&entries))
    } else {
        tell(&table(&entries))
    }
}

/// Whether a word, in whatever case, stands in these members of an entry; several words in a name are
/// joined by `_`.
fn has(entry: &Value, word: &str, members: &[&str]) -> bool {
    let word = word.to_lowercase();
    let texts = members.iter().filter_map(|name| entry.get(name)?.as_str());
    texts
        .map(str::to_lowercase)
        .any(|text| text.contains(&word) || text.contains(&word.replace(' ', "_")))
}

fn table(entries: &Value) -> String {
    let entries = entries.as_array().into_iter().flatten();
    let text = |entry: &Value, name: &str| {
        let text = entry.get(name).and_then(Value::as_str);
        text.map(str::to_owned)
    };
    let entries: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let name = text(entry, "short").or_else(|| text(entry, "name"))?;
            Some((name, text(entry, "title")?))
        })
        .collect();
    let width = entries.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or(0);
    let room = COLUMNS.saturating_sub(width + 2).max(20);
    let lines = entries
        .iter()
        .map(|(name, title)| format!("{name:width$}  {}\n", cut(&in_one_line(title), room)));
    lines.collect()
}
