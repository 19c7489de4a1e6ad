//! Group chats: their summary, who is in them, and leaving.

use serde_json::json;

use super::chat_members::{self, GROUP};
use crate::http::Answer;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/group/{groupId}/summary", summary),
    Route::bot("GET", "/v2/bot/group/{groupId}/members/count", |ctx| {
        chat_members::count(ctx, GROUP)
    }),
    Route::bot("GET", "/v2/bot/group/{groupId}/members/ids", |ctx| {
        chat_members::member_ids(ctx, GROUP)
    }),
    Route::bot("GET", "/v2/bot/group/{groupId}/member/{userId}", |ctx| {
        chat_members::member(ctx, GROUP)
    }),
    Route::bot("POST", "/v2/bot/group/{groupId}/leave", leave),
];

fn summary(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = chat_members::joined(ctx, GROUP)?;
    let body = json!({
        "groupId": id,
        "groupName": "Sandbox group",
        "pictureUrl": "https://profile.line-scdn.net/sandbox-group",
    });
    Ok(Answer::json(200, &body))
}

fn leave(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = chat_members::joined(ctx, GROUP)?;
    ctx.state.left_chats.insert(id);
    Ok(Answer::json(200, &json!({})))
}
