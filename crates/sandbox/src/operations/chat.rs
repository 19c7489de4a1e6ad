//! What a user sees in a chat: the loading animation, and messages marked as read by token or by
//! user. The sandbox shows nobody a chat, so a good call changes nothing.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::ids::is_user;
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/chat/loading/start", loading),
    Route::bot("POST", "/v2/bot/chat/markAsRead", by_token),
    Route::bot("POST", "/v2/bot/message/markAsRead", by_user),
];

/// LINE says nothing about how a token looks; anything shorter is taken for an invented one.
const SHORTEST_TOKEN: usize = 10;

fn by_token(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    const NAME: &str = "markAsReadToken";
    let body = turn.call.json()?;
    match body.get(NAME) {
        None | Some(Value::Null) => Err(Answer::invalid("May not be empty", NAME)),
        Some(Value::String(token)) if token.is_empty() => {
            Err(Answer::invalid("May not be empty", NAME))
        }
        Some(Value::String(token))
            if token.len() >= SHORTEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic()) =>
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

fn by_user(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    match body.pointer("/chat/userId").and_then(Value::as_str) {
        Some(id) if is_user(id) => Ok(Answer::json(200, &json!({}))),
        // LINE's answer names a property that no caller has.
        _ => Err(Answer::invalid_property("'chat.chatId'")),
    }
}

fn loading(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    let mut details = Vec::new();
    let mut complain = |message: &str, property: &str| {
        details.push(json!({ "message": message, "property": property }));
    };
    match body.get("chatId") {
        None | Some(Value::Null) => complain("May not be empty", "chatId"),
        Some(Value::String(id)) if is_user(id) => {}
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
