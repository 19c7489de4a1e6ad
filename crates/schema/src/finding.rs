//! One thing found in an instance, violation or warning, and how places are named. It decides
//! nothing about what is wrong.

use line_connector_catalog::references::escape;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::detail::Detail;

/// A detail and its weight. Serialised, it travels through the validator as an error's text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    pub(super) warning: bool,
    pub(super) detail: Detail,
    /// The place of the value that this one was compared with: where either is wrong by itself, their
    /// relation is no mistake of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<String>,
}

impl Finding {
    pub(super) fn violation(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            warning: false,
            detail: Detail::new(path, message),
            beside: None,
        }
    }

    pub(super) fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            detail: Detail::new(path, message),
            beside: None,
        }
    }

    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.detail.expected = Some(expected.into());
        self
    }

    pub(super) fn found(mut self, found: impl Into<String>) -> Self {
        self.detail.found = Some(found.into());
        self
    }

    pub(super) fn beside(mut self, path: impl Into<String>) -> Self {
        self.beside = Some(path.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.detail.hint = Some(hint.into());
        self
    }
}

/// The part of a schema that looks at one value and says what it found.
pub(super) type Judge = Box<dyn Fn(&Value) -> Vec<Finding> + Send + Sync>;

/// One step of a JSON pointer, with its slash.
pub(super) fn step(name: &str) -> String {
    format!("/{}", escape(name))
}

/// A value as compact JSON of at most 60 characters.
pub(super) fn shortened(value: &Value) -> String {
    const MAX_SHOWN: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    text.chars().take(MAX_SHOWN - 1).chain(['…']).collect()
}

/// A count and its noun.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {}", plural(noun))
    }
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !noun.ends_with("ey") => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}
