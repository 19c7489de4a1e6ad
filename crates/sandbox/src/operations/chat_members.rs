//! What group chats and multi-person chats share. The account is in every chat with a well-formed ID
//! until it leaves; the members are the first people of the sandbox.

use serde_json::{Value, json};

use super::request::{user_in_path, verified_only};
use crate::http::Answer;
use crate::ids::{has_id_format, person_number, user_id};
use crate::paging;
use crate::state::Context;

/// The fixed size of LINE's pages of member IDs.
const PAGE: u64 = 100;

/// One of the two kinds of chat.
#[derive(Clone, Copy)]
pub(crate) struct ChatKind {
    parameter: &'static str,
    letter: char,
}

pub(crate) const GROUP: ChatKind = ChatKind {
    parameter: "groupId",
    letter: 'C',
};
pub(crate) const ROOM: ChatKind = ChatKind {
    parameter: "roomId",
    letter: 'R',
};

/// The chat ID in the path.
pub(crate) fn id(ctx: &Context<'_>, kind: ChatKind) -> Result<String, Answer> {
    let id = ctx.parameter(kind.parameter);
    if id.starts_with(kind.letter) && has_id_format(id) {
        return Ok(id.to_owned());
    }
    Err(Answer::invalid_parameter(kind.parameter))
}

/// The chat ID in the path, of a chat that the account is in.
pub(crate) fn joined(ctx: &Context<'_>, kind: ChatKind) -> Result<String, Answer> {
    let id = id(ctx, kind)?;
    if ctx.state.left_chats.contains(&id) {
        return Err(Answer::message(404, "Not found"));
    }
    Ok(id)
}

pub(crate) fn count(ctx: &mut Context<'_>, kind: ChatKind) -> Result<Answer, Answer> {
    joined(ctx, kind)?;
    let body = json!({ "count": ctx.settings.group_size });
    Ok(Answer::json(200, &body))
}

pub(crate) fn member_ids(ctx: &mut Context<'_>, kind: ChatKind) -> Result<Answer, Answer> {
    verified_only(ctx.settings)?;
    joined(ctx, kind)?;
    let total = ctx.settings.group_size;
    paging::page(ctx, "memberIds", PAGE, total, |_, number| {
        Some(json!(user_id(number)))
    })
}

pub(crate) fn member(ctx: &mut Context<'_>, kind: ChatKind) -> Result<Answer, Answer> {
    joined(ctx, kind)?;
    let number =
        person_number(&user_in_path(ctx)?).filter(|number| *number < ctx.settings.group_size);
    let number = number.ok_or_else(|| Answer::message(404, "Not found"))?;
    Ok(Answer::json(200, &member_profile(number)))
}

/// The profile of a member of a chat, friend or not.
pub(crate) fn member_profile(number: u64) -> Value {
    let mut profile = json!({
        "displayName": format!("Person {}", number + 1),
        "userId": user_id(number),
    });
    // LINE leaves the picture out of some profiles; here every other person has none.
    if number.is_multiple_of(2) {
        profile["pictureUrl"] = json!(format!("https://profile.line-scdn.net/sandbox{number}"));
    }
    profile
}
