//! Fast path for valid input: validators generated at build time from the embedded actions' input
//! schemas. They answer yes or no; only rejected input pays to compile the schema and explain.

use serde_json::{Number, Value};

pub(crate) use line_connector_schema::MISSING;
use line_connector_schema::access::kind;
pub(crate) use line_connector_schema::calendar::first_day_after;
pub use line_connector_schema::{Findings, Salvaged, Schema};
use line_connector_schema::{calendar, keyword, rules};
use line_connector_text::length::{Sizes, Unit};
use pattern::Pattern;

mod pattern;

/// Whether the inputs of an embedded action are valid and cause no warning; `None` for any other
/// action, which has no generated validator.
#[must_use]
pub fn accepts(action: &str, inputs: &Value) -> Option<bool> {
    let found = validators::ACTIONS
        .binary_search_by_key(&action, |(name, _)| name)
        .ok()?;
    Some((validators::ACTIONS[found].1)(
        inputs,
        &mut Sizes::default(),
    ))
}

#[allow(
    clippy::all,
    clippy::pedantic,
    unused_mut,
    unused_parens,
    unused_variables,
    reason = "written by the build script"
)]
mod validators {
    use super::{
        Pattern, Sizes, Unit, Value, calendar, has_items, has_number, has_text, is_integer,
        keyword, kind, rule, rules,
    };
    include!(concat!(env!("OUT_DIR"), "/validators.rs"));
}

/// The rule of this name, looked up at compile time.
const fn rule(name: &str) -> rules::Rule {
    let mut index = 0;
    while index < rules::RULES.len() {
        if same(rules::RULES[index].0.as_bytes(), name.as_bytes()) {
            return rules::RULES[index].1;
        }
        index += 1;
    }
    panic!("no rule has this name")
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    let mut index = 0;
    while index < left.len() && index < right.len() && left[index] == right[index] {
        index += 1;
    }
    index == left.len() && index == right.len()
}

/// Keywords for strings ignore other types.
fn has_text(value: &Value, holds: impl FnOnce(&str) -> bool) -> bool {
    value.as_str().is_none_or(holds)
}

fn has_number(value: &Value, holds: impl FnOnce(f64) -> bool) -> bool {
    value.as_f64().is_none_or(holds)
}

fn has_items(value: &Value, hold: impl FnOnce(&[Value]) -> bool) -> bool {
    value.as_array().is_none_or(|items| hold(items))
}

/// JSON Schema counts 1.0 as an integer.
fn is_integer(value: &Value) -> bool {
    let whole = |number: &Number| {
        number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
    };
    value.as_number().is_some_and(whole)
}
