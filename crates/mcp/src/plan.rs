//! What a person is shown of a call before it is made: all that it sends. Where that is more than a form
//! takes, the form says how much it leaves out, and where.

use std::fmt::Write as _;

use line_connector_core::catalog::definition::Action;
use line_connector_core::describe;
use line_connector_core::visible::visible;
use serde_json::{Value, json};

/// The most characters of a form's requests: few people read more.
const MAX_FORM: usize = 6_000;
/// How much of an address is shown at least, characters.
const MIN_URL: usize = 200;
/// The layouts of a form, from one that leaves out nothing. The first that fits is taken.
const LAYOUTS: [Layout; 4] = [
    Layout {
        text: usize::MAX,
        items: usize::MAX,
        pretty: true,
    },
    Layout {
        text: 400,
        items: 10,
        pretty: true,
    },
    Layout {
        text: 100,
        items: 5,
        pretty: false,
    },
    Layout {
        text: 40,
        items: 3,
        pretty: false,
    },
];

/// The plan of a call, from its dry run.
pub(crate) fn plan(action: &Action, account: &str, dry_run: &Value) -> Value {
    let first = dry_run.get("request");
    let further = dry_run.get("further_requests").and_then(Value::as_array);
    let requests: Vec<Value> = first
        .into_iter()
        .chain(further.into_iter().flatten())
        .map(|request| {
            json!({
                "method": request["method"],
                "url": seen(&request["url"]),
                "body": seen(&request["body"]),
            })
        })
        .collect();
    let count = |name: &str| -> Option<usize> {
        let lists = requests.iter().map(|request| &request["body"][name]);
        lists.map(|list| list.as_array().map(Vec::len)).sum()
    };
    let mut plan = json!({
        "action": action.short(),
        "title": action.title,
        "account": account,
        "what": action.description,
        "effect": action.meta.effect,
    });
    if let Some(messages) = messages(action).and_then(count) {
        plan["messages"] = json!(messages);
    }
    let to = requests.first().map(|request| &request["body"]["to"]);
    if let Some(to) = to.and_then(Value::as_array) {
        plan["recipients"] = json!(to.len());
    }
    plan["requests"] = Value::from(requests);
    plan
}

/// The plan in words.
pub(crate) fn form(action: &Action, plan: &Value) -> String {
    let what = action.description.split(". ").next().unwrap_or_default();
    let mut form = format!("{}: {what}.\n", action.title);
    let _ = writeln!(
        form,
        "Account: {}.",
        plan["account"].as_str().unwrap_or_default()
    );
    let requests = plan["requests"].as_array().map_or(0, Vec::len);
    let mut counts = vec![counted(requests, "request")];
    for (figure, unit) in [("messages", "message"), ("recipients", "recipient")] {
        let figure = plan[figure].as_u64();
        let figure = figure.and_then(|figure| usize::try_from(figure).ok());
        counts.extend(figure.map(|figure| counted(figure, unit)));
    }
    let _ = writeln!(form, "It makes {}.", counts.join(", "));
    if let Some(left) = plan["quota"]["left"].as_u64() {
        let _ = writeln!(form, "{left} messages of this month's quota are left.");
    }
    let mut parts = Vec::new();
    let mut is_whole = true;
    for (number, layout) in LAYOUTS.iter().enumerate() {
        parts = layout.parts(action, plan);
        is_whole = number == 0;
        if length(&parts) <= MAX_FORM {
            break;
        }
    }
    if !is_whole {
        form.push_str("Long texts and lists are shortened; each says how much is missing.\n");
    }
    if let Some(missing) = missing(&parts) {
        let _ = writeln!(form, "NOT EVERYTHING IS SHOWN: {missing}.");
    }
    form.push('\n');
    let requests = parts.iter().map(|part| part.text.as_str());
    form.extend(requests.flat_map(str::chars).take(MAX_FORM));
    form
}

/// What is behind the end of a form, if anything is.
fn missing(parts: &[Part]) -> Option<String> {
    let left = length(parts).checked_sub(MAX_FORM + 1)? + 1;
    let mut missing = format!("{left} characters at the end are missing");
    let mut end = 0;
    let messages = parts.iter().filter(|part| {
        end += part.text.chars().count();
        part.is_message && end > MAX_FORM
    });
    let messages = messages.count();
    if messages > 0 {
        let all = parts.iter().filter(|part| part.is_message).count();
        let _ = write!(missing, ", with {messages} of {all} messages");
    }
    Some(missing)
}

fn length(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.text.chars().count()).sum()
}

fn counted(number: usize, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// The member of the body that has an action's messages.
fn messages(action: &Action) -> Option<&str> {
    let place = action.meta.messages.as_deref()?;
    place.split_once('/').map(|(_, name)| name)
}

/// A value whose texts, names included, hide nothing.
fn seen(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(visible(text)),
        Value::Array(items) => items.iter().map(seen).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (visible(name).into_owned(), seen(value)))
            .collect(),
        other => other.clone(),
    }
}

/// A request without its messages, or a message.
struct Part {
    text: String,
    is_message: bool,
}

/// How much of what is sent a form shows.
struct Layout {
    /// The most characters of a text.
    text: usize,
    /// The most items of a list of plain values, such as receivers.
    items: usize,
    pretty: bool,
}

impl Layout {
    fn parts(&self, action: &Action, plan: &Value) -> Vec<Part> {
        let requests = plan["requests"].as_array();
        let requests = requests.map(Vec::as_slice).unwrap_or_default();
        let all = plan["messages"].as_u64().unwrap_or_default();
        let mut parts = Vec::new();
        let mut message = 0;
        for (number, request) in requests.iter().enumerate() {
            let mut text = String::new();
            if requests.len() > 1 {
                let _ = write!(text, "Request {} of {}: ", number + 1, requests.len());
            }
            let url = request["url"].as_str().unwrap_or_default();
            let url = cut(url, self.text.max(MIN_URL));
            let method = request["method"].as_str().unwrap_or_default();
            let _ = writeln!(text, "{method} {url}");
            let mut body = request["body"].clone();
            let list = messages(action).and_then(|name| body.as_object_mut()?.remove(name));
            if !body.is_null() && body != json!({}) {
                text.push_str(&self.json(&body));
            }
            parts.push(Part {
                text,
                is_message: false,
            });
            let list = match list {
                Some(Value::Array(list)) => list,
                other => Vec::from_iter(other),
            };
            for value in &list {
                message += 1;
                parts.push(Part {
                    text: format!("Message {message} of {all}: {}", self.json(value)),
                    is_message: true,
                });
            }
        }
        parts
    }

    fn json(&self, value: &Value) -> String {
        let value = self.shortened(value);
        if self.pretty {
            describe::pretty(&value)
        } else {
            format!("{value}\n")
        }
    }

    fn shortened(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(cut(text, self.text)),
            Value::Array(items) => {
                let is_plain = |item: &Value| !item.is_object() && !item.is_array();
                let most = if items.iter().all(is_plain) {
                    self.items
                } else {
                    usize::MAX
                };
                let shown = items.iter().take(most).map(|item| self.shortened(item));
                let more = items.len().checked_sub(most).filter(|more| *more > 0);
                let more = more.map(|more| Value::from(format!("… ({more} more)")));
                shown.chain(more).collect()
            }
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.shortened(value)))
                .collect(),
            other => other.clone(),
        }
    }
}

/// A text of so many characters, and how many are missing.
fn cut(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let (shown, rest) = text.split_at(end);
    format!("{shown}… ({} more characters)", rest.chars().count())
}
