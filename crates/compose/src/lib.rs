//! Messages as people write them, turned into LINE's message objects, with a report of what became of
//! each part. It is pure: nothing is fetched, read or drawn at random; the same items give the same
//! messages. What it makes passes LINE's limits, or it says what is wrong.
//!
//! An *item* is a plain string, a *generic message* in the field names of Sinch's Conversation API, or
//! one of LINE's own objects, which have a `type` and pass through untouched. All three may stand in one
//! list.
//!
//! ```
//! use line_connector_compose::{Options, compose};
//! use serde_json::json;
//!
//! let items = [json!("Hello [emoji:5ac21a8c040ab15980c9b43f:001]"), json!({"choice_message": {
//!     "text_message": {"text": "Pick a slot"},
//!     "choices": [{"text_message": {"text": "Morning"}, "postback_data": "slot=am"}],
//! }})];
//! let composed = compose(&items, &Options::default()).unwrap();
//! assert_eq!(composed.messages[0]["text"], "Hello {e1}");
//! assert_eq!(composed.messages[1]["template"]["type"], "buttons");
//! assert!(composed.report.is_empty());
//! ```
//!
//! | what you write | what LINE gets | beyond a limit |
//! |---|---|---|
//! | a string, `text_message` | `text`; with LINE emoji `textV2` | several messages |
//! | `media_message` | `image`, `video`, `audio` by the URL's ending | other files become links |
//! | `choice_message` | buttons template, on request confirm template or quick replies | Flex |
//! | `card_message` | buttons template | Flex |
//! | `carousel_message` | carousel template | Flex carousel, then several |
//! | `location_message` | `location` | texts are shortened |
//! | `list_message` | Flex: rows, or bubbles where most items have pictures | several bubbles |
//! | `contact_info_message` | Flex; as text with `render: template` | several bubbles |
//! | `template_message` | the messages kept under its name in `templates` | |
//! | `explicit_channel_message.LINE` | its messages, as they are | |
//!
//! Visible texts are shortened between grapheme clusters, end in `…` and are reported; URLs, data, IDs,
//! numbers and JSON are never shortened.

mod card;
mod choice;
mod composer;
mod contact;
mod emoji;
mod explain;
mod explicit;
mod flex;
mod item;
mod link;
mod list;
mod location;
mod markdown;
mod media;
mod message;
mod options;
mod report;
mod rich;
mod sinch;
mod stored;
mod text;

use line_connector_text::length::json_bytes;
use serde_json::{Map, Value};

use composer::Composer;
pub use emoji::shorthand;
pub use explain::schema;
pub use options::{Choices, Emoji, Markdown, Options, Render, Split, TextChoice};
use report::Place;
pub use report::{Change, Code, Problem, What};
pub use sinch::{SendRequest, send_request};

/// The most messages that the items of one call become.
const MAX_MESSAGES: usize = 1_000;
/// The most that these have as JSON, bytes.
const MAX_BYTES: usize = 4 << 20;
/// The most values in the JSON text of LINE's own messages.
const MAX_VALUES: usize = 100_000;
/// After so many problems nobody reads on.
const MAX_PROBLEMS: usize = 1_000;

/// Whether an item is to be composed: a text or a generic message. LINE's own objects, and what is
/// neither, are left to LINE's rules.
#[must_use]
pub fn is_generic(item: &Value) -> bool {
    match item {
        Value::String(_) => true,
        Value::Object(members) => {
            !members.contains_key("type")
                && members
                    .keys()
                    .any(|name| name.ends_with("_message") || name == "agent")
        }
        _ => false,
    }
}

/// What items became.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Composed {
    /// LINE's message objects, in order. There may be more than one request takes.
    pub messages: Vec<Value>,
    /// For each message, the JSON pointer to the item, or to its body, that it comes from.
    pub origins: Vec<String>,
    /// Everything that differs from what was written.
    pub report: Vec<Change>,
    /// What the items ask of the request itself, as members of its body beside `messages`:
    /// `customAggregationUnits`, `notificationDisabled`.
    pub request: Map<String, Value>,
}

/// Turns items into LINE's message objects.
///
/// # Errors
///
/// All that is wrong with the items, each with a JSON pointer into them; with `strict` every loss, too.
pub fn compose(items: &[Value], options: &Options) -> Result<Composed, Vec<Problem>> {
    let mut done = Composed::default();
    let mut problems = Vec::new();
    let mut bytes = 0;
    for (index, item) in items.iter().enumerate() {
        let mut composer = Composer::new(item, options, index + 1 == items.len());
        let place = Place::item(index);
        for (message, origin) in composer.item(item, &place) {
            bytes += json_bytes(&message);
            done.messages.push(message);
            done.origins.push(origin);
        }
        let is_too_large = done.messages.len() > MAX_MESSAGES || bytes > MAX_BYTES;
        if is_too_large {
            problems.push(Problem::too_large(&place));
        }
        done.request.append(&mut composer.request);
        done.report.append(&mut composer.report.changes);
        problems.append(&mut composer.report.problems);
        if is_too_large || problems.len() > MAX_PROBLEMS {
            break;
        }
    }
    if options.strict {
        problems.extend(
            done.report
                .iter()
                .filter(|change| change.what.is_loss())
                .map(loss),
        );
    }
    if problems.is_empty() {
        Ok(done)
    } else {
        Err(problems)
    }
}

/// A loss as a problem.
fn loss(change: &Change) -> Problem {
    Problem {
        path: change.path.clone(),
        code: Code::BadRequest,
        message: change.message.clone(),
        expected: change.limit.map(|limit| format!("at most {limit}")),
        found: change.found.map(|found| found.to_string()),
        hint: Some("`strict` allows no loss".to_owned()),
    }
}
