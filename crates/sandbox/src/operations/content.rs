//! Downloads of what users sent: the content, its preview, and whether it is prepared yet.

use serde_json::json;

use crate::content::{Content, ContentBytes, ContentFate, ContentKind, PIXEL};
use crate::http::{Answer, Body};
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/message/{messageId}/content", download),
    Route::bot(
        "GET",
        "/v2/bot/message/{messageId}/content/preview",
        preview,
    ),
    Route::bot(
        "GET",
        "/v2/bot/message/{messageId}/content/transcoding",
        transcoding,
    ),
];

/// What was sent under the message ID in the path, unless it is gone.
fn find(turn: &Turn<'_>) -> Result<Content, Answer> {
    let id = turn.parameter("messageId");
    let played = turn.state.played.contents.get(id);
    match played.or_else(|| turn.settings.contents.get(id)) {
        None => Err(Answer::message(404, "not found")),
        Some(content) if content.fate == ContentFate::Unsent => {
            Err(Answer::message(410, "The content is gone"))
        }
        Some(content) => Ok(content.clone()),
    }
}

/// Whether something is ready now; to ask is what makes it ready in the end.
fn is_ready(turn: &mut Turn<'_>, content: &Content) -> bool {
    let ContentFate::Preparing(needed) = content.fate else {
        return content.fate == ContentFate::Ready;
    };
    let id = turn.parameter("messageId").to_owned();
    let polls = turn.state.polls.entry(id).or_default();
    let ready = *polls >= needed;
    *polls = polls.saturating_add(1);
    ready
}

fn download(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let content = find(turn)?;
    if content.fate == ContentFate::Failed {
        return Err(Answer::message(404, "not found"));
    }
    if !is_ready(turn, &content) {
        return Ok(Answer::binary(202, None, Vec::new()));
    }
    let body = match content.bytes {
        ContentBytes::Given(bytes) => Body::from(bytes),
        ContentBytes::Filler(length) => Body::Filler(length),
    };
    Ok(Answer::binary(200, content.content_type.as_deref(), body))
}

fn preview(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    match find(turn)?.kind {
        ContentKind::Image | ContentKind::Video => {
            Ok(Answer::binary(200, Some("image/png"), PIXEL.to_vec()))
        }
        ContentKind::Audio | ContentKind::File => {
            Err(Answer::message(400, "The content can not be previewed"))
        }
    }
}

fn transcoding(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let content = find(turn)?;
    if matches!(content.kind, ContentKind::Image | ContentKind::File) {
        let text = "Transcoding status doesn't support this type of content";
        return Err(Answer::message(400, text));
    }
    let status = match content.fate {
        ContentFate::Failed => "failed",
        _ if is_ready(turn, &content) => "succeeded",
        _ => "processing",
    };
    Ok(Answer::json(200, &json!({ "status": status })))
}
