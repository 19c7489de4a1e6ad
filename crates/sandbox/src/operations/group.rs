//! Group chats: their summary, who is in them, and leaving.

use serde_json::json;

use super::chat_members::{self, GROUP};
use crate::http::Answer;
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/group/{groupId}/summary", summary),
    Route::bot("GET", "/v2/bot/group/{groupId}/members/count", |turn| {
        chat_members::count(turn, GROUP)
    }),
    Route::bot("GET", "/v2/bot/group/{groupId}/members/ids", |turn| {
        chat_members::member_ids(turn, GROUP)
    }),
    Route::bot("GET", "/v2/bot/group/{groupId}/member/{userId}", |turn| {
        chat_members::member(turn, GROUP)
    }),
    Route::bot("POST", "/v2/bot/group/{groupId}/leave", leave),
];

fn summary(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = chat_members::joined(turn, GROUP)?;
    let body = json!({
        "groupId": id,
        "groupName": "Sandbox group",
        "pictureUrl": "https://profile.line-scdn.net/sandbox-group",
    });
    Ok(Answer::json(200, &body))
}

fn leave(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = chat_members::joined(turn, GROUP)?;
    turn.state.left_chats.insert(id);
    Ok(Answer::json(200, &json!({})))
}
