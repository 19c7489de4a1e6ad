//! Places as the caller wrote them: an input that stood flat is named flat, wherever it was bound to.

use serde_json::{Map, Value};

use crate::documents::Output;
use crate::request;

/// What stood where.
pub(super) struct Places {
    /// The inputs that stood in no section.
    flat: Vec<String>,
    /// The sections that were written.
    sections: Vec<String>,
}

impl Places {
    /// How these inputs are written.
    pub(super) fn of(inputs: &Map<String, Value>) -> Self {
        let (sections, flat) = inputs
            .keys()
            .cloned()
            .partition(|name| request::is_section(name));
        Self { flat, sections }
    }

    /// Names the places of an output as they were written.
    pub(super) fn restore(&self, output: &mut Output) {
        let details = output.error.iter_mut().flat_map(|error| &mut error.details);
        let mut paths: Vec<&mut String> = details.map(|detail| &mut detail.path).collect();
        if let Some(meta) = &mut output.meta {
            paths.extend(meta.warnings.iter_mut().map(|warning| &mut warning.path));
            paths.extend(meta.composed.iter_mut().map(|change| &mut change.path));
        }
        for path in paths {
            if let Some(short) = self.flat(path) {
                *path = short;
            }
        }
    }

    /// A place without its section, where that was not written.
    fn flat(&self, path: &str) -> Option<String> {
        let inside = path.strip_prefix('/')?;
        let (section, rest) = inside.split_once('/').unwrap_or((inside, ""));
        if !request::is_section(section) {
            return None;
        }
        if rest.is_empty() {
            // Headers have no flat form that anybody writes.
            let is_written = self.sections.iter().any(|name| name == section);
            return (!is_written && section != "headers").then(String::new);
        }
        let name = rest.split('/').next().unwrap_or_default();
        let is_flat = self.flat.iter().any(|flat| flat == name);
        is_flat.then(|| format!("/{rest}"))
    }
}
