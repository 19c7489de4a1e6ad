//! Statistics: about the account, about messages, about rich menus.

mod account;
mod event;
mod rich_menu;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::route::Route;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot(
        "GET",
        "/v2/bot/insight/message/delivery",
        account::deliveries,
    ),
    Route::bot("GET", "/v2/bot/insight/followers", account::followers),
    Route::bot("GET", "/v2/bot/insight/demographic", account::demographics),
    Route::bot("GET", "/v2/bot/insight/message/event", event::of_request),
    Route::bot(
        "GET",
        "/v2/bot/insight/message/event/aggregation",
        event::of_unit,
    ),
    Route::bot(
        "GET",
        "/v2/bot/insight/richmenu/{richMenuId}/summary",
        rich_menu::summary,
    ),
    Route::bot(
        "GET",
        "/v2/bot/insight/richmenu/{richMenuId}/daily",
        rich_menu::daily,
    ),
];

/// LINE does not report what fewer people did.
const MIN_SHOWN: u64 = 20;

/// A number as LINE reports it: `null` where it is small.
fn masked(number: u64) -> Value {
    if number < MIN_SHOWN {
        Value::Null
    } else {
        json!(number)
    }
}

fn bad_request() -> Answer {
    Answer::message(400, "Bad Request")
}
