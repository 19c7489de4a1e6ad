//! Audiences of people who opened, or clicked in, a narrowcast or broadcast.

use std::time::Duration;

use serde_json::Value;

use super::coded;
use super::create::{admit, name, text};
use crate::http::Answer;
use crate::state::Context;
use crate::store::audience::{AudienceGroup, Source};
use crate::store::statistics;

/// The age up to which a message can be made an audience of.
const MAX_MESSAGE_AGE: Duration = Duration::from_hours(60 * 24);

pub(crate) fn click(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let url = text(&body, "clickUrl")?.filter(|url| !url.is_empty());
    if url
        .as_ref()
        .is_some_and(|url| url.encode_utf16().count() > 2000)
    {
        return Err(Answer::invalid(
            "Length must be between 0 and 2000",
            "clickUrl",
        ));
    }
    create(ctx, &body, statistics::clicked, |request| Source::Click {
        request,
        url,
    })
}

pub(crate) fn impression(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    create(ctx, &body, statistics::opened, |request| {
        Source::Impression { request }
    })
}

fn create(
    ctx: &mut Context<'_>,
    body: &Value,
    share: fn(u64) -> u64,
    source: impl FnOnce(String) -> Source,
) -> Result<Answer, Answer> {
    let refuse = |code: &str| Err(coded(code, code, None));
    let description = name(body.get("description"))?;
    let request = text(body, "requestId")?;
    let request = request.ok_or_else(|| Answer::invalid("May not be empty", "requestId"))?;
    let Some(sent) = ctx.state.statistics.bulk_send(&request) else {
        return refuse("REQUEST_NOT_FOUND");
    };
    let (people, age) = (sent.people, ctx.now.duration_since(sent.at));
    if age.unwrap_or_default() > MAX_MESSAGE_AGE {
        return refuse("TOO_OLD_MESSAGES");
    }
    let source = source(request);
    let mut known = ctx.state.audiences.groups.values();
    if known.any(|group| group.source == source) {
        return refuse("AUDIENCE_GROUP_REQUESTID_DUPLICATE");
    }
    let mut group = AudienceGroup::new(description, source, ctx.now);
    group.preset = share(people);
    admit(ctx, group).map(|(_, answer)| answer)
}
