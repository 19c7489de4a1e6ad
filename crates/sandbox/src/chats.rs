//! Group chats and multi-person chats: who is in them, and leaving. The account is in every chat
//! whose ID is well formed until it leaves; the members are the sandbox's first people.

use serde_json::json;

use super::exchange::Answer;
use super::pages;
use super::people::{member_profile, number, user_id, user_in_path, verified_only};
use super::routes::Route;
use super::send::has_id_shape;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/group/{groupId}/summary", |turn| {
        summary(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/group/{groupId}/members/count", |turn| {
        count(turn, GROUP).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/group/{groupId}/members/ids", |turn| {
        member_ids(turn, GROUP).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/group/{groupId}/member/{userId}", |turn| {
        member(turn, GROUP).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("POST", "/v2/bot/group/{groupId}/leave", |turn| {
        leave_group(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/room/{roomId}/members/count", |turn| {
        count(turn, ROOM).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/room/{roomId}/members/ids", |turn| {
        member_ids(turn, ROOM).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/room/{roomId}/member/{userId}", |turn| {
        member(turn, ROOM).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("POST", "/v2/bot/room/{roomId}/leave", |turn| {
        leave_room(turn).unwrap_or_else(|refusal| refusal)
    }),
];

/// LINE's fixed page of member IDs.
const PAGE: u64 = 100;

/// One of the two kinds of chat.
#[derive(Clone, Copy)]
struct Kind {
    parameter: &'static str,
    letter: char,
}

const GROUP: Kind = Kind {
    parameter: "groupId",
    letter: 'C',
};
const ROOM: Kind = Kind {
    parameter: "roomId",
    letter: 'R',
};

/// The chat's ID, if it could be one.
fn id(turn: &Turn<'_>, kind: Kind) -> Result<String, Answer> {
    let id = turn.parameter(kind.parameter);
    if id.starts_with(kind.letter) && has_id_shape(id) {
        return Ok(id.to_owned());
    }
    Err(Answer::invalid_parameter(kind.parameter))
}

/// The ID of a chat that the account is in.
fn joined(turn: &Turn<'_>, kind: Kind) -> Result<String, Answer> {
    let id = id(turn, kind)?;
    if turn.state.left_chats.contains(&id) {
        return Err(Answer::message(404, "Not found"));
    }
    Ok(id)
}

fn summary(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = joined(turn, GROUP)?;
    let body = json!({
        "groupId": id,
        "groupName": "Sandbox group",
        "pictureUrl": "https://profile.line-scdn.net/sandbox-group",
    });
    Ok(Answer::json(200, &body))
}

fn count(turn: &mut Turn<'_>, kind: Kind) -> Result<Answer, Answer> {
    joined(turn, kind)?;
    let body = json!({ "count": turn.settings.group_size });
    Ok(Answer::json(200, &body))
}

fn member_ids(turn: &mut Turn<'_>, kind: Kind) -> Result<Answer, Answer> {
    verified_only(turn.settings)?;
    joined(turn, kind)?;
    let total = turn.settings.group_size;
    pages::answer(turn, "memberIds", PAGE, total, |_, number| {
        Some(json!(user_id(number)))
    })
}

fn member(turn: &mut Turn<'_>, kind: Kind) -> Result<Answer, Answer> {
    joined(turn, kind)?;
    let number = number(&user_in_path(turn)?).filter(|number| *number < turn.settings.group_size);
    let number = number.ok_or_else(|| Answer::message(404, "Not found"))?;
    Ok(Answer::json(200, &member_profile(number)))
}

fn leave_group(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = joined(turn, GROUP)?;
    turn.state.left_chats.insert(id);
    Ok(Answer::json(200, &json!({})))
}

/// Leaving a room that was left before is no error, unlike a group.
fn leave_room(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = id(turn, ROOM)?;
    turn.state.left_chats.insert(id);
    Ok(Answer::json(200, &json!({})))
}
