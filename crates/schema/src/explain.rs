//! What the validator found, put into words: from a keyword, the schema it stands in and the value
//! that breaks it to details for people. It judges nothing, and knows no validator.

use serde_json::{Map, Value};

use super::finding::{Finding, counted, shortened, step};
use line_connector_text::nearest::nearest;

/// What is said of a property that must be there, behind its name.
pub const MISSING: &str = "is missing";

/// A value that breaks a keyword.
pub(super) struct Failure<'a> {
    pub(super) keyword: &'a str,
    /// The schema object that holds the keyword.
    pub(super) schema: &'a Value,
    pub(super) instance: &'a Value,
    /// Where the value stands.
    pub(super) path: &'a str,
    /// The properties that are missing or too many.
    pub(super) names: Vec<String>,
}

impl Failure<'_> {
    fn limit(&self) -> &Value {
        self.schema.get(self.keyword).unwrap_or(&Value::Null)
    }

    fn wanted(&self) -> Option<&str> {
        self.schema.get("x-expected").and_then(Value::as_str)
    }

    fn violation(&self, message: impl Into<String>) -> Finding {
        let finding = Finding::violation(self.path, message);
        match self.wanted() {
            Some(wanted) => finding.expected(wanted),
            None => finding,
        }
    }
}

/// Details for people, the value shown unless the schema keeps it secret.
pub(super) fn explain(failure: &Failure<'_>) -> Vec<Finding> {
    let mut findings = match failure.keyword {
        "required" => missing(failure),
        "additionalProperties" | "unevaluatedProperties" => unknown(failure),
        "propertyNames" => misnamed(failure),
        _ => vec![explain_value(failure)],
    };
    if holds_secret(failure.schema) {
        for finding in &mut findings {
            finding.detail.found = None;
        }
    }
    findings
}

fn explain_value(failure: &Failure<'_>) -> Finding {
    let limit = failure.limit();
    let found = shortened(failure.instance);
    let count = |noun: &str| counted(length(failure.instance), noun);
    let most = |noun: &str| count_of(limit, noun);
    match failure.keyword {
        "type" => wrong_type(failure, limit).found(found),
        "enum" => not_listed(failure, limit).found(found),
        "const" => failure
            .violation(format!("must be {}", quoted(limit)))
            .found(found),
        "pattern" | "format" => malformed(failure, limit).found(found),
        "minimum" => bound(failure, "is less than", "at least", limit).found(found),
        "maximum" => bound(failure, "is more than", "at most", limit).found(found),
        "exclusiveMinimum" => bound(failure, "is not more than", "more than", limit).found(found),
        "exclusiveMaximum" => bound(failure, "is not less than", "less than", limit).found(found),
        "multipleOf" => bound(failure, "is not a multiple of", "a multiple of", limit).found(found),
        "minItems" if length(failure.instance) == 0 => failure
            .violation("is empty")
            .expected(range(failure.schema, "Items", "item")),
        "minItems" => failure
            .violation(format!("has fewer than {}", most("item")))
            .expected(range(failure.schema, "Items", "item"))
            .found(count("item")),
        "maxItems" => failure
            .violation(format!("has more than {}", most("item")))
            .expected(range(failure.schema, "Items", "item"))
            .found(count("item")),
        "minProperties" => failure
            .violation(format!("has fewer than {}", most("property")))
            .expected(range(failure.schema, "Properties", "property"))
            .found(count("property")),
        "maxProperties" => failure
            .violation(format!("has more than {}", most("property")))
            .expected(range(failure.schema, "Properties", "property"))
            .found(count("property")),
        "anyOf" | "oneOf" => no_alternative(failure, limit),
        "falseSchema" => failure.violation("must not be here"),
        "not" => match failure.wanted() {
            Some(wanted) => failure
                .violation(format!("should be {wanted}"))
                .found(found),
            None => failure.violation("is not allowed here").found(found),
        },
        keyword => failure
            .violation(format!("does not keep to `{keyword}`"))
            .found(found),
    }
}

fn missing(failure: &Failure<'_>) -> Vec<Finding> {
    let declared = |name: &str| {
        failure
            .schema
            .get("properties")
            .is_some_and(|all| all.get(name).is_some())
    };
    let present = failure.instance.as_object().into_iter().flat_map(Map::keys);
    let stray: Vec<&str> = present
        .map(String::as_str)
        .filter(|name| !declared(name))
        .collect();
    failure
        .names
        .iter()
        .map(|name| {
            let finding = Finding::violation(failure.path, format!("`{name}` {MISSING}"));
            let wanted = failure.wanted().map(str::to_owned);
            let bytes = bytes(failure.schema, name).map(str::to_owned);
            let finding = match choices(failure.schema, name).or(wanted).or(bytes) {
                Some(wanted) => finding.expected(wanted),
                None => finding,
            };
            match nearest(name, stray.iter().copied()) {
                Some(near) => finding.hint(format!("is `{near}` meant to be `{name}`?")),
                None => finding,
            }
        })
        .collect()
}

/// How a property is given that is bytes.
fn bytes(schema: &Value, property: &str) -> Option<&'static str> {
    let property = schema.get("properties")?.get(property)?;
    property.get("x-binary")?;
    Some("the bytes, as {\"base64\": \"…\"} or {\"path\": \"…\"}")
}

/// The values that a property can have, if the schema lists them.
fn choices(schema: &Value, property: &str) -> Option<String> {
    let choices = schema.get("properties")?.get(property)?;
    Some(alternatives(choices.get("enum")?.as_array()?))
}

fn unknown(failure: &Failure<'_>) -> Vec<Finding> {
    let declared = failure.schema.get("properties").and_then(Value::as_object);
    let declared: Vec<&str> = declared
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    failure
        .names
        .iter()
        .map(|name| {
            let path = format!("{}{}", failure.path, step(name));
            let finding = Finding::violation(path, "is not a property here");
            let finding = match declared.len() {
                1 => finding.expected(format!("only `{}`", declared[0])),
                2..=12 => finding.expected(format!("one of `{}`", declared.join("`, `"))),
                _ => finding,
            };
            match nearest(name, declared.iter().copied()) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            }
        })
        .collect()
}

fn misnamed(failure: &Failure<'_>) -> Vec<Finding> {
    let names = failure.schema.get("propertyNames");
    let wanted = names
        .and_then(|names| names.get("x-expected"))
        .and_then(Value::as_str);
    failure
        .names
        .iter()
        .map(|name| {
            let path = format!("{}{}", failure.path, step(name));
            let finding = Finding::violation(path, "cannot have this name");
            let finding = finding.found(shortened(&Value::String(name.clone())));
            match wanted {
                Some(wanted) => finding.expected(wanted),
                None => finding,
            }
        })
        .collect()
}

fn wrong_type(failure: &Failure<'_>, limit: &Value) -> Finding {
    let names: Vec<&str> = match limit {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let wanted = names
        .iter()
        .map(|name| with_article(name))
        .collect::<Vec<_>>()
        .join(" or ");
    let finding = Finding::violation(failure.path, format!("is not {wanted}"));
    let finding = finding.expected(failure.wanted().map_or(wanted, str::to_owned));
    match hint_for_type(&names, failure.instance) {
        Some(hint) => finding.hint(hint),
        None => finding,
    }
}

/// What most likely happened to a value that is not of any of the types `names`.
fn hint_for_type(names: &[&str], instance: &Value) -> Option<&'static str> {
    let text = instance.as_str().unwrap_or_default();
    let is_number = (names.contains(&"integer") && text.parse::<i64>().is_ok())
        || (names.contains(&"number") && text.parse::<f64>().is_ok());
    let is_boolean = names.contains(&"boolean") && matches!(text, "true" | "false");
    let opening = text.trim_start().chars().next();
    match names {
        _ if is_number || is_boolean => Some("leave out the quotation marks"),
        ["object"] if opening == Some('{') => {
            Some("it is JSON inside a string; give the object itself")
        }
        ["array"] if opening == Some('[') => {
            Some("it is JSON inside a string; give the array itself")
        }
        ["array"] if !instance.is_null() => {
            Some("put it into square brackets, even if it is only one")
        }
        ["string"] if instance.is_number() || instance.is_boolean() => {
            Some("put it into quotation marks")
        }
        ["string"] if instance.is_array() => Some("give one value, without square brackets"),
        _ => None,
    }
}

fn with_article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "array" | "integer" | "object" => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

fn not_listed(failure: &Failure<'_>, limit: &Value) -> Finding {
    let options = limit.as_array().map_or(&[][..], Vec::as_slice);
    let listed = alternatives(options);
    let finding = match (failure.wanted(), failure.instance.as_str()) {
        (None, Some("")) => failure.violation("is empty"),
        (None, _) if listed.chars().count() <= 120 => {
            failure.violation(format!("must be {listed}"))
        }
        (_, Some(name)) if name.chars().count() <= 30 && !holds_secret(failure.schema) => {
            failure.violation(format!("cannot be `{name}` here"))
        }
        _ => failure.violation("is not one of the values allowed here"),
    };
    let finding = match failure.wanted() {
        None if options.len() > 1 => finding.expected(listed),
        _ => finding,
    };
    let names = options.iter().filter_map(Value::as_str);
    match failure
        .instance
        .as_str()
        .and_then(|name| nearest(name, names))
    {
        Some(near) => finding.hint(format!("did you mean `{near}`?")),
        None => finding,
    }
}

fn malformed(failure: &Failure<'_>, limit: &Value) -> Finding {
    let text = failure.instance.as_str().unwrap_or_default();
    if text.is_empty() {
        return failure.violation("is empty");
    }
    let finding = match failure.wanted() {
        Some(wanted) => failure.violation(format!("is not {wanted}")),
        None if failure.keyword == "format" => {
            failure.violation(format!("is not of the format {}", quoted(limit)))
        }
        None => failure.violation(format!("does not match {}", quoted(limit))),
    };
    let wants_https = limit
        .as_str()
        .is_some_and(|pattern| pattern.starts_with("^[hH][tT][tT][pP][sS]:"));
    if wants_https && text.starts_with("http:") {
        return finding.hint("LINE takes https only");
    }
    if wants_https && !text.contains("://") {
        return finding
            .hint("LINE fetches it itself, so it must be a full URL that the internet can reach");
    }
    finding
}

fn bound(failure: &Failure<'_>, message: &str, expected: &str, limit: &Value) -> Finding {
    // `0.0` is how Rust writes a bound of 0.
    let limit = limit.to_string();
    let limit = limit.strip_suffix(".0").unwrap_or(&limit);
    let finding = Finding::violation(failure.path, format!("{message} {limit}"));
    finding.expected(
        failure
            .wanted()
            .map_or(format!("{expected} {limit}"), str::to_owned),
    )
}

fn no_alternative(failure: &Failure<'_>, limit: &Value) -> Finding {
    let alternatives = limit.as_array().map_or(&[][..], Vec::as_slice);
    let constants: Option<Vec<Value>> = alternatives
        .iter()
        .map(|alternative| alternative.get("const").cloned())
        .collect();
    if let Some(constants) = constants.filter(|constants| !constants.is_empty()) {
        let found = shortened(failure.instance);
        return not_listed(failure, &Value::from(constants)).found(found);
    }
    let needed: Option<Vec<&str>> = alternatives
        .iter()
        .map(|alternative| {
            match alternative
                .as_object()?
                .get("required")?
                .as_array()?
                .as_slice()
            {
                [Value::String(name)] => Some(name.as_str()),
                _ => None,
            }
        })
        .collect();
    let Some(names) = needed else {
        return failure
            .violation("fits none of the forms allowed here")
            .found(shortened(failure.instance));
    };
    let there = failure.instance.as_object().into_iter().flat_map(Map::keys);
    let there: Vec<&str> = there.map(String::as_str).collect();
    let listed = |names: &[&str]| format!("`{}`", names.join("`, `"));
    let given: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| there.contains(name))
        .collect();
    let (message, count) = match (failure.keyword, given.is_empty()) {
        ("oneOf", false) => (format!("has {} together", listed(&given)), "exactly one"),
        ("oneOf", true) => (format!("has none of {}", listed(&names)), "exactly one"),
        _ => (format!("has none of {}", listed(&names)), "at least one"),
    };
    let finding = Finding::violation(failure.path, message)
        .expected(format!("{count} of {}", listed(&names)));
    let near = there
        .iter()
        .find_map(|name| Some((name, nearest(name, names.iter().copied())?)));
    match near {
        Some((name, near)) if given.is_empty() => {
            finding.hint(format!("is `{name}` meant to be `{near}`?"))
        }
        _ => finding,
    }
}

/// At most twelve alternatives by name.
fn alternatives(options: &[Value]) -> String {
    const MAX_NAMES: usize = 12;
    let mut names: Vec<String> = options.iter().take(MAX_NAMES).map(quoted).collect();
    if options.len() > MAX_NAMES {
        names.push("…".into());
    } else if names.len() > 1 {
        let last = names.pop().unwrap_or_default();
        return format!("{} or {last}", names.join(", "));
    }
    names.join(", ")
}

fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        value => format!("`{value}`"),
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    }
}

fn count_of(limit: &Value, noun: &str) -> String {
    counted(
        limit
            .as_u64()
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or_default(),
        noun,
    )
}

fn range(schema: &Value, what: &str, noun: &str) -> String {
    let limit = |side: &str| schema.get(format!("{side}{what}"));
    match (limit("min"), limit("max")) {
        (Some(least), Some(most)) if least == most => format!("exactly {}", count_of(least, noun)),
        (Some(least), Some(most)) => format!("{least} to {}", count_of(most, noun)),
        (Some(least), None) => format!("at least {}", count_of(least, noun)),
        (None, Some(most)) => format!("at most {}", count_of(most, noun)),
        (None, None) => String::new(),
    }
}

/// Whether a value that this schema describes may hold a secret.
fn holds_secret(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.get("writeOnly") == Some(&Value::Bool(true))
                || members.values().any(holds_secret)
        }
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}
