//! Account linking: link tokens.

use serde_json::json;

use super::request::user_in_path;
use crate::http::Answer;
use crate::ids::new_hex;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[Route::bot(
    "POST",
    "/v2/bot/user/{userId}/linkToken",
    link_token,
)];

fn link_token(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    user_in_path(ctx)?;
    Ok(Answer::json(200, &json!({ "linkToken": new_hex() })))
}
