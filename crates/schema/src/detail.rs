//! One place that is wrong, and how it is told.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// One place that is wrong, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Detail {
    /// JSON pointer into the inputs (or the part of the document that `message` names); empty for
    /// the whole. LINE's own details keep LINE's path style.
    pub path: String,
    /// What is wrong there, a fragment for people.
    pub message: String,
    /// What would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What stands there, shortened; absent for secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Detail {
    /// A detail with a place and a message.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            expected: None,
            found: None,
            hint: None,
        }
    }

    /// It all in a line: where, what, what would be right and what stands there, as far as the message
    /// does not say so itself, and what to do.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut text = match &*self.path {
            "" => self.message.clone(),
            path => format!("{path}: {}", self.message),
        };
        let hint = self.hint.as_deref().unwrap_or_default();
        for (label, value) in [("expected", &self.expected), ("found", &self.found)] {
            if let Some(value) = value
                && !self.message.contains(value)
                && !hint.contains(value)
            {
                let _ = write!(text, "; {label}: {value}");
            }
        }
        if !hint.is_empty() {
            let _ = write!(text, " ({hint})");
        }
        text
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(formatter, " ({hint})")?;
        }
        Ok(())
    }
}
