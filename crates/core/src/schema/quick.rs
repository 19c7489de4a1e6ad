//! The quick yes: validators that the build script makes of the embedded actions' input schemas.
//! They say whether anything would be found, at no cost of compiling; what it is, the schemas
//! say.

use serde_json::{Number, Value};

use super::count::{Sizes, Unit};
use super::look::kind;
use super::pattern::Pattern;
use super::{calendar, keyword, rules};

/// Whether the inputs of an embedded action break no rule and deserve no warning; `None` for any
/// other action.
#[must_use]
pub fn accepts(action: &str, inputs: &Value) -> Option<bool> {
    let found = generated::ACTIONS
        .binary_search_by_key(&action, |(name, _)| name)
        .ok()?;
    Some((generated::ACTIONS[found].1)(inputs, &mut Sizes::default()))
}

#[allow(
    clippy::all,
    clippy::pedantic,
    unused_mut,
    unused_parens,
    unused_variables,
    reason = "written by the build script"
)]
mod generated {
    use super::{
        Pattern, Sizes, Unit, Value, are_unique, calendar, has_items, has_number, has_text,
        is_integer, keyword, kind, rule, rules,
    };
    include!(concat!(env!("OUT_DIR"), "/validators.rs"));
}

/// The rule of this name, found while compiling.
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

/// Keywords for texts say nothing about other values.
fn has_text(value: &Value, holds: impl FnOnce(&str) -> bool) -> bool {
    value.as_str().is_none_or(holds)
}

fn has_number(value: &Value, holds: impl FnOnce(f64) -> bool) -> bool {
    value.as_f64().is_none_or(holds)
}

fn has_items(value: &Value, hold: impl FnOnce(&[Value]) -> bool) -> bool {
    value.as_array().is_none_or(|items| hold(items))
}

/// 1.0 is an integer too.
fn is_integer(value: &Value) -> bool {
    let whole = |number: &Number| {
        number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
    };
    value.as_number().is_some_and(whole)
}

fn are_unique(items: &[Value]) -> bool {
    items
        .iter()
        .enumerate()
        .all(|(index, item)| !items[..index].contains(item))
}
