//! The examples of actions as tests: each makes exactly its request and reads exactly its output, as a
//! call would. Nothing leaves the process.

use std::sync::{Arc, Mutex, PoisonError};

use line_connector_core::catalog::Catalog;
use line_connector_core::catalog::definition::Example;
use line_connector_core::documents::Invocation;
use line_connector_core::schema::Schema;
use line_connector_http::{Failure, Headers, Reply, Request, Transport};
use serde_json::{Map, Value, json};

use crate::Connector;

/// The header that a call makes up where an example has none.
const RETRY_KEY: &str = line_connector_core::catalog::RETRY_KEY;

/// What is wrong with an action, and where in its file: a JSON pointer.
pub type Breach = (String, String);

/// What is wrong with an action's schemas and examples; nothing where it is as it should be, or where
/// there is no such action.
#[must_use]
pub fn check(catalog: &Catalog, name: &str) -> Vec<Breach> {
    let Some(action) = catalog.action(name) else {
        return Vec::new();
    };
    let mut breaches = Vec::new();
    let mut schema = |part: &str, schema: &Map<String, Value>| {
        let shared = catalog.schemas().clone();
        let schema = Schema::new(&Value::Object(schema.clone()), move |path| shared.get(path));
        if let Err(reason) = schema.prove() {
            breaches.push((
                format!("/{part}"),
                format!("this is no JSON Schema: {reason}"),
            ));
        }
        schema
    };
    let inputs = schema("inputs", &action.inputs);
    let output = schema("output", &action.output);
    if !breaches.is_empty() {
        return breaches;
    }
    for (index, example) in catalog.examples(name).iter().enumerate() {
        let at = format!("/examples/{index}");
        let mut found = calls(catalog, name, example, &at);
        let document = Value::Object(example.output.clone());
        for violation in output.check(&document).violations {
            let place = format!("{at}/output{}", violation.path);
            let reason = format!("breaks the action's `output`: {}", violation.message);
            found.push((place, reason));
        }
        if (200..300).contains(&example.reply.status_code) {
            let given = Value::Object(example.inputs.clone());
            for warning in inputs.check(&given).warnings {
                let place = format!("{at}/inputs{}", warning.path);
                found.push((place, format!("is doubtful: {}", warning.message)));
            }
        }
        breaches.extend(found.into_iter().map(|breach| placed(&at, breach)));
    }
    breaches
}

/// Answers every request with one reply and keeps the requests.
struct Canned {
    reply: Reply,
    seen: Mutex<Vec<Request>>,
}

impl Transport for Canned {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.clone());
        Ok(self.reply.clone())
    }
}

/// The reply that an example tells, as bytes.
#[must_use]
pub fn reply(example: &Example) -> Reply {
    let mut headers = Headers::new();
    for (name, value) in &example.reply.headers {
        headers.push(name, value);
    }
    let body = match &example.reply.body {
        None => Vec::new(),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(json) => json.to_string().into_bytes(),
    };
    let reason = example.output.get("reason").and_then(Value::as_str);
    Reply {
        status: example.reply.status_code,
        reason: reason.unwrap_or_default().to_owned(),
        headers,
        body,
    }
}

fn calls(catalog: &Catalog, name: &str, example: &Example, at: &str) -> Vec<Breach> {
    let canned = Arc::new(Canned {
        reply: reply(example),
        seen: Mutex::default(),
    });
    let transport: Arc<dyn Transport> = Arc::<Canned>::clone(&canned);
    // One for each example, so that none waits for its rate limit.
    let connector = Connector::builder()
        .catalog(catalog.clone())
        .transport(transport)
        .build();
    let document = json!({
        "action": name, "asset": {"token": "t"},
        "inputs": example.inputs, "options": {"attempts": 1},
    });
    let output = match Invocation::from_value(document) {
        Ok(invocation) => connector.call(invocation),
        Err(refused) => refused.into(),
    };
    let seen = canned.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let [request] = seen.as_slice() else {
        let reason = match &output.error {
            Some(error) => {
                let details = error.details.iter();
                let details = details.map(|detail| format!("{}: {}", detail.path, detail.message));
                let details: Vec<String> = details.collect();
                format!("no call is made: {}; {}", error.message, details.join("; "))
            }
            None => format!("{} requests are made, not one", seen.len()),
        };
        return vec![(format!("{at}/inputs"), reason)];
    };
    let mut breaches = compare(
        &format!("{at}/request"),
        &told(example),
        &made(example, request),
    );
    let mut found: Value = serde_json::from_str(&output.render()).unwrap_or_default();
    if let Some(members) = found.as_object_mut() {
        members.remove("meta");
        members.remove("delivery");
        for optional in ["reason", "response_headers"] {
            if !example.output.contains_key(optional) {
                members.remove(optional);
            }
        }
        if let Some(error) = members.get_mut("error") {
            *error = json!({"kind": error["kind"]});
        }
    }
    let expected = Value::Object(example.output.clone());
    breaches.extend(compare(&format!("{at}/output"), &expected, &found));
    breaches
}

/// The request that an example tells, as far as it is compared.
fn told(example: &Example) -> Value {
    let request = &example.request;
    json!({
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
        "body": request.body,
    })
}

/// The request that was made, in the form of an example.
fn made(example: &Example, request: &Request) -> Value {
    let multipart = example.inputs.contains_key("files");
    let is_told = |name: &str| example.request.headers.contains_key(name);
    // A key that the call has made up, and the boundary, differ from call to call.
    let differs = |name: &str| {
        name == "Authorization"
            || (name == RETRY_KEY && !is_told(name))
            || (name == "Content-Type" && multipart)
    };
    let mut headers: Vec<(&str, &str)> = request.headers.iter().collect();
    headers.retain(|(name, _)| !differs(name));
    headers.sort_unstable();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)));
    let body = match str::from_utf8(&request.body) {
        _ if multipart => example.request.body.clone(),
        Ok("") | Err(_) => None,
        Ok(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))),
    };
    json!({
        "method": request.method,
        "url": request.url,
        "headers": headers.collect::<Map<String, Value>>(),
        "body": body,
    })
}

/// Every place at which two values differ.
fn compare(at: &str, told: &Value, found: &Value) -> Vec<Breach> {
    match (told, found) {
        (Value::Object(told), Value::Object(found)) => {
            let names = told
                .keys()
                .chain(found.keys().filter(|name| !told.contains_key(*name)));
            let differences = names.flat_map(|name| {
                let [told, found] =
                    [told, found].map(|side| side.get(name).unwrap_or(&Value::Null));
                let step = name.replace('~', "~0").replace('/', "~1");
                compare(&format!("{at}/{step}"), told, found)
            });
            differences.collect()
        }
        (Value::Array(told), Value::Array(found)) if told.len() == found.len() => {
            let pairs = told.iter().zip(found).enumerate();
            let differences = pairs
                .flat_map(|(index, (told, found))| compare(&format!("{at}/{index}"), told, found));
            differences.collect()
        }
        _ if told == found => Vec::new(),
        _ => {
            let in_short = |value: &Value| match value {
                Value::Null => "nothing".to_owned(),
                value => cut(&value.to_string()),
            };
            let reason = format!(
                "the file has {}, the call {}",
                in_short(told),
                in_short(found)
            );
            vec![(at.to_owned(), reason)]
        }
    }
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    text.chars().take(MAX_SHOWN - 1).chain(['…']).collect()
}

/// A breach that says where in its example it is.
fn placed(at: &str, (place, reason): Breach) -> Breach {
    let within = place
        .strip_prefix(at)
        .unwrap_or_default()
        .trim_start_matches('/');
    let reason = format!("`{within}`: {reason}");
    (place, reason)
}
