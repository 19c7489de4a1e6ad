//! What group chats and multi-person chats have in common. The account is in every chat whose ID is
//! well formed until it leaves; the members are the sandbox's first people.

use serde_json::{Value, json};

use super::request::{user_in_path, verified_only};
use crate::http::Answer;
use crate::ids::{has_id_shape, person_number, user_id};
use crate::paging;
use crate::state::Turn;

/// LINE's fixed page of member IDs.
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

/// The chat's ID, if it could be one.
pub(crate) fn id(turn: &Turn<'_>, kind: ChatKind) -> Result<String, Answer> {
    let id = turn.parameter(kind.parameter);
    if id.starts_with(kind.letter) && has_id_shape(id) {
        return Ok(id.to_owned());
    }
    Err(Answer::invalid_parameter(kind.parameter))
}

/// The ID of a chat that the account is in.
pub(crate) fn joined(turn: &Turn<'_>, kind: ChatKind) -> Result<String, Answer> {
    let id = id(turn, kind)?;
    if turn.state.left_chats.contains(&id) {
        return Err(Answer::message(404, "Not found"));
    }
    Ok(id)
}

pub(crate) fn count(turn: &mut Turn<'_>, kind: ChatKind) -> Result<Answer, Answer> {
    joined(turn, kind)?;
    let body = json!({ "count": turn.settings.group_size });
    Ok(Answer::json(200, &body))
}

pub(crate) fn member_ids(turn: &mut Turn<'_>, kind: ChatKind) -> Result<Answer, Answer> {
    verified_only(turn.settings)?;
    joined(turn, kind)?;
    let total = turn.settings.group_size;
    paging::answer(turn, "memberIds", PAGE, total, |_, number| {
        Some(json!(user_id(number)))
    })
}

pub(crate) fn member(turn: &mut Turn<'_>, kind: ChatKind) -> Result<Answer, Answer> {
    joined(turn, kind)?;
    let number =
        person_number(&user_in_path(turn)?).filter(|number| *number < turn.settings.group_size);
    let number = number.ok_or_else(|| Answer::message(404, "Not found"))?;
    Ok(Answer::json(200, &member_profile(number)))
}

/// The profile that members of a chat show, whether or not they are friends.
pub(crate) fn member_profile(number: u64) -> Value {
    let mut profile = json!({
        "displayName": format!("Person {}", number + 1),
        "userId": user_id(number),
    });
    // What LINE leaves out of some profiles, every other person here leaves out.
    if number.is_multiple_of(2) {
        profile["pictureUrl"] = json!(format!("https://profile.line-scdn.net/sandbox{number}"));
    }
    profile
}
