//! Multi-person chats, which the API calls rooms: who is in them, and leaving.

use serde_json::json;

use super::chat_members::{self, ROOM};
use crate::http::Answer;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/room/{roomId}/members/count", |ctx| {
        chat_members::count(ctx, ROOM)
    }),
    Route::bot("GET", "/v2/bot/room/{roomId}/members/ids", |ctx| {
        chat_members::member_ids(ctx, ROOM)
    }),
    Route::bot("GET", "/v2/bot/room/{roomId}/member/{userId}", |ctx| {
        chat_members::member(ctx, ROOM)
    }),
    Route::bot("POST", "/v2/bot/room/{roomId}/leave", leave),
];

/// Unlike leaving a group, leaving a room twice is no error.
fn leave(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = chat_members::id(ctx, ROOM)?;
    ctx.state.left_chats.insert(id);
    Ok(Answer::json(200, &json!({})))
}
