//! Rich menus. This file has the routes and what the others share.

mod alias;
mod batch;
mod image;
mod link;
mod menu;

use serde_json::json;

use crate::http::Answer;
use crate::route::Route;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/richmenu", menu::create),
    Route::bot("POST", "/v2/bot/richmenu/validate", menu::validate),
    Route::bot("GET", "/v2/bot/richmenu/list", menu::list),
    Route::bot("GET", "/v2/bot/richmenu/{richMenuId}", menu::get),
    Route::bot("DELETE", "/v2/bot/richmenu/{richMenuId}", menu::delete),
    Route::bot(
        "POST",
        "/v2/bot/richmenu/{richMenuId}/content",
        image::upload,
    ),
    Route::bot(
        "GET",
        "/v2/bot/richmenu/{richMenuId}/content",
        image::download,
    ),
    Route::bot(
        "POST",
        "/v2/bot/user/all/richmenu/{richMenuId}",
        link::set_default,
    ),
    Route::bot("GET", "/v2/bot/user/all/richmenu", link::get_default),
    Route::bot("DELETE", "/v2/bot/user/all/richmenu", link::clear_default),
    Route::bot(
        "POST",
        "/v2/bot/user/{userId}/richmenu/{richMenuId}",
        link::link,
    ),
    Route::bot("GET", "/v2/bot/user/{userId}/richmenu", link::of_user),
    Route::bot("DELETE", "/v2/bot/user/{userId}/richmenu", link::unlink),
    Route::bot("POST", "/v2/bot/richmenu/bulk/link", link::bulk_link),
    Route::bot("POST", "/v2/bot/richmenu/bulk/unlink", link::bulk_unlink),
    Route::bot("POST", "/v2/bot/richmenu/batch", batch::accept),
    Route::bot("GET", "/v2/bot/richmenu/progress/batch", batch::progress),
    Route::bot("POST", "/v2/bot/richmenu/validate/batch", batch::validate),
    Route::bot("POST", "/v2/bot/richmenu/alias", alias::create),
    Route::bot("GET", "/v2/bot/richmenu/alias/list", alias::list),
    Route::bot(
        "GET",
        "/v2/bot/richmenu/alias/{richMenuAliasId}",
        alias::get,
    ),
    Route::bot(
        "POST",
        "/v2/bot/richmenu/alias/{richMenuAliasId}",
        alias::update,
    ),
    Route::bot(
        "DELETE",
        "/v2/bot/richmenu/alias/{richMenuAliasId}",
        alias::delete,
    ),
];

/// Whether the text is `richmenu-` and 32 lower-case hex digits, as in all of LINE's samples.
fn is_menu_id(text: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("richmenu-")
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(hex))
}

fn not_found() -> Answer {
    Answer::message(404, "Not found")
}

/// An error of LINE's rich menu service, which always has `details`.
fn refusal(status: u16, text: &str) -> Answer {
    Answer::json(status, &json!({ "message": text, "details": [] }))
}
