//! LINE's own messages inside a generic one, as Sinch sends them: `{"LINE": "{\"messages\": […]}"}`.
//! They are passed on as they are.

use line_connector_text::json::values_at_most;
use line_connector_text::kind::a_kind_of;
use serde_json::{Map, Value};

use crate::MAX_VALUES;
use crate::composer::Composer;
use crate::report::{Place, Problem, What};

/// What the body of a request may have beside the messages.
const REQUEST: [&str; 2] = ["notificationDisabled", "customAggregationUnits"];

impl Composer<'_> {
    /// The messages in what stands for LINE.
    pub(crate) fn explicit(&mut self, line: &Value, place: &Place) -> Vec<Value> {
        let parsed = match line {
            Value::String(text) if values_at_most(text.as_bytes()) > MAX_VALUES => {
                self.report.refuse(Problem::too_large(place));
                return Vec::new();
            }
            Value::String(text) => match serde_json::from_str(text) {
                Ok(parsed) => parsed,
                Err(why) => {
                    let problem = Problem::new(place, format!("is no JSON: {why}"));
                    self.report.refuse(problem.expected(EXPECTED));
                    return Vec::new();
                }
            },
            other => other.clone(),
        };
        let messages = match parsed {
            Value::Array(messages) => messages,
            Value::Object(message) if message.contains_key("type") => vec![Value::Object(message)],
            Value::Object(mut body) => match body.shift_remove("messages") {
                Some(Value::Array(messages)) => {
                    self.beside(body, place);
                    messages
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        if messages.is_empty() {
            let problem = Problem::new(place, "has no messages");
            self.report.refuse(problem.expected(EXPECTED));
        }
        for (index, message) in messages.iter().enumerate() {
            if message.get("type").is_none() {
                let what = a_kind_of(message);
                let problem = Problem::new(
                    place,
                    format!("has, as message {index}, {what} without `type`"),
                );
                self.report
                    .refuse(problem.expected("one of LINE's message objects"));
            }
        }
        messages
    }

    fn beside(&mut self, body: Map<String, Value>, place: &Place) {
        for (name, value) in body {
            if REQUEST.contains(&name.as_str()) {
                self.request.insert(name, value);
            } else {
                let message = format!("`{name}` in it belongs to the request, which has its own");
                self.report.changed(place, What::Dropped, message);
            }
        }
    }
}

/// What a caller should write.
const EXPECTED: &str = r#"JSON such as {"messages": [{"type": "sticker", …}]}"#;
