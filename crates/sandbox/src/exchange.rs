//! One call and its answer as the sandbox sees them, and the few body shapes LINE answers in. It
//! does not know any operation.

use serde_json::{Value, json};

use super::body::Body;
use super::errand::Errand;
use line_connector_http::Headers;
use line_connector_http::Secret;

/// LINE refuses larger request bodies.
pub(super) const BODY_CAP: usize = 2 * 1024 * 1024;

/// A request as it came in, however it came in.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// All fields but `Authorization`.
    pub(super) headers: Headers,
    /// The value of `Authorization`, scheme included.
    pub(super) authorization: Option<Secret>,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// Splits an absolute URL or a request target; the host does not matter.
    pub(super) fn new(method: &str, target: &str) -> Self {
        let local = match target.split_once("://") {
            Some((_, rest)) => rest.find(['/', '?']).map_or("", |start| &rest[start..]),
            None => target,
        };
        let local = local.split('#').next().unwrap_or_default();
        let (path, query) = local.split_once('?').unwrap_or((local, ""));
        Self {
            method: method.to_owned(),
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            query: query.to_owned(),
            headers: Headers::new(),
            authorization: None,
            body: Vec::new(),
        }
    }

    /// The token behind `Bearer`, if that is how the call is authorised.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.as_ref()?.expose().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The first value of a query parameter.
    pub(super) fn query_value(&self, name: &str) -> Option<String> {
        first(&decode_form(&self.query), name)
    }

    /// All values of a query parameter that may be repeated; `a,b` in one value counts as two.
    pub(super) fn query_values(&self, name: &str) -> Vec<String> {
        decode_form(&self.query)
            .into_iter()
            .filter(|(known, _)| known == name)
            .flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// The fields of a form body; `None` where the content type says that it is none.
    pub(super) fn form(&self) -> Option<Form> {
        let text = std::str::from_utf8(&self.body).ok()?;
        (self.media_type() == "application/x-www-form-urlencoded").then(|| Form(decode_form(text)))
    }

    /// The body as JSON, or LINE's answer to a body that is not JSON.
    pub(super) fn json(&self) -> Result<Value, Answer> {
        let media_type = self.media_type();
        if media_type != "application/json" {
            return Err(Answer::unsupported(&media_type));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let place = format!("(line: {line}, column: {column})");
            let text = format!("The request body could not be parsed as JSON {place}");
            Answer::message(400, &text)
        })
    }

    /// The content type without its parameters, in lower case.
    pub(super) fn media_type(&self) -> String {
        let value = self.headers.get("content-type").unwrap_or_default();
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }
}

/// Decoded form fields in their order.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        first(&self.0, name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

fn first(pairs: &[(String, String)], name: &str) -> Option<String> {
    pairs
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.clone())
}

/// Decodes `a=1&b=2`, the shape of both queries and form bodies.
pub(super) fn decode_form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name, true), decode(value, true)))
        .collect()
}

/// Undoes percent-encoding; a stray `%` stays as it is.
pub(super) fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let pair = bytes
            .get(index + 1..index + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let escaped = pair.filter(|pair| !pair.contains('+'));
        match escaped.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) if byte == b'%' => {
                decoded.push(value);
                index += 3;
                continue;
            }
            _ if byte == b'+' && plus_is_space => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// What goes back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Body,
    /// What has to be sent first; the true answer is what comes of it.
    pub(super) errand: Option<Box<Errand>>,
}

impl Answer {
    /// A body of any bytes and type.
    pub(super) fn raw(status: u16, content_type: &str, body: impl Into<Body>) -> Self {
        Self::binary(status, Some(content_type), body)
    }

    /// A body whose type may be left unsaid.
    pub(super) fn binary(status: u16, content_type: Option<&str>, body: impl Into<Body>) -> Self {
        let mut headers = Headers::new();
        if let Some(content_type) = content_type {
            headers.push("content-type", content_type);
        }
        Self {
            status,
            headers,
            body: body.into(),
            errand: None,
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json", body.to_string())
    }

    /// `{"message": …}`, LINE's usual error.
    pub(super) fn message(status: u16, text: &str) -> Self {
        Self::json(status, &json!({ "message": text }))
    }

    /// `{"error": …, "error_description": …}`, as the token endpoints refuse.
    pub(super) fn oauth(error: &str, description: &str) -> Self {
        Self::json(
            400,
            &json!({ "error": error, "error_description": description }),
        )
    }

    /// A refused property outside the message objects.
    pub(super) fn invalid_property(property: &str) -> Self {
        let place = "in the request body is invalid (line: -, column: -)";
        Self::message(400, &format!("The property, {property}, {place}"))
    }

    /// A content type that this operation does not take.
    pub(super) fn unsupported(media_type: &str) -> Self {
        Self::message(
            415,
            &format!("The content type, {media_type}, is not supported"),
        )
    }

    /// The answer of an operation that went well or was cut short.
    pub(super) fn either(outcome: Result<Self, Self>) -> Self {
        outcome.unwrap_or_else(|refusal| refusal)
    }

    /// A refused parameter of the path or the query.
    pub(super) fn invalid_parameter(name: &str) -> Self {
        Self::message(
            400,
            &format!("The value for the '{name}' parameter is invalid"),
        )
    }

    /// What the edge in front of LINE's API answers: HTML, whatever the client asked for.
    pub(super) fn html(status: u16) -> Self {
        let reason = reason(status);
        let page = format!(
            "<HTML><HEAD><TITLE>{reason}</TITLE></HEAD><BODY><H1>{status} {reason}</H1></BODY></HTML>"
        );
        Self::raw(status, "text/html", page)
    }

    /// This answer, unless the errand can be run.
    pub(super) fn after(self, errand: Errand) -> Self {
        Self {
            errand: Some(Box::new(errand)),
            ..self
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }
}

/// The reason phrase that belongs to a status code.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        423 => "Locked",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_split_whatever_the_host() {
        for target in ["https://api.line.me/v2/bot/info?a=b#c", "/v2/bot/info?a=b"] {
            let call = Call::new("GET", target);
            assert_eq!(
                (call.path.as_str(), call.query.as_str()),
                ("/v2/bot/info", "a=b")
            );
        }
        assert_eq!(Call::new("GET", "https://api.line.me").path, "/");
        assert_eq!(Call::new("GET", "https://api.line.me?x=1").query, "x=1");
    }

    #[test]
    fn percent_encoding_is_undone_and_strays_are_kept() {
        assert_eq!(decode("a%20b+c%E3%81%82", true), "a b cあ");
        assert_eq!(decode("a+b", false), "a+b");
        assert_eq!(decode("100%", true), "100%");
        assert_eq!(decode("%zz%+1", true), "%zz% 1");
    }
}
