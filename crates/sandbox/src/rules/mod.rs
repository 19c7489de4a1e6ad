//! The sandbox's own reading of LINE's rules for messages, rich menus and coupons: a second opinion, written by hand
//! and sharing nothing with the connector's schemas. It covers the common rules, not every one; a
//! member it does not know is let through, as LINE does.

mod action;
mod count;
mod coupon;
mod flex;
mod flex_component;
mod imagemap;
mod message;
mod rich_menu;
mod subject;
mod template;

use serde_json::Value;

use crate::http::Answer;
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

/// Judges the `messages` of a request body, and nothing else of it.
pub(super) fn messages(body: &Value, chat: Chat) -> Result<(), Answer> {
    judge(body, chat, false)
}

/// Judges what all five sends have in common.
pub(super) fn send(body: &Value, chat: Chat) -> Result<(), Answer> {
    judge(body, chat, true)
}

/// Judges a rich menu object.
pub(super) fn rich_menu(body: &Value) -> Result<(), Answer> {
    examine(body, Style::RichMenu, rich_menu::judge)
}

/// Judges a coupon that is to be created `now`, in UNIX seconds.
pub(super) fn coupon(body: &Value, now: i64) -> Result<(), Answer> {
    examine(body, Style::Coupon, |coupon| coupon::judge(coupon, now))
}

fn judge(body: &Value, chat: Chat, whole: bool) -> Result<(), Answer> {
    examine(body, Style::Body, |root| {
        if whole {
            root.boolean("notificationDisabled", Need::Optional);
        }
        for (index, one) in root
            .items("messages", Need::Required, 1..=5)
            .iter()
            .enumerate()
        {
            message::judge(one, index, chat);
        }
    })
}

fn examine(body: &Value, style: Style, questions: impl FnOnce(&Subject<'_>)) -> Result<(), Answer> {
    let Some(fields) = body.as_object() else {
        let text = "The request body could not be parsed as JSON (line: 1, column: 1)";
        return Err(Answer::message(400, text));
    };
    let findings = Findings::default();
    questions(&Subject {
        fields,
        place: Place::root(style),
        findings: &findings,
    });
    findings.verdict()
}

#[cfg(test)]
mod tests;
