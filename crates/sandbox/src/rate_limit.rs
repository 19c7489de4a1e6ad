//! Rate limits: how often one endpoint may be called, and which call is one too many. LINE counts
//! by channel, method and path template; a sandbox is one channel, so only the endpoint is left.
//! Which limits LINE has is in `routes::rate_limits`.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

/// The text of the 429 that waiting helps against.
pub(crate) const EXCEEDED: &str = "The API rate limit has been exceeded. Try again later.";

/// A method and a path template.
pub(crate) type Endpoint = (&'static str, &'static str);

/// How often an endpoint may be called: in no span of time as long as the window are more calls let
/// through than these. Read from text, as `--rate-limit` takes it: `200/s` for every endpoint, each
/// counted by itself; `POST /v2/bot/message/push=200/s` for one. The unit is `s`, `min` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) most: usize,
    pub(crate) window: Duration,
}

/// When the calls were let through that still count, by endpoint.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<Endpoint, VecDeque<SystemTime>>);

impl Windows {
    /// Counts a call and lets it through, or tells that it is one too many; such a call does not
    /// count. Of several limits that fit the endpoint the first holds.
    pub(crate) fn admit(
        &mut self,
        limits: &[RateLimit],
        endpoint: Endpoint,
        now: SystemTime,
    ) -> bool {
        let fits = |limit: &&RateLimit| limit.endpoint.is_none_or(|known| known == endpoint);
        let Some(limit) = limits.iter().find(fits) else {
            return true;
        };
        let passed = self.0.entry(endpoint).or_default();
        while passed
            .front()
            .is_some_and(|at| now.duration_since(*at).unwrap_or_default() >= limit.window)
        {
            passed.pop_front();
        }
        let room = passed.len() < limit.most;
        if room {
            passed.push_back(now);
        }
        room
    }
}
