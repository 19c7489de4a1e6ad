//! The sandbox's own reading of LINE's rules for message objects: a second opinion, written by hand
//! and sharing nothing with the connector's schemas. It covers the common rules, not every one; a
//! member it does not know is let through, as LINE does.

mod action;
mod count;
mod flex;
mod flex_component;
mod imagemap;
mod message;
mod subject;
mod template;

use serde_json::{Value, json};

use super::exchange::Answer;
use subject::{Findings, Need, Place, Style, Subject};

/// Where messages are going, as far as it decides what they may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chat {
    /// People, one by one.
    User,
    /// A group or multi-person chat.
    Group,
    /// Not known before it is delivered.
    Any,
}

/// LINE's answer to a body with faults in its details.
pub(super) fn refusal(details: &[Value]) -> Answer {
    let message = format!("The request body has {} error(s)", details.len());
    Answer::json(400, &json!({ "message": message, "details": details }))
}

/// The same for a single fault.
pub(super) fn complaint(message: &str, property: &str) -> Answer {
    refusal(&[json!({ "message": message, "property": property })])
}

/// Judges the `messages` of a request body, and nothing else of it.
pub(super) fn messages(body: &Value, chat: Chat) -> Result<(), Answer> {
    judge(body, chat, false)
}

/// Judges what all five sends have in common.
pub(super) fn send(body: &Value, chat: Chat) -> Result<(), Answer> {
    judge(body, chat, true)
}

fn judge(body: &Value, chat: Chat, whole: bool) -> Result<(), Answer> {
    let Some(fields) = body.as_object() else {
        let text = "The request body could not be parsed as JSON (line: 1, column: 1)";
        return Err(Answer::message(400, text));
    };
    let findings = Findings::default();
    let root = Subject {
        fields,
        place: Place::root(Style::Body),
        findings: &findings,
    };
    if whole {
        root.boolean("notificationDisabled");
    }
    for (index, one) in root
        .items("messages", Need::Required, 1..=5)
        .iter()
        .enumerate()
    {
        message::judge(one, index, chat);
    }
    findings.verdict()
}

#[cfg(test)]
mod tests;
