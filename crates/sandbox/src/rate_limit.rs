//! Rate limits over a sliding window. LINE counts by channel, method and path template; a sandbox is
//! one channel, so it counts by endpoint. LINE's own limits are in `routes::rate_limits`. LINE itself
//! counts by a token bucket of unknown size: who passes here passes there.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

/// LINE's message for a 429 that passes.
pub(crate) const EXCEEDED: &str = "The API rate limit has been exceeded. Try again later.";

/// A method and a path template.
pub(crate) type Endpoint = (&'static str, &'static str);

/// How often an endpoint may be called, in any window of a second, a minute or an hour. Parsed from
/// text, as `--rate-limit` takes it: `200/s` for every endpoint, each counted on its own;
/// `POST /v2/bot/message/push=200/s` for one. The unit is `s`, `min` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) most: usize,
    pub(crate) window: Duration,
}

/// When the calls were accepted that are still within the window, by endpoint.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<Endpoint, VecDeque<SystemTime>>);

impl Windows {
    /// Whether a call is within the limits. A call that is not does not count. Of several limits for an
    /// endpoint, the first applies.
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
