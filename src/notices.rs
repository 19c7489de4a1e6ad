//! What `listen` tells operators on standard error: a line for each notice, for people or for machines.

use line_connector_client::{Clock as _, SystemClock};
use line_connector_core::webhook::moment::Moment;
use line_connector_receiver::{Notice, millis};
use serde_json::{Map, Value};

use crate::args::LogForm;
use crate::terminal::say;

/// What writes notices in this form; without one as whoever reads standard error likes it.
#[must_use]
pub fn teller(form: Option<LogForm>, at_a_terminal: bool) -> fn(&Notice) {
    match form {
        Some(LogForm::Off) => |_| {},
        Some(LogForm::Text) => text,
        None if at_a_terminal => text,
        Some(LogForm::Json) | None => json,
    }
}

fn text(notice: &Notice) {
    say(&format!("{}: {}", notice.level.as_str(), notice.message));
}

fn json(notice: &Notice) {
    let mut line = Map::new();
    let now = Moment::from_millis(millis(SystemClock.now()));
    line.insert("time".to_owned(), serde_json::json!(now));
    line.insert("level".to_owned(), Value::from(notice.level.as_str()));
    line.insert("kind".to_owned(), Value::from(notice.kind));
    line.insert("message".to_owned(), Value::from(notice.message.as_str()));
    line.extend(notice.members.clone());
    say(&Value::Object(line).to_string());
}
