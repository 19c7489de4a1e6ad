//! Rich menus: the menus themselves, their images, who sees which, batches and aliases. This file
//! has the routes and what is kept; each kind of operation has a file of its own.

mod alias;
mod batch;
mod image;
mod link;
mod menu;

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::exchange::Answer;
use super::progress::Progress;
use super::routes::Route;
use image::Image;

pub(super) const ROUTES: &[Route] = &[
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

/// LINE allows as many menus, and as many aliases.
const MOST: usize = 1000;

/// The rich menus of a channel, and who sees which.
#[derive(Debug, Default)]
pub(super) struct RichMenus {
    /// In the order in which they were created.
    menus: Vec<Menu>,
    default: Option<String>,
    /// The menu of each user that has one, by user ID.
    linked: HashMap<String, String>,
    aliases: BTreeMap<String, String>,
    /// By the request ID under which they were accepted.
    batches: HashMap<String, Progress>,
    resume_keys: HashMap<String, SystemTime>,
}

#[derive(Debug)]
pub(super) struct Menu {
    id: String,
    fields: Map<String, Value>,
    pub(super) created: SystemTime,
    image: Option<Image>,
}

impl Menu {
    /// Whether it can be shown to anyone.
    pub(super) fn has_image(&self) -> bool {
        self.image.is_some()
    }

    /// The bounds of its areas, in order.
    pub(super) fn bounds(&self) -> Vec<Value> {
        let areas = self.fields.get("areas").and_then(Value::as_array);
        let bounds = |area: &Value| area.get("bounds").cloned().unwrap_or_default();
        areas.into_iter().flatten().map(bounds).collect()
    }
}

impl RichMenus {
    pub(super) fn get(&self, id: &str) -> Option<&Menu> {
        self.menus.iter().find(|menu| menu.id == id)
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut Menu> {
        self.menus.iter_mut().find(|menu| menu.id == id)
    }
}

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
