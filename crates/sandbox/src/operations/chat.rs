//! The loading animation, and marking messages as read by token or by user. The sandbox shows no
//! chats, so a valid call changes nothing.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::ids::is_user_id;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/chat/loading/start", loading),
    Route::bot("POST", "/v2/bot/chat/markAsRead", by_token),
    Route::bot("POST", "/v2/bot/message/markAsRead", by_user),
];

/// LINE does not document the format of a token; a shorter one counts as invalid.
const MIN_TOKEN_LENGTH: usize = 10;

fn by_token(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    const NAME: &str = "markAsReadToken";
    let body = ctx.call.json()?;
    match body.get(NAME) {
        None | Some(Value::Null) => Err(Answer::invalid("May not be empty", NAME)),
        Some(Value::String(token)) if token.is_empty() => {
            Err(Answer::invalid("May not be empty", NAME))
        }
        Some(Value::String(token))
            if token.len() >= MIN_TOKEN_LENGTH && token.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(Answer::json(200, &json!({})))
        }
        Some(Value::String(_)) => Err(Answer::message(
            400,
            "Invalid markAsReadToken. Tokens must be used by the bot that received them via Webhook.",
        )),
        Some(_) => Err(Answer::invalid_property(&format!("'{NAME}'"))),
    }
}

fn by_user(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    match body.pointer("/chat/userId").and_then(Value::as_str) {
        Some(id) if is_user_id(id) => Ok(Answer::json(200, &json!({}))),
        // LINE's answer names a property that the request does not have.
        _ => Err(Answer::invalid_property("'chat.chatId'")),
    }
}

fn loading(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let mut details = Vec::new();
    let mut complain = |message: &str, property: &str| {
        details.push(json!({ "message": message, "property": property }));
    };
    match body.get("chatId") {
        None | Some(Value::Null) => complain("May not be empty", "chatId"),
        Some(Value::String(id)) if is_user_id(id) => {}
        Some(_) => complain(
            "Only user id is acceptable, please confirm if there are any group/room ids or illegal ids.",
            "chatId",
        ),
    }
    if let Some(seconds) = body.get("loadingSeconds") {
        let Some(seconds) = seconds.as_i64() else {
            return Err(Answer::invalid_property("'loadingSeconds'"));
        };
        if !(5..=60).contains(&seconds) {
            complain("Must be between 5 and 60", "loadingSeconds");
        }
        if seconds % 5 != 0 {
            complain("must be a multiple of five", "loadingSeconds");
        }
    }
    if details.is_empty() {
        Ok(Answer::json(202, &json!({})))
    } else {
        Err(Answer::invalid_body(&details))
    }
}
