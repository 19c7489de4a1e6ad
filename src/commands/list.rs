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

fn table(catalog: &Catalog) -> String {
    let actions = catalog.entries().into_iter();
    let actions = actions.map(|entry| (entry.name, entry.title));
    let triggers = catalog.triggers().events.into_iter();
    let triggers = triggers.map(|trigger| (trigger.name, trigger.title));
    let entries: Vec<(String, String)> = actions.chain(triggers).collect();
    let width = entries.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or(0);
    let lines = entries
        .iter()
        .map(|(name, title)| format!("{name:width$}  {title}\n"));
    lines.collect()
}
