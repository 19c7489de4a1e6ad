//! What is wrong with a member of a document.

use line_connector_text::kind::a_kind_of;
use serde_json::Value;

use crate::error::Detail;
use crate::nearest::nearest;

/// A member of the wrong type, its value not quoted.
#[must_use]
pub fn mistyped(path: &str, expected: &str, found: &Value) -> Detail {
    Detail {
        expected: Some(expected.to_owned()),
        found: Some(a_kind_of(found).to_owned()),
        ..Detail::new(
            path,
            format!("must be {expected}, not {}", a_kind_of(found)),
        )
    }
}

/// A member that is not known, with the nearest one that is.
#[must_use]
pub fn unknown(key: &str, parent: &str, names: &[&str]) -> Detail {
    let key = shortened(key);
    Detail {
        expected: Some(format!("one of {}", names.join(", "))),
        hint: nearest(key, names.iter().copied()).map(|name| format!("did you mean `{name}`?")),
        ..Detail::new(
            format!("{parent}/{key}"),
            format!("`{key}` is not a key here"),
        )
    }
}

/// How many details an output has.
pub(super) const MAX_DETAILS: usize = 100;

/// Adds a detail. Beyond those that are shown it is only counted: to make one may compare many names.
pub(crate) fn add(details: &mut Vec<Detail>, make: impl FnOnce() -> Detail) {
    let is_shown = details.len() < MAX_DETAILS;
    details.push(if is_shown {
        make()
    } else {
        Detail::new("", "")
    });
}

/// How much of a name is quoted, bytes.
const MAX_NAME: usize = 100;

/// The beginning of a name that somebody else chose.
#[must_use]
pub fn shortened(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME)]
}
