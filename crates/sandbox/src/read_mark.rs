//! Marking messages as read, by token and by user. The sandbox shows nobody a chat, so a good call
//! changes nothing.

use serde_json::{Value, json};

use super::exchange::Answer;
use super::judge::complaint;
use super::routes::Route;
use super::send::is_user;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/chat/markAsRead", |turn| {
        by_token(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("POST", "/v2/bot/message/markAsRead", |turn| {
        by_user(turn).unwrap_or_else(|refusal| refusal)
    }),
];

/// LINE says nothing about how a token looks; anything shorter is taken for an invented one.
const SHORTEST_TOKEN: usize = 10;

fn by_token(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    const NAME: &str = "markAsReadToken";
    let body = turn.call.json()?;
    match body.get(NAME) {
        None | Some(Value::Null) => Err(complaint("May not be empty", NAME)),
        Some(Value::String(token)) if token.is_empty() => Err(complaint("May not be empty", NAME)),
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
