//! `X-Line-Retry-Key`: remembered for a day with what was accepted under it, as little of it as
//! will do, so that a million keys are no burden. It does not know which operations take one; the
//! route table does.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::crypto::{Digest, short_digest, uuid_number, uuid_text};
use super::exchange::Answer;
use super::send::SentMessages;
use super::state::Turn;

pub(super) const HEADER: &str = "x-line-retry-key";

const REMEMBERED: Duration = Duration::from_hours(24);

/// A map this small is not worth tidying.
const FEW: usize = 4096;

#[derive(Debug, Clone)]
struct Accepted {
    at: SystemTime,
    request_id: u128,
    path: Digest,
    body: Digest,
    sent_messages: Option<SentMessages>,
}

/// What was accepted, by the number that the key is.
#[derive(Debug, Default)]
pub(super) struct RetryKeys {
    accepted: HashMap<u128, Accepted>,
    /// At this size, outdated keys are looked for: so seldom that a call's share of it is small.
    tidy_at: usize,
}

impl RetryKeys {
    fn tidy(&mut self, now: SystemTime) {
        if self.accepted.len() < self.tidy_at.max(FEW) {
            return;
        }
        self.accepted
            .retain(|_, known| now.duration_since(known.at).unwrap_or_default() < REMEMBERED);
        self.tidy_at = self.accepted.len() * 2;
    }
}

/// The key of this call if it is a new one, or LINE's answer to a malformed or an accepted one.
pub(super) fn check(turn: &mut Turn<'_>) -> Result<Option<String>, Answer> {
    let Some(key) = turn.call.headers.get(HEADER) else {
        return Ok(None);
    };
    let Some(number) = uuid_number(key) else {
        return Err(Answer::message(
            400,
            "The value for the 'X-Line-Retry-Key' header is invalid",
        ));
    };
    let key = key.to_ascii_lowercase();
    let Some(accepted) = turn.state.retry_keys.accepted.get(&number) else {
        return Ok(Some(key));
    };
    if turn.now.duration_since(accepted.at).unwrap_or_default() >= REMEMBERED {
        return Ok(Some(key));
    }
    let same_path = accepted.path == short_digest(turn.call.path.as_bytes());
    turn.record.retry_key_reused_with_other_body =
        !same_path || accepted.body != short_digest(&turn.call.body);
    let mut body = json!({ "message": "The retry key is already accepted" });
    if let (Some(sent), true) = (&accepted.sent_messages, same_path) {
        body["sentMessages"] = sent.shown();
    }
    Err(Answer::json(409, &body).with(
        "x-line-accepted-request-id",
        &uuid_text(accepted.request_id),
    ))
}

/// Remembers what was accepted under a key.
pub(super) fn remember(turn: &mut Turn<'_>, key: &str, sent_messages: Option<SentMessages>) {
    let keys = &mut turn.state.retry_keys;
    keys.tidy(turn.now);
    let accepted = Accepted {
        at: turn.now,
        request_id: uuid_number(turn.request_id).unwrap_or_default(),
        path: short_digest(turn.call.path.as_bytes()),
        body: short_digest(&turn.call.body),
        sent_messages,
    };
    keys.accepted
        .extend(uuid_number(key).map(|number| (number, accepted)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outdated_keys_are_let_go() {
        let mut keys = RetryKeys::default();
        let start = SystemTime::UNIX_EPOCH;
        let mut add = |number: u128, at: SystemTime| {
            keys.tidy(at);
            let (path, body) = (short_digest(b""), short_digest(b""));
            let (request_id, sent_messages) = (0, None);
            keys.accepted.insert(
                number,
                Accepted {
                    at,
                    request_id,
                    path,
                    body,
                    sent_messages,
                },
            );
            keys.accepted.len()
        };
        for number in 0..10_000 {
            assert_eq!(add(number, start), usize::try_from(number).unwrap() + 1);
        }
        let most = (10_000..40_000)
            .map(|number| add(number, start + REMEMBERED))
            .max();
        assert!(most.unwrap() <= 32_768, "{most:?}");
    }
}
