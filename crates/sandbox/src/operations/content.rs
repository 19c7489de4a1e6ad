//! Downloads of content that users sent, its preview, and its transcoding status.

use serde_json::json;

use crate::content::{Content, ContentBytes, ContentFate, ContentKind, PIXEL};
use crate::http::{Answer, Body};
use crate::route::Route;
use crate::state::Context;

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

/// The content of the message in the path.
fn find(ctx: &Context<'_>) -> Result<Content, Answer> {
    let id = ctx.parameter("messageId");
    let played = ctx.state.played.contents.get(id);
    match played.or_else(|| ctx.settings.contents.get(id)) {
        None => Err(Answer::message(404, "not found")),
        Some(content) if content.fate == ContentFate::Unsent => {
            Err(Answer::message(410, "The content is gone"))
        }
        Some(content) => Ok(content.clone()),
    }
}

/// Whether content is ready. Each call brings content in preparation a step closer.
fn is_ready(ctx: &mut Context<'_>, content: &Content) -> bool {
    let ContentFate::Preparing(needed) = content.fate else {
        return content.fate == ContentFate::Ready;
    };
    let id = ctx.parameter("messageId").to_owned();
    let polls = ctx.state.content_polls.entry(id).or_default();
    let ready = *polls >= needed;
    *polls = polls.saturating_add(1);
    ready
}

fn download(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let content = find(ctx)?;
    if content.fate == ContentFate::Failed {
        return Err(Answer::message(404, "not found"));
    }
    if !is_ready(ctx, &content) {
        return Ok(Answer::binary(202, None, Vec::new()));
    }
    let body = match content.bytes {
        ContentBytes::Given(bytes) => Body::from(bytes),
        ContentBytes::Filler(length) => Body::Filler(length),
    };
    Ok(Answer::binary(200, content.content_type.as_deref(), body))
}

fn preview(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    match find(ctx)?.kind {
        ContentKind::Image | ContentKind::Video => {
            Ok(Answer::binary(200, Some("image/png"), PIXEL.to_vec()))
        }
        ContentKind::Audio | ContentKind::File => {
            Err(Answer::message(400, "The content can not be previewed"))
        }
    }
}

fn transcoding(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let content = find(ctx)?;
    if matches!(content.kind, ContentKind::Image | ContentKind::File) {
        let text = "Transcoding status doesn't support this type of content";
        return Err(Answer::message(400, text));
    }
    let status = match content.fate {
        ContentFate::Failed => "failed",
        _ if is_ready(ctx, &content) => "succeeded",
        _ => "processing",
    };
    Ok(Answer::json(200, &json!({ "status": status })))
}
