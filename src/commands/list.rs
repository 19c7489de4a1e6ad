//! `list`: the actions and the triggers, as a table or as JSON.

use line_connector_client::{Catalog, ExitCode};
use line_connector_core::describe;

use crate::terminal::print;

/// Prints the list.
pub(crate) fn list(catalog: &Catalog, json: bool) -> ExitCode {
    if json {
        print(&describe::pretty(&describe::list(catalog)))
    } else {
        print(&table(catalog))
    }
}

/// The columns of a terminal that nobody has widened.
const COLUMNS: usize = 80;

fn table(catalog: &Catalog) -> String {
    let actions = catalog.entries().into_iter();
    let actions = actions.map(|entry| (entry.short, entry.title));
    let triggers = catalog.triggers().events.into_iter();
    let triggers = triggers.map(|trigger| (trigger.name, trigger.title));
    let entries: Vec<(String, String)> = actions.chain(triggers).collect();
    let width = entries.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or(0);
    let room = COLUMNS.saturating_sub(width + 2).max(20);
    let lines = entries
        .iter()
        .map(|(name, title)| format!("{name:width$}  {}\n", cut(title, room)));
    lines.collect()
}

/// At most so many characters, the last of them `…` where there were more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
