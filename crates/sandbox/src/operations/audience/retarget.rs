//! Audiences of people who saw, or clicked in, a narrowcast or broadcast of this channel.

use std::time::Duration;

use serde_json::Value;

use super::coded;
use super::create::{admit, name, text};
use crate::http::Answer;
use crate::state::Turn;
use crate::store::audience::{AudienceGroup, Source};
use crate::store::statistics;

/// Older messages cannot be made an audience of.
const OLDEST: Duration = Duration::from_hours(60 * 24);

pub(crate) fn click(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
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
    create(turn, &body, statistics::clicked, |request| Source::Click {
        request,
        url,
    })
}

pub(crate) fn impression(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    create(turn, &body, statistics::opened, |request| {
        Source::Impression { request }
    })
}

fn create(
    turn: &mut Turn<'_>,
    body: &Value,
    share: fn(u64) -> u64,
    source: impl FnOnce(String) -> Source,
) -> Result<Answer, Answer> {
    let refuse = |code: &str| Err(coded(code, code, None));
    let description = name(body.get("description"))?;
    let request = text(body, "requestId")?;
    let request = request.ok_or_else(|| Answer::invalid("May not be empty", "requestId"))?;
    let Some(sent) = turn.state.statistics.sent(&request) else {
        return refuse("REQUEST_NOT_FOUND");
    };
    let (people, age) = (sent.people, turn.now.duration_since(sent.at));
    if age.unwrap_or_default() > OLDEST {
        return refuse("TOO_OLD_MESSAGES");
    }
    let source = source(request);
    let mut known = turn.state.audiences.groups.values();
    if known.any(|group| group.source == source) {
        return refuse("AUDIENCE_GROUP_REQUESTID_DUPLICATE");
    }
    let mut group = AudienceGroup::new(description, source, turn.now);
    group.given = share(people);
    admit(turn, group).map(|(_, answer)| answer)
}
