//! Account linking: the token with which a user is taken to the linking page.

use serde_json::json;

use super::request::user_in_path;
use crate::http::Answer;
use crate::ids::fresh_hex;
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[Route::bot(
    "POST",
    "/v2/bot/user/{userId}/linkToken",
    link_token,
)];

fn link_token(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    user_in_path(turn)?;
    Ok(Answer::json(200, &json!({ "linkToken": fresh_hex() })))
}
