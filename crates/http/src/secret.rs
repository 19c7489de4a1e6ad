//! A string that must not be seen: its `Debug` is a placeholder and it cannot be serialised.
//! What is secret is decided where a value enters (the documents), not here.

use std::fmt;
use std::sync::Arc;

/// A secret value. Shown only through [`Secret::expose`], which is easy to search for. A copy shares
/// the value.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Secret(Arc<str>);

/// What stands in a secret's place wherever text is shown to people.
pub const REDACTED: &str = "[redacted]";

impl Secret {
    /// Takes a value out of sight.
    #[must_use]
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that must send or sign with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_a_placeholder() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("hunter2"))),
            "Some([redacted])"
        );
    }
}
