//! LINE's rules for messages, rich menus and coupons, written by hand from LINE's documentation. They
//! share nothing with the connector's schemas: a second opinion that cannot have the same mistakes.
//! They cover the common rules, not all of them. Unknown properties are accepted, as LINE does.

mod action;
mod coupon;
mod flex;
mod flex_component;
mod imagemap;
mod length;
mod message;
mod object;
mod rich_menu;
mod template;

use serde_json::Value;

use crate::http::Answer;
use object::{Need, Object, Path, PathStyle, Violations};

/// The destination of messages, as far as it decides what they may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// Users, each on their own.
    User,
    /// A group or multi-person chat.
    Group,
    /// Unknown until the messages are delivered.
    Any,
}

/// Checks the `messages` of a request body, and nothing else of it.
pub(super) fn check_messages(body: &Value, destination: Destination) -> Result<(), Answer> {
    check_all(body, destination, false)
}

/// Checks the properties that all five kinds of send share.
pub(super) fn check_send(body: &Value, destination: Destination) -> Result<(), Answer> {
    check_all(body, destination, true)
}

/// Checks a rich menu object.
pub(super) fn check_rich_menu(body: &Value) -> Result<(), Answer> {
    check_object(body, PathStyle::RichMenu, rich_menu::check)
}

/// Checks a coupon that is to be created `now`, in UNIX seconds.
pub(super) fn check_coupon(body: &Value, now: i64) -> Result<(), Answer> {
    check_object(body, PathStyle::Coupon, |coupon| coupon::check(coupon, now))
}

fn check_all(body: &Value, destination: Destination, whole: bool) -> Result<(), Answer> {
    check_object(body, PathStyle::Body, |root| {
        if whole {
            root.boolean("notificationDisabled", Need::Optional);
        }
        for (index, message) in root
            .items("messages", Need::Required, 1..=5)
            .iter()
            .enumerate()
        {
            message::check(message, index, destination);
        }
    })
}

fn check_object(
    body: &Value,
    style: PathStyle,
    checks: impl FnOnce(&Object<'_>),
) -> Result<(), Answer> {
    let Some(fields) = body.as_object() else {
        let text = "The request body could not be parsed as JSON (line: 1, column: 1)";
        return Err(Answer::message(400, text));
    };
    let violations = Violations::default();
    checks(&Object {
        fields,
        path: Path::root(style),
        violations: &violations,
    });
    violations.into_result()
}

#[cfg(test)]
mod tests;
