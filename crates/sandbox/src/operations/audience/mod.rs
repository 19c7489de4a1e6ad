//! Audiences. This file has the routes and what the others share.

mod create;
mod ids;
mod list;
mod retarget;

use serde_json::{Value, json};

use crate::calendar::unix_seconds;
use crate::http::Answer;
use crate::route::Route;
use crate::state::Context;
use crate::store::audience::{AudienceGroup, Source};

/// The path of the upload by file, whose body may be larger than any other.
pub(crate) const FILE_PATH: &str = "/v2/bot/audienceGroup/upload/byFile";

/// The limit for that body: 1,500,000 user IDs, a line each, fit.
pub(crate) const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

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

/// 400 with one of the codes of LINE's audience service.
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

/// The ID of an existing audience in the path.
fn id_in_path(ctx: &Context<'_>) -> Result<u64, Answer> {
    let id = ctx.parameter("audienceGroupId").parse().ok();
    let id = id.filter(|id| ctx.state.audiences.groups.contains_key(id));
    id.ok_or_else(not_found)
}

/// The properties that LINE shows of every audience.
fn summary(id: u64, group: &AudienceGroup) -> Value {
    let mut body = json!({
        "audienceGroupId": id,
        "createRoute": group.create_route(),
        "type": group.kind(),
        "description": group.description,
        "created": unix_seconds(group.created),
        "permission": group.permission(),
        "isIfaAudience": group.is_ifa(),
    });
    if let Some(expires) = group.expires {
        body["expireTimestamp"] = json!(unix_seconds(expires));
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
