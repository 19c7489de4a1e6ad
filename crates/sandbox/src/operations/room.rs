//! Multi-person chats, which the API calls rooms: who is in them, and leaving.

use serde_json::json;

use super::chat_members::{self, ROOM};
use crate::http::Answer;
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/room/{roomId}/members/count", |turn| {
        chat_members::count(turn, ROOM)
    }),
    Route::bot("GET", "/v2/bot/room/{roomId}/members/ids", |turn| {
        chat_members::member_ids(turn, ROOM)
    }),
    Route::bot("GET", "/v2/bot/room/{roomId}/member/{userId}", |turn| {
        chat_members::member(turn, ROOM)
    }),
    Route::bot("POST", "/v2/bot/room/{roomId}/leave", leave),
];

/// Leaving a room that was left before is no error, unlike a group.
fn leave(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = chat_members::id(turn, ROOM)?;
    turn.state.left_chats.insert(id);
    Ok(Answer::json(200, &json!({})))
}
