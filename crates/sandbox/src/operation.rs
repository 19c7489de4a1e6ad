//! What operations are called by those who use the sandbox, and how it answers those that it has no
//! handler for: as their examples say.

use serde_json::Value;

use crate::http::{Answer, Call};
use crate::routes::match_path;

/// An operation as its callers know it.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    /// Its names, for faults.
    pub names: Vec<String>,
    /// The method.
    pub method: String,
    /// The path, with `{name}` for a parameter.
    pub template: String,
    /// Whether it asks for no channel access token.
    pub is_open: bool,
    /// What answers it where the sandbox itself knows no such path.
    pub examples: Vec<Example>,
}

/// A request, and what is answered to it.
#[derive(Debug, Clone)]
pub struct Example {
    /// The request's absolute URL.
    pub url: String,
    /// The request's JSON body, or the text of another one.
    pub request: Option<Value>,
    /// The status code of the answer.
    pub status: u16,
    /// Its header fields.
    pub headers: Vec<(String, String)>,
    /// Its JSON body, or the text of another one.
    pub reply: Option<Value>,
}

impl Operation {
    /// Whether a call is one of this operation's.
    pub(crate) fn fits(&self, call: &Call) -> bool {
        self.method == call.method && match_path(&self.template, &call.path).is_some()
    }

    /// The answer of the example that is like the call: the same request; otherwise the first that
    /// succeeds.
    pub(crate) fn answer(&self, call: &Call) -> Option<Answer> {
        let body = str::from_utf8(&call.body).unwrap_or_default();
        let body = match body {
            "" => None,
            text => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))),
        };
        let is_same = |example: &&Example| {
            let told = Call::new(&self.method, &example.url);
            (told.path, told.query) == (call.path.clone(), call.query.clone())
                && example.request == body
        };
        let succeeds = |example: &&Example| (200..300).contains(&example.status);
        let mut examples = self.examples.iter();
        let same = examples.clone().find(is_same);
        let chosen = same.or_else(|| examples.find(succeeds))?;
        Some(chosen.answer())
    }
}

impl Example {
    fn answer(&self) -> Answer {
        let (usual_type, body) = match &self.reply {
            None => ("application/json", String::new()),
            Some(Value::String(text)) => ("text/plain;charset=UTF-8", text.clone()),
            Some(json) => ("application/json", json.to_string()),
        };
        let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
        // The sandbox counts requests by IDs of its own.
        let is_own = |name: &str| is_type(name) || name.eq_ignore_ascii_case("x-line-request-id");
        let own_type = self.headers.iter().find(|(name, _)| is_type(name));
        let content_type = own_type.map_or(usual_type, |(_, value)| value);
        let others = self.headers.iter().filter(|(name, _)| !is_own(name));
        others.fold(
            Answer::raw(self.status, content_type, body),
            |answer, (name, value)| answer.with(&name.to_ascii_lowercase(), value),
        )
    }
}
