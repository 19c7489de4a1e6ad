//! Inputs become a request: keys are bound to their sections, sections to path, query, headers and
//! body. Pure: `schema` validates the inputs, `auth` adds the token.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Number, Value};
use url::Url;

use crate::catalog::Schemas;
use crate::documents::{a_kind_of, shortened};
use crate::error::{Detail, Error, Kind};
use crate::nearest::nearest;
use crate::upload::{self, Part};
use line_connector_catalog::definition::Action;
use line_connector_catalog::sections::{RETRY_KEY, SECTIONS};
use line_connector_http::{Headers, Request, is_header_value};

/// Headers that the connector sets itself or that belong to the connection; a caller's would break
/// authentication, framing or the way through a proxy.
const OWN_HEADERS: [&str; 14] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is percent-encoded in a segment of a path: everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// More than most bodies take, so that few grow.
const USUAL_BYTES: usize = 512;

/// Brings inputs into sections. `declared` gives the properties that a section of the action
/// declares.
///
/// # Errors
///
/// [`Kind::InvalidInputs`] with every key that no section declares, or more than one.
pub fn bind<'a>(
    inputs: Map<String, Value>,
    declared: impl Fn(&str) -> Cow<'a, Map<String, Value>>,
) -> Result<Value, Error> {
    match place_all(inputs, declared) {
        (bound, details) if details.is_empty() => Ok(bound),
        (_, details) => Err(homeless(details)),
    }
}

/// Inputs that have no place.
pub(crate) fn homeless(details: Vec<Detail>) -> Error {
    Error::new(Kind::InvalidInputs, "the inputs do not fit the action").with_details(details)
}

/// What has a place among the inputs, in sections, and what has none.
pub(crate) fn place_all<'a>(
    inputs: Map<String, Value>,
    declared: impl Fn(&str) -> Cow<'a, Map<String, Value>>,
) -> (Value, Vec<Detail>) {
    if inputs.keys().all(|key| is_section(key)) {
        return (Value::Object(inputs), Vec::new());
    }
    let sections = SECTIONS.map(|section| (section, declared(section)));
    let mut bound = Map::new();
    let mut details = Vec::new();
    for (key, value) in inputs {
        let homes: Vec<&str> = sections
            .iter()
            .filter(|(_, properties)| properties.contains_key(&key))
            .map(|(section, _)| *section)
            .collect();
        match (is_section(&key), homes.as_slice()) {
            (true, _) => place_section(&mut bound, &key, value, &mut details),
            (false, [section]) => place(&mut bound, section, key, value, &mut details),
            (false, []) => details.push(undeclared(&key, &sections)),
            (false, several) => details.push(Detail::new(
                format!("/{key}"),
                format!(
                    "`{key}` is declared in {}: write it inside one",
                    several.join(" and ")
                ),
            )),
        }
    }
    (Value::Object(bound), details)
}

pub(crate) fn is_section(key: &str) -> bool {
    SECTIONS.contains(&key)
}

fn place(
    bound: &mut Map<String, Value>,
    section: &str,
    key: String,
    value: Value,
    details: &mut Vec<Detail>,
) {
    match bound
        .entry(section)
        .or_insert_with(|| Value::Object(Map::new()))
    {
        Value::Object(members) if !members.contains_key(&key) => {
            members.insert(key, value);
        }
        _ => details.push(Detail::new(
            format!("/{key}"),
            format!("`{key}` is given twice: here and in `{section}`"),
        )),
    }
}

fn place_section(
    bound: &mut Map<String, Value>,
    section: &str,
    value: Value,
    details: &mut Vec<Detail>,
) {
    match (bound.get(section).is_some(), value) {
        (true, Value::Object(members)) => {
            for (key, value) in members {
                place(bound, section, key, value, details);
            }
        }
        (_, value) => {
            bound.insert(section.to_owned(), value);
        }
    }
}

fn undeclared(key: &str, sections: &[(&str, Cow<'_, Map<String, Value>>)]) -> Detail {
    let names = sections
        .iter()
        .flat_map(|(_, properties)| properties.keys().map(String::as_str))
        .chain(
            sections
                .iter()
                .filter(|(_, known)| !known.is_empty())
                .map(|(name, _)| *name),
        );
    Detail {
        hint: nearest(key, names).map(|name| format!("did you mean `{name}`?")),
        ..Detail::new(
            format!("/{key}"),
            format!("`{key}` is not an input of this action"),
        )
    }
}

/// The sections that reach LINE as text, where a value has no type: `2`, `2.0` and `"2"` are one
/// request. JSON keeps types, and LINE refuses the wrong one, so a JSON body is never changed.
const TEXT_SECTIONS: [&str; 4] = ["headers", "path_parameters", "parameters", "data_body"];

/// Reads the values of the sections that are text on their way to LINE as the types that they are
/// declared with: numbers and booleans in quotation marks, texts without them, one value where a
/// list is declared. What cannot be read so stays as it is, for validation to explain.
pub fn read_texts<'a>(
    inputs: &mut Value,
    shared: &Schemas,
    declared: impl Fn(&str) -> Cow<'a, Map<String, Value>>,
) {
    for section in TEXT_SECTIONS {
        let Some(Value::Object(members)) = inputs.get_mut(section) else {
            continue;
        };
        let declared = declared(section);
        for (name, value) in members {
            if let Some(schema) = declared.get(name) {
                read_text(shared, "", schema, value);
            }
        }
    }
}

fn read_text(shared: &Schemas, file: &str, schema: &Value, value: &mut Value) {
    let Some((_, Value::String(declared))) = shared.keyword(file, schema, "type") else {
        return;
    };
    let read = match (declared.as_str(), &*value) {
        ("array", Value::Null) => return,
        ("array", _) => {
            if !value.is_array() {
                *value = Value::Array(vec![value.take()]);
            }
            if let Some((file, items)) = shared.keyword(file, schema, "items") {
                let listed = value.as_array_mut().into_iter().flatten();
                listed.for_each(|item| read_text(shared, &file, &items, item));
            }
            return;
        }
        ("integer" | "number", Value::String(text)) => text.parse().ok().map(Value::Number),
        // As JSON, Python and Excel write them.
        ("boolean", Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        ("string", Value::Number(number)) => certain(number).map(Value::String),
        ("string", Value::Bool(flag)) => Some(Value::from(flag.to_string())),
        _ => None,
    };
    if let Some(read) = read {
        *value = read;
    }
}

/// Builds the request, without a token.
///
/// # Errors
///
/// [`Kind::InvalidInputs`] where a value cannot stand in its place: a path parameter that is
/// missing, a header with a line break, a body in two forms.
pub fn build(action: &Action, inputs: &Value, around: Around<'_>) -> Result<Request, Error> {
    let section = |name: &str| inputs.get(name);
    let url = url(
        action,
        around.base,
        section("path_parameters"),
        section("parameters"),
    )?;
    let mut headers = headers(section("headers"), around.retry_key)?;
    if let Some((name, bot)) = around.bot_header
        && headers.get(name).is_none()
    {
        headers.push(name.as_str(), bot.as_str());
    }
    let body = match around.parts {
        parts if parts.is_empty() => {
            body(&mut headers, section("json_body"), section("data_body"))?
        }
        parts => binary_body(&mut headers, parts, section("data_body"), around.boundary)?,
    };
    Ok(Request {
        method: action.meta.method,
        url,
        headers,
        bearer: None,
        body,
        timeout: around.timeout,
        download_timeout: None,
    })
}

/// What a request needs beside the action and its inputs.
pub struct Around<'a> {
    /// The base URL of the action's host.
    pub base: &'a str,
    /// The retry key, on the operations that take one.
    pub retry_key: Option<&'a str>,
    /// The header that names the bot, for module channels.
    pub bot_header: Option<&'a (String, String)>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The bytes that the inputs point to.
    pub parts: Vec<Part>,
    /// What separates the parts of a multipart body: random, so that it occurs in none.
    pub boundary: &'a str,
}

/// Bytes as the whole body, or as parts beside the plain fields of a form.
fn binary_body(
    headers: &mut Headers,
    mut parts: Vec<Part>,
    fields: Option<&Value>,
    boundary: &str,
) -> Result<Vec<u8>, Error> {
    if let Some(whole) = parts.pop_if(|part| part.name.is_empty()) {
        headers.push("Content-Type", whole.content_type);
        return Ok(whole.bytes);
    }
    let fields = pairs(fields, "/data_body")?;
    let (content_type, body) = upload::multipart(&fields, &parts, boundary);
    headers.push("Content-Type", content_type);
    Ok(body)
}

fn url(
    action: &Action,
    base: &str,
    path_parameters: Option<&Value>,
    parameters: Option<&Value>,
) -> Result<String, Error> {
    let pairs = pairs(parameters, "/parameters")?;
    let endpoint = &action.meta.endpoint;
    let path_only = !base.contains(['?', '#']);
    // Most have nothing to encode.
    if path_only && pairs.is_empty() && endpoint.bytes().all(stands_for_itself) {
        let base = base.trim_end_matches('/');
        return Ok(format!("{base}/{endpoint}"));
    }
    let mut url = Url::parse(base).map_err(|error| {
        Error::new(
            Kind::InvalidAsset,
            format!("the asset's URL cannot be used: {error}"),
        )
    })?;
    let mut path = url.path().trim_end_matches('/').to_owned();
    for segment in endpoint.split('/') {
        path.push('/');
        path.extend(utf8_percent_encode(
            &fill(segment, path_parameters)?,
            RESERVED,
        ));
    }
    url.set_path(&path);
    // What stands there is what was meant, or nothing is sent.
    if url.path() != path {
        return Err(misplaced(
            "/path_parameters".to_owned(),
            "cannot stand in a path",
        ));
    }
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url.into())
}

fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_')
}

/// One segment of the path with its placeholder filled; what comes out is encoded as a whole, so a
/// value cannot leave its segment.
fn fill(segment: &str, path_parameters: Option<&Value>) -> Result<String, Error> {
    let Some((before, rest)) = segment.split_once("{{") else {
        return Ok(segment.to_owned());
    };
    let Some((name, after)) = rest.split_once("}}") else {
        return Ok(segment.to_owned());
    };
    let name = name.trim();
    let given = path_parameters.and_then(|parameters| parameters.get(name));
    match given.and_then(scalar) {
        // `.` and `..` would be taken for steps along the path.
        Some(value)
            if !["", ".", ".."].contains(&value.as_str()) && !value.contains(char::is_control) =>
        {
            Ok(format!("{before}{value}{after}"))
        }
        _ => {
            let mut error = misplaced(
                format!("/path_parameters/{name}"),
                "must be a text or a whole number that can stand in a path",
            );
            if let Some(Value::Number(found)) = given {
                for detail in &mut error.details {
                    detail.expected = Some("a whole number below 2^53".to_owned());
                    detail.found = Some(found.to_string());
                }
            }
            Err(error)
        }
    }
}

/// Name and value pairs; an array repeats its name, `null` leaves it out.
fn pairs(section: Option<&Value>, at: &str) -> Result<Vec<(String, String)>, Error> {
    let members = match section {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(members)) => members,
        Some(other) => {
            return Err(misplaced(
                at.to_owned(),
                &format!("must be an object, not {}", a_kind_of(other)),
            ));
        }
    };
    let mut pairs = Vec::new();
    for (name, value) in members {
        let values = match value {
            Value::Null => continue,
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let text = scalar(value).ok_or_else(|| {
                misplaced(
                    format!("{at}/{name}"),
                    "must be a string, a boolean or a number below 2^53",
                )
            })?;
            if name.contains(char::is_control) || text.contains(char::is_control) {
                return Err(misplaced(
                    format!("{at}/{}", shortened(name)),
                    "holds a control character, such as a line end",
                ));
            }
            pairs.push((name.clone(), text));
        }
    }
    Ok(pairs)
}

fn headers(section: Option<&Value>, retry_key: Option<&str>) -> Result<Headers, Error> {
    let mut headers = Headers::new();
    for (name, value) in pairs(section, "/headers")? {
        if !is_header_name(&name) {
            return Err(misplaced(
                "/headers".to_owned(),
                "holds a name that no header can have",
            ));
        }
        if is_own(&name) {
            return Err(misplaced(
                format!("/headers/{name}"),
                "is set by the connector itself",
            ));
        }
        if !is_header_value(&value) {
            return Err(misplaced(
                format!("/headers/{name}"),
                "must be printable ASCII in one line",
            ));
        }
        if retry_key.is_none() || !name.eq_ignore_ascii_case(RETRY_KEY) {
            headers.push(name, value);
        }
    }
    if let Some(key) = retry_key {
        headers.push(RETRY_KEY, key);
    }
    Ok(headers)
}

fn is_header_name(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(token)
}

/// Whether the connector sets this header itself.
fn is_own(name: &str) -> bool {
    OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str())
}

/// Whether a caller may set a header of this name.
pub(crate) fn may_be_header(name: &str) -> bool {
    is_header_name(name) && !is_own(name) && !name.eq_ignore_ascii_case(RETRY_KEY)
}

fn body(
    headers: &mut Headers,
    json_body: Option<&Value>,
    data_body: Option<&Value>,
) -> Result<Vec<u8>, Error> {
    match (json_body, data_body) {
        (Some(_), Some(_)) => Err(misplaced(
            "/data_body".to_owned(),
            "stands beside `json_body`; a request has one body",
        )),
        (Some(json), None) => {
            headers.push("Content-Type", "application/json");
            let mut text = Vec::with_capacity(USUAL_BYTES);
            serde_json::to_writer(&mut text, json)
                .map_err(|_| misplaced("/json_body".to_owned(), "cannot be written as JSON"))?;
            Ok(text)
        }
        (None, Some(Value::String(text))) => {
            headers.push("Content-Type", "text/plain; charset=utf-8");
            Ok(text.clone().into_bytes())
        }
        (None, Some(form)) => {
            headers.push("Content-Type", "application/x-www-form-urlencoded");
            let pairs = pairs(Some(form), "/data_body")?;
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            Ok(text.extend_pairs(pairs).finish().into_bytes())
        }
        (None, None) => Ok(Vec::new()),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => plain(number),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A number as LINE reads it in a path or a query: a whole one has no fraction and no exponent. One
/// beyond what can be told from its neighbours has no such form.
fn plain(number: &Number) -> Option<String> {
    if number.is_i64() || number.is_u64() {
        return Some(number.to_string());
    }
    certain(number)
}

/// The same where a text was meant: a number so large may have been rounded on its way here.
fn certain(number: &Number) -> Option<String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|float| float.abs() < EXACT)?;
    Some(if float.fract() == 0.0 {
        format!("{float:.0}")
    } else {
        number.to_string()
    })
}

fn misplaced(path: String, message: &str) -> Error {
    Error::new(Kind::InvalidInputs, "the request cannot be built")
        .with_details(vec![Detail::new(path, message)])
}

/// The caller's own retry key, if the inputs hold one.
#[must_use]
pub fn retry_key(inputs: &Value) -> Option<&str> {
    retry_key_of(inputs.get("headers")?)
}

/// The same of the section alone.
pub(crate) fn retry_key_of(headers: &Value) -> Option<&str> {
    headers
        .as_object()?
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(RETRY_KEY))
        .and_then(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_base_leads_to_the_same_place_whether_or_not_there_is_something_to_encode() {
        let mut action = Catalog::embedded().action("send_push_message").unwrap();
        "a/b_c".clone_into(&mut action.meta.endpoint);
        for (base, joined) in [
            ("https://h", "https://h/a/b_c"),
            ("https://h/", "https://h/a/b_c"),
            ("http://[::1]:8080/x%20y/", "http://[::1]:8080/x%20y/a/b_c"),
            ("https://h/x?y", "https://h/x/a/b_c?y"),
            ("https://h/?y=/", "https://h/a/b_c?y=/"),
            ("https://h/#y/", "https://h/a/b_c#y/"),
        ] {
            assert_eq!(url(&action, base, None, None).unwrap(), joined);
            let mut expected = Url::parse(joined).unwrap();
            expected.query_pairs_mut().append_pair("name", "é");
            let parameters = json!({"name": "é"});
            let encoded = url(&action, base, None, Some(&parameters)).unwrap();
            assert_eq!(encoded, expected.as_str());
        }
    }
}
