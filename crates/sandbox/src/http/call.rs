//! A request as it reached the sandbox, over a socket or in memory, and what can be read out of it.

use line_connector_http::{Headers, Secret};
use serde_json::Value;

use super::answer::Answer;

/// LINE's limit for request bodies.
pub(crate) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// All header fields but `Authorization`.
    pub(crate) headers: Headers,
    /// The value of `Authorization`, scheme included.
    pub(crate) authorization: Option<Secret>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// Splits an absolute URL or a request target; the host does not matter.
    pub(crate) fn new(method: &str, target: &str) -> Self {
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

    /// The token of a `Bearer` authorization.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.as_ref()?.expose().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The first value of a query parameter.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        first_value(&decode_form(&self.query), name)
    }

    /// All values of a query parameter that may be repeated; `a,b` counts as two.
    pub(crate) fn query_values(&self, name: &str) -> Vec<String> {
        decode_form(&self.query)
            .into_iter()
            .filter(|(known, _)| known == name)
            .flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// The fields of a form body; `None` where the content type is another.
    pub(crate) fn form(&self) -> Option<Form> {
        let text = std::str::from_utf8(&self.body).ok()?;
        (self.media_type() == "application/x-www-form-urlencoded").then(|| Form(decode_form(text)))
    }

    /// The body as JSON, or LINE's answer to a body that is not JSON.
    pub(crate) fn json(&self) -> Result<Value, Answer> {
        let media_type = self.media_type();
        if media_type != "application/json" {
            return Err(Answer::unsupported(&media_type));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let position = format!("(line: {line}, column: {column})");
            let text = format!("The request body could not be parsed as JSON {position}");
            Answer::message(400, &text)
        })
    }

    /// The base URL under which the caller reached the sandbox.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.headers.get("host").unwrap_or("127.0.0.1"))
    }

    /// The content type without its parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
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
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        first_value(&self.0, name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

fn first_value(pairs: &[(String, String)], name: &str) -> Option<String> {
    pairs
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.clone())
}

/// Decodes `a=1&b=2`, the shape of both queries and form bodies.
pub(crate) fn decode_form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (percent_decode(name, true), percent_decode(value, true)))
        .collect()
}

/// Undoes percent-encoding; a `%` that encodes nothing is kept.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> String {
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
        assert_eq!(percent_decode("a%20b+c%E3%81%82", true), "a b cあ");
        assert_eq!(percent_decode("a+b", false), "a+b");
        assert_eq!(percent_decode("100%", true), "100%");
        assert_eq!(percent_decode("%zz%+1", true), "%zz% 1");
    }
}
