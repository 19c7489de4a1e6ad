//! The keywords that LINE's limits need beyond JSON Schema, each made from its value into a judge.
//! `x-warn` is not here: it holds a schema, which only the validator can compile.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::access::{items, member, text};
use super::calendar;
use super::finding::{Finding, Judge, counted, shortened, step};
use super::length::{Unit, json_bytes};
use super::rules;

/// What is said of a property that must not be there.
pub(crate) const REFUSED: &str = "must not be here";

/// The keywords made here.
pub(crate) const NAMES: [&str; 10] = [
    "maxLength",
    "minLength",
    "uniqueItems",
    "x-refuse",
    "x-maxJsonKilobytes",
    "x-exactlyOne",
    "x-ascending",
    "x-ordered",
    "x-maxDays",
    "x-rules",
];

/// The judge that `keyword` with `value` makes, `parent` being the schema it stands in.
pub(crate) fn make(
    keyword: &str,
    parent: &Map<String, Value>,
    value: &Value,
) -> Result<Judge, String> {
    let broken = || format!("`{keyword}` cannot be {}", shortened(value));
    match keyword {
        "maxLength" => Ok(max_length(number(value).ok_or_else(broken)?, unit(parent)?)),
        "minLength" => Ok(min_length(number(value).ok_or_else(broken)?, unit(parent)?)),
        "uniqueItems" => Ok(unique_items(value.as_bool().ok_or_else(broken)?)),
        "x-maxJsonKilobytes" => Ok(max_json(number(value).ok_or_else(broken)?)),
        "x-refuse" => Ok(refuse(value.as_str().ok_or_else(broken)?)),
        "x-exactlyOne" => Ok(exactly_one(names(value).ok_or_else(broken)?)),
        "x-ascending" => match names(value).as_deref() {
            Some([low, high]) => Ok(ascending(low.clone(), high.clone())),
            _ => Err(broken()),
        },
        "x-ordered" => match names(value).as_deref() {
            Some([low, high]) => Ok(ordered(low.clone(), high.clone())),
            _ => Err(broken()),
        },
        "x-maxDays" => match value.as_array().map(Vec::as_slice) {
            Some([Value::String(from), Value::String(to), days]) => Ok(max_days(
                from.clone(),
                to.clone(),
                days.as_i64().ok_or_else(broken)?,
            )),
            _ => Err(broken()),
        },
        "x-rules" => {
            let most = parent.get("maxItems").and_then(number);
            rules::named(&names(value).ok_or_else(broken)?, most)
        }
        _ => Err(format!("`{keyword}` is no keyword")),
    }
}

fn number(value: &Value) -> Option<usize> {
    value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
}

fn names(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect()
}

fn unit(parent: &Map<String, Value>) -> Result<Unit, String> {
    match parent.get("x-unit").map(Value::as_str) {
        None => Ok(Unit::Utf16),
        Some(Some("graphemes")) => Ok(Unit::Graphemes),
        Some(_) => Err("`x-unit` can only be `graphemes`".into()),
    }
}

/// Whether a text is certainly not longer than `most`.
#[must_use]
pub fn fits(text: &str, most: usize, unit: Unit) -> bool {
    // No way of counting gives more than the bytes of UTF-8.
    text.len() <= most
        || match unit {
            Unit::Utf16 => unit.count(text) <= most,
            // Graphemes have at least one code point each.
            Unit::Graphemes => text.chars().count() <= most,
        }
}

fn max_length(most: usize, unit: Unit) -> Judge {
    Box::new(move |instance| {
        let Some(text) = instance.as_str().filter(|text| !fits(text, most, unit)) else {
            return Vec::new();
        };
        let limit = counted(most, unit.noun());
        let count = unit.count(text);
        if count > most {
            let finding = Finding::violation("", format!("is longer than {limit}"))
                .expected(format!("at most {limit}"))
                .found(counted(count, unit.noun()));
            return vec![finding];
        }
        let points = text.chars().count();
        let finding = Finding::warning("", format!("may be longer than {limit}"))
            .expected(format!("at most {limit}"))
            .found(format!("{}, {points} code points", counted(count, unit.noun())))
            .hint("LINE says that it counts what people see as one character, but was seen to count code points");
        vec![finding]
    })
}

/// Whether a text is not shorter than `least`.
#[must_use]
pub fn fills(text: &str, least: usize, unit: Unit) -> bool {
    text.len() >= least * 4 || unit.count(text) >= least
}

fn min_length(least: usize, unit: Unit) -> Judge {
    Box::new(move |instance| match instance.as_str() {
        Some(text) if !fills(text, least, unit) => {
            let limit = counted(least, unit.noun());
            let message = match text {
                "" => "is empty".to_owned(),
                _ => format!("is shorter than {limit}"),
            };
            vec![
                Finding::violation("", message)
                    .expected(format!("at least {limit}"))
                    .found(counted(unit.count(text), unit.noun())),
            ]
        }
        _ => Vec::new(),
    })
}

/// Whether no item is there twice.
#[must_use]
pub fn are_unique(items: &[Value]) -> bool {
    let mut seen = HashSet::new();
    items.iter().all(|item| seen.insert(item))
}

fn unique_items(is_wanted: bool) -> Judge {
    Box::new(move |instance| {
        if !is_wanted || are_unique(items(instance)) {
            return Vec::new();
        }
        vec![Finding::violation("", "has the same item twice").found(shortened(instance))]
    })
}

fn max_json(kilobytes: usize) -> Judge {
    Box::new(move |instance| {
        let bytes = json_bytes(instance);
        if bytes <= kilobytes * 1000 {
            return Vec::new();
        }
        let found = format!("{bytes} bytes");
        let expected = format!("at most {kilobytes} KB of JSON");
        if bytes > kilobytes * 1024 {
            let message = format!("is larger than {kilobytes} KB as JSON");
            vec![
                Finding::violation("", message)
                    .expected(expected)
                    .found(found),
            ]
        } else {
            let message = format!("may be larger than {kilobytes} KB as JSON");
            vec![
                Finding::warning("", message)
                    .expected(expected)
                    .found(found)
                    .hint("LINE does not say whether its KB has 1000 or 1024 bytes"),
            ]
        }
    })
}

fn refuse(instead: &str) -> Judge {
    let instead = instead.to_owned();
    Box::new(move |_| vec![Finding::violation("", REFUSED).hint(instead.clone())])
}

/// Whether exactly one of the properties is there.
#[must_use]
pub fn has_one(value: &Value, names: &[&str]) -> bool {
    value
        .as_object()
        .is_none_or(|object| standing(object, names.iter().copied()).len() == 1)
}

/// Those of the properties that are there. `null` and an empty text count beside no other: forms send all
/// fields.
fn standing<'n>(object: &Map<String, Value>, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut present: Vec<&str> = names.filter(|name| object.contains_key(*name)).collect();
    if present.len() > 1 {
        present.retain(|name| {
            object
                .get(*name)
                .is_some_and(|value| !value.is_null() && value != "")
        });
    }
    present
}

fn exactly_one(names: Vec<String>) -> Judge {
    Box::new(move |instance| {
        let Some(object) = instance.as_object() else {
            return Vec::new();
        };
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let quoted = |names: &[&str]| format!("`{}`", names.join("`, `"));
        let standing = standing(object, all.iter().copied());
        let message = match standing.as_slice() {
            [_] => return Vec::new(),
            [] => format!("has none of {}", quoted(&all)),
            several => format!("has {} together", quoted(several)),
        };
        let expected = format!("exactly one of {}", quoted(&all));
        vec![Finding::violation("", message).expected(expected)]
    })
}

/// Whether the property `high` comes after the property `low`, as far as both can be compared.
#[must_use]
pub fn ascends(value: &Value, low: &str, high: &str) -> bool {
    match (member(value, low), member(value, high)) {
        (Some(low), Some(high)) => !matches!(
            compare(low, high),
            Some(Ordering::Equal | Ordering::Greater)
        ),
        _ => true,
    }
}

/// Whether the property `high` does not come before the property `low`, as far as both can be compared.
#[must_use]
pub fn is_ordered(value: &Value, low: &str, high: &str) -> bool {
    match (member(value, low), member(value, high)) {
        (Some(low), Some(high)) => compare(low, high) != Some(Ordering::Greater),
        _ => true,
    }
}

fn ordered(low: String, high: String) -> Judge {
    Box::new(move |instance| {
        let (Some(first), Some(second)) = (member(instance, &low), member(instance, &high)) else {
            return Vec::new();
        };
        if is_ordered(instance, &low, &high) {
            return Vec::new();
        }
        vec![
            Finding::violation(step(&high), format!("comes before `{low}`"))
                .expected(format!("{} or later", shortened(first)))
                .found(shortened(second))
                .beside(step(&low)),
        ]
    })
}

/// Whether the day `to` is at most so many days after the day `from`, as far as both are days.
#[must_use]
pub fn is_within_days(value: &Value, from: &str, to: &str, days: i64) -> bool {
    days_apart(value, from, to).is_none_or(|apart| apart <= days)
}

fn days_apart(value: &Value, from: &str, to: &str) -> Option<i64> {
    let day = |name: &str| calendar::compact_day(text(value, name)?);
    Some((day(to)? - day(from)?).whole_days())
}

fn max_days(from: String, to: String, days: i64) -> Judge {
    Box::new(move |instance| {
        let Some(apart) = days_apart(instance, &from, &to).filter(|apart| *apart > days) else {
            return Vec::new();
        };
        vec![
            Finding::violation(
                step(&to),
                format!("is more than {days} days after `{from}`"),
            )
            .expected(format!("`{from}` or up to {days} days later"))
            .found(format!("{apart} days later"))
            .beside(step(&from)),
        ]
    })
}

fn ascending(low: String, high: String) -> Judge {
    Box::new(move |instance| {
        let (Some(first), Some(second)) = (member(instance, &low), member(instance, &high)) else {
            return Vec::new();
        };
        if ascends(instance, &low, &high) {
            return Vec::new();
        }
        vec![
            Finding::violation(step(&high), format!("does not come after `{low}`"))
                .expected(format!("more than {}", shortened(first)))
                .found(shortened(second))
                .beside(step(&low)),
        ]
    })
}

/// Compares numbers as numbers, `age_5` and `age_10` by their number, and other texts (dates and
/// times among them) by their letters without regard to case. Values of two kinds do not compare.
fn compare(first: &Value, second: &Value) -> Option<Ordering> {
    if let (Some(first), Some(second)) = (first.as_f64(), second.as_f64()) {
        return first.partial_cmp(&second);
    }
    let (first, second) = (first.as_str()?, second.as_str()?);
    let numbered = |text: &str| -> Option<(String, u64)> {
        let (prefix, number) = text.rsplit_once('_')?;
        Some((prefix.to_owned(), number.parse().ok()?))
    };
    match (numbered(first), numbered(second)) {
        (Some(first), Some(second)) => (first.0 == second.0).then(|| first.1.cmp(&second.1)),
        (None, None) if first.len() == second.len() => {
            Some(first.to_ascii_uppercase().cmp(&second.to_ascii_uppercase()))
        }
        _ => None,
    }
}
