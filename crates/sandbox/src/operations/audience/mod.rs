//! Audiences: made, filled, changed, listed. This file has the routes and what the others share.

mod create;
mod ids;
mod list;
mod retarget;

use serde_json::{Value, json};

use crate::calendar::seconds;
use crate::http::Answer;
use crate::route::Route;
use crate::state::Turn;
use crate::store::audience::{AudienceGroup, Source};

/// The one operation whose body may be larger than any other's.
pub(crate) const FILE_PATH: &str = "/v2/bot/audienceGroup/upload/byFile";

/// 1,500,000 user IDs, a line each, and some.
pub(crate) const FILE_CAP: usize = 64 * 1024 * 1024;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/audienceGroup/upload", create::by_json),
    Route::bot("PUT", "/v2/bot/audienceGroup/upload", create::add_by_json),
    Route::bot("POST", FILE_PATH, create::by_file),
    Route::bot("PUT", FILE_PATH, create::add_by_file),
    Route::bot("POST", "/v2/bot/audienceGroup/click", retarget::click),
    Route::bot("POST", "/v2/bot/audienceGroup/imp", retarget::impression),
    Route::bot(
        "PUT",
        "/v2/bot/audienceGroup/{audienceGroupId}/updateDescription",
        create::rename,
    ),
    Route::bot(
        "DELETE",
        "/v2/bot/audienceGroup/{audienceGroupId}",
        create::delete,
    ),
    Route::bot("GET", "/v2/bot/audienceGroup/{audienceGroupId}", list::get),
    Route::bot("GET", "/v2/bot/audienceGroup/list", list::list),
    Route::bot(
        "GET",
        "/v2/bot/audienceGroup/shared/{audienceGroupId}",
        list::get_shared,
    ),
    Route::bot(
        "GET",
        "/v2/bot/audienceGroup/shared/list",
        list::list_shared,
    ),
];

/// A refusal with one of the audience service's codes.
fn coded(message: &str, code: &str, property: Option<&str>) -> Answer {
    let detail = match property {
        Some(property) => json!({ "message": code, "property": property }),
        None => json!({ "message": code }),
    };
    Answer::json(400, &json!({ "message": message, "details": [detail] }))
}

fn not_found() -> Answer {
    coded("audience group not found", "AUDIENCE_GROUP_NOT_FOUND", None)
}

/// The audience of the path.
fn id_of(turn: &Turn<'_>) -> Result<u64, Answer> {
    let id = turn.parameter("audienceGroupId").parse().ok();
    let id = id.filter(|id| turn.state.audiences.groups.contains_key(id));
    id.ok_or_else(not_found)
}

/// What LINE answers when it is created.
fn announce(id: u64, group: &AudienceGroup) -> Value {
    let mut body = json!({
        "audienceGroupId": id,
        "createRoute": group.create_route(),
        "type": group.kind(),
        "description": group.description,
        "created": seconds(group.created),
        "permission": group.permission(),
        "isIfaAudience": group.is_ifa(),
    });
    if let Some(expires) = group.expires {
        body["expireTimestamp"] = json!(seconds(expires));
    }
    match &group.source {
        Source::Click { request, url } => {
            body["requestId"] = json!(request);
            if let Some(url) = url {
                body["clickUrl"] = json!(url);
            }
        }
        Source::Impression { request } => body["requestId"] = json!(request),
        Source::Upload { .. } | Source::RichMenu => {}
    }
    body
}
