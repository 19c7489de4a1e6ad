//! Rich menus: the menus themselves, their images, who sees which, batches and aliases. This file
//! has the routes and what the others share.

mod alias;
mod batch;
mod image;
mod link;
mod menu;

use serde_json::json;

use crate::http::Answer;
use crate::route::Route;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/richmenu", |turn| {
        Answer::either(menu::create(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/validate", |turn| {
        Answer::either(menu::validate(turn))
    }),
    Route::bot("GET", "/v2/bot/richmenu/list", menu::list),
    Route::bot("GET", "/v2/bot/richmenu/{richMenuId}", |turn| {
        Answer::either(menu::get(turn))
    }),
    Route::bot("DELETE", "/v2/bot/richmenu/{richMenuId}", |turn| {
        Answer::either(menu::delete(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/{richMenuId}/content", |turn| {
        Answer::either(image::upload(turn))
    }),
    Route::bot("GET", "/v2/bot/richmenu/{richMenuId}/content", |turn| {
        Answer::either(image::download(turn))
    }),
    Route::bot("POST", "/v2/bot/user/all/richmenu/{richMenuId}", |turn| {
        Answer::either(link::set_default(turn))
    }),
    Route::bot("GET", "/v2/bot/user/all/richmenu", |turn| {
        Answer::either(link::get_default(turn))
    }),
    Route::bot("DELETE", "/v2/bot/user/all/richmenu", link::clear_default),
    Route::bot(
        "POST",
        "/v2/bot/user/{userId}/richmenu/{richMenuId}",
        |turn| Answer::either(link::link(turn)),
    ),
    Route::bot("GET", "/v2/bot/user/{userId}/richmenu", |turn| {
        Answer::either(link::of_user(turn))
    }),
    Route::bot("DELETE", "/v2/bot/user/{userId}/richmenu", |turn| {
        Answer::either(link::unlink(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/bulk/link", |turn| {
        Answer::either(link::bulk_link(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/bulk/unlink", |turn| {
        Answer::either(link::bulk_unlink(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/batch", |turn| {
        Answer::either(batch::accept(turn))
    }),
    Route::bot("GET", "/v2/bot/richmenu/progress/batch", |turn| {
        Answer::either(batch::progress(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/validate/batch", |turn| {
        Answer::either(batch::validate(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/alias", |turn| {
        Answer::either(alias::create(turn))
    }),
    Route::bot("GET", "/v2/bot/richmenu/alias/list", alias::list),
    Route::bot("GET", "/v2/bot/richmenu/alias/{richMenuAliasId}", |turn| {
        Answer::either(alias::get(turn))
    }),
    Route::bot("POST", "/v2/bot/richmenu/alias/{richMenuAliasId}", |turn| {
        Answer::either(alias::update(turn))
    }),
    Route::bot(
        "DELETE",
        "/v2/bot/richmenu/alias/{richMenuAliasId}",
        |turn| Answer::either(alias::delete(turn)),
    ),
];

/// `richmenu-` and 32 lower-case hex digits, as in all of LINE's samples.
fn is_menu_id(text: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("richmenu-")
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(hex))
}

fn not_found() -> Answer {
    Answer::message(404, "Not found")
}

/// A refusal in the words of the rich menu service, which always adds `details`.
fn refusal(status: u16, text: &str) -> Answer {
    Answer::json(status, &json!({ "message": text, "details": [] }))
}
