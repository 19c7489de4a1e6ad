//! Descriptions as people read them: what it does, what it takes, what bounds it, one example. All of
//! it comes from what `describe` prints as JSON.

use std::fmt::Write as _;

use line_connector_client::Catalog;
use line_connector_core::catalog::RETRY_KEY;
use line_connector_core::describe;
use line_connector_core::property::{self, Place, Property};
use serde_json::{Map, Value};

use crate::layout::{COLUMNS, cut, indented, table};

/// The most lines that are shown of an example.
const MAX_EXAMPLE: usize = 30;

/// The most values of an enumeration that are named.
const MAX_VALUES: usize = 48;

/// The connector: what there is, and where it is told.
pub(super) fn connector(catalog: &Catalog) -> String {
    let card = catalog.card();
    let families: std::collections::BTreeSet<String> = catalog
        .entries()
        .into_iter()
        .map(|entry| entry.family)
        .collect();
    let families: Vec<String> = families.into_iter().collect();
    let ways = card.assets.iter().map(|asset| {
        let needs = asset.inputs.required.join(", ");
        [asset.title.clone(), needs]
    });
    let mut text = format!("{} — {}\n\n", card.name, card.title);
    text.push_str(&indented(&card.description, 2));
    let _ = write!(
        text,
        "\nACTIONS  {}, in these families\n{}",
        catalog.entries().len(),
        indented(&families.join(", "), 2),
    );
    let _ = write!(text, "\nTRIGGERS  {}\n", catalog.triggers().events.len());
    text.push_str("\nWAYS TO AUTHENTICATE, and what each needs\n");
    text.push_str(&table(&ways.collect::<Vec<_>>()));
    text.push_str("\nMORE\n");
    text.push_str(&table(&[
        more("line-connector list WORD", "finds actions and triggers"),
        more("line-connector describe NAME", "shows one"),
        more(
            "line-connector describe --json",
            "everything, for a program",
        ),
    ]));
    text
}

/// An action or a trigger.
pub(super) fn whole(catalog: &Catalog, described: &Value) -> String {
    if described.get("emits").is_some() {
        return trigger(described);
    }
    action(catalog, described)
}

fn action(catalog: &Catalog, described: &Value) -> String {
    let name = at(described, "/short");
    let mut text = heading(described);
    let inputs = property::inputs(described);
    let shown: Vec<&Property> = inputs
        .properties
        .iter()
        .filter(|input| input.name != RETRY_KEY)
        .collect();
    let needed = if shown.is_empty() {
        "none"
    } else {
        "(* required)"
    };
    let _ = write!(text, "\nINPUTS  {needed}\n");
    text.push_str(&properties(&shown));
    text.push_str("\nLIMITS\n");
    for limit in limits(described) {
        text.push_str(&indented(&limit, 2));
    }
    let examples = catalog.examples(name);
    let fits = |status: u16| (200..300).contains(&status);
    let first = examples.iter().position(|one| fits(one.reply.status_code));
    let mut rows = Vec::new();
    if let Some((index, example)) = first.and_then(|index| Some((index, examples.get(index)?))) {
        let number = index + 1;
        let _ = write!(
            text,
            "\nEXAMPLE {number} of {}: {}\n",
            examples.len(),
            example.title
        );
        text.push_str(&laid_out(&describe::invocation(
            catalog,
            at(described, "/name"),
            example,
        )));
        rows.push(more(
            &format!(
                "line-connector describe {name} --example {number} |\n    line-connector run --dry-run"
            ),
            "shows its request",
        ));
    }
    let described_below = shown.iter().find(|input| has_more(input)).or(shown.first());
    if let Some(input) = described_below {
        let command = format!("line-connector describe {name} {}", input.name);
        rows.push(more(&command, "shows one input"));
    }
    let command = format!("line-connector describe {name} --json");
    rows.push(more(&command, "everything, with schemas"));
    text.push_str("\nMORE\n");
    for [command, what] in rows {
        let _ = write!(text, "  {command}\n      {what}\n");
    }
    let _ = writeln!(text, "  {}", at(described, "/docs"));
    text
}

fn trigger(described: &Value) -> String {
    let mut text = heading(described);
    text.push_str("\nEMITS\n");
    let mut example = described["example"].clone();
    // LINE's own event says it all again.
    if let Some(raw) = example.get_mut("raw") {
        *raw = Value::from("…");
    }
    text.push_str(&laid_out(&example));
    let name = at(described, "/name");
    let members = example.as_object().into_iter().flatten().rev();
    let property = members.into_iter().find(|(_, value)| value.is_object());
    let property = property.map_or("source", |(property, _)| property);
    let _ = write!(
        text,
        "\nMORE\n  line-connector describe {name} {property}\n      shows one property\n  \
         line-connector describe {name} --json\n      everything, with schemas\n  {}\n",
        at(described, "/docs"),
    );
    text
}

/// One property of an action or a trigger.
pub(super) fn place(described: &Value, path: &str, place: &Place) -> String {
    let of = &place.property;
    let mut text = format!("{} {path}\n", at(described, "/name"));
    let mut kind = kind(&of.facts);
    if of.required {
        kind.push_str(", required");
    }
    let _ = writeln!(text, "  {}", kind.trim_start_matches(", "));
    if let Some(description) = of.facts.get("description").and_then(Value::as_str) {
        let _ = write!(text, "\n{}", indented(description, 2));
    }
    for (keyword, label) in [
        ("default", "Default"),
        ("pattern", "Pattern"),
        ("enum", "Values"),
    ] {
        let Some(value) = of.facts.get(keyword) else {
            continue;
        };
        let _ = write!(text, "\n{label}\n{}", indented(&words(value), 2));
    }
    if place.types.len() > 1 {
        let below = path.trim_end_matches('/');
        text.push_str("\nBy `type` it is one of\n");
        text.push_str(&indented(&place.types.join(", "), 2));
        if let Some(first) = place.types.first() {
            let _ = write!(
                text,
                "  line-connector describe {} {below}/{first}\n      shows one of them\n",
                at(described, "/name"),
            );
        }
    }
    if !place.properties.is_empty() {
        text.push_str("\nPROPERTIES  (* required)\n");
        text.push_str(&properties(&place.properties.iter().collect::<Vec<_>>()));
    }
    text
}

/// The names, and what it does.
fn heading(described: &Value) -> String {
    let name = at(described, "/name");
    let others = ["/short", "/operation_id"].map(|place| at(described, place));
    let others: Vec<&str> = others
        .into_iter()
        .filter(|other| !other.is_empty() && *other != name)
        .collect();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!("  (also {})", others.join(", ")),
    };
    let mut text = format!("{name}{others}\n{}\n\n", at(described, "/title"));
    text.push_str(&indented(at(described, "/description"), 2));
    text
}

fn properties(properties: &[&Property]) -> String {
    let rows: Vec<[String; 3]> = properties
        .iter()
        .map(|property| {
            let mark = if property.required { "*" } else { "" };
            let description = property.facts.get("description").and_then(Value::as_str);
            [
                format!("{}{mark}", property.name),
                kind(&property.facts),
                first_sentence(description.unwrap_or_default()),
            ]
        })
        .collect();
    table(&rows)
}

/// What bounds a call, in sentences.
fn limits(described: &Value) -> Vec<String> {
    let meta = &described["meta"];
    let rate = match at(meta, "/rate_limit") {
        "" => "LINE states no rate.".to_owned(),
        rate => format!("At most {rate} for a channel."),
    };
    let effect = match at(meta, "/effect") {
        "read" => "It reads, and changes nothing.",
        "destructive" => "What it removes or sends cannot be brought back.",
        _ => "It changes something.",
    };
    let repeats = match at(meta, "/retry") {
        "keyed" => {
            "Repeated only with its retry key, so it takes effect once; `options.idempotency_key` \
             keeps that for a step that runs again."
        }
        "safe" if at(meta, "/effect") == "read" => "",
        "safe" => "Repeating it changes nothing more.",
        _ => "It is not repeated where LINE may have carried it out.",
    };
    let mut limits = vec![format!("{rate} {effect} {repeats}")];
    if at(meta, "/sends/reach") == "many" {
        limits.push("It may reach many people at once.".to_owned());
    }
    if meta.get("pages").is_some() {
        limits.push("`options.all_pages` follows the listing to its end.".to_owned());
    }
    if meta.get("progress").is_some() || meta.get("pending").is_some() {
        limits.push("`options.wait_ms` waits until LINE has done it.".to_owned());
    }
    limits
}

/// A value's type and bounds, in a few letters.
fn kind(facts: &Map<String, Value>) -> String {
    let number = |name: &str| facts.get(name).and_then(Value::as_i64);
    let range = |least: &str, most: &str| match (number(least), number(most)) {
        (Some(least), Some(most)) if least == most => format!(" {most}"),
        (Some(least), Some(most)) if least > 0 => format!(" {least}–{most}"),
        (_, Some(most)) => format!(" ≤{most}"),
        (Some(least), None) if least > 0 => format!(" ≥{least}"),
        _ => String::new(),
    };
    let name = match facts.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            names.join("|")
        }
        _ if facts.contains_key("enum") || facts.contains_key("const") => String::new(),
        _ => "any".to_owned(),
    };
    let bounds = match name.as_str() {
        "string" => range("minLength", "maxLength"),
        "array" => range("minItems", "maxItems"),
        "integer" | "number" => range("minimum", "maximum"),
        _ => String::new(),
    };
    match facts.get("enum").and_then(Value::as_array) {
        Some(values) if values.len() <= 3 => {
            let values: Vec<String> = values.iter().map(plain).collect();
            values.join("|")
        }
        Some(values) => format!("one of {}", values.len()),
        None => format!("{name}{bounds}"),
    }
}

fn has_more(property: &Property) -> bool {
    let composite = ["anyOf", "oneOf", "allOf", "properties", "items"];
    composite
        .iter()
        .any(|keyword| property.facts.contains_key(*keyword))
}

/// Up to the first full stop that ends a sentence.
fn first_sentence(text: &str) -> String {
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    text.get(..end).unwrap_or(text).to_owned()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A value, or the values of a list, in words.
fn words(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let mut shown: Vec<String> = values.iter().take(MAX_VALUES).map(plain).collect();
            if shown.len() < values.len() {
                shown.push("…".to_owned());
            }
            shown.join(", ")
        }
        other => plain(other),
    }
}

/// JSON laid out, cut where it gets long.
fn laid_out(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().take(MAX_EXAMPLE).collect();
    if text.lines().count() > MAX_EXAMPLE {
        lines.push("…");
    }
    let room = COLUMNS - 2;
    let lines = lines.iter().map(|line| format!("  {}\n", cut(line, room)));
    lines.collect()
}

fn more(command: &str, what: &str) -> [String; 2] {
    [command.to_owned(), what.to_owned()]
}

fn at<'a>(value: &'a Value, place: &str) -> &'a str {
    value
        .pointer(place)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
