//! Mission stickers: a valid request is accepted, and nothing is delivered.

use serde_json::Value;

use crate::http::Answer;
use crate::ids::is_user_id;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[Route::bot("POST", "/shop/v3/mission", send)];

fn send(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let well_formed = text("to").is_some_and(is_user_id)
        && text("productType") == Some("STICKER")
        && body.get("sendPresentMessage") == Some(&Value::Bool(false));
    let Some(package) = text("productId").filter(|_| well_formed) else {
        return Err(Answer::message(400, "invalid request"));
    };
    if package.is_empty() || !package.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Answer::message(404, "not found"));
    }
    Ok(Answer::raw(200, "application/json", ""))
}
