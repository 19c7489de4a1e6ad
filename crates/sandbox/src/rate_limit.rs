//! Rate limits: how often one endpoint may be called, and which call is one too many. LINE counts
//! by channel, method and path template; a sandbox is one channel, so only the endpoint is left. It
//! does not know what an endpoint does.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::exchange::Answer;
use super::routes;
use super::settings::Settings;
use super::state::State;

/// The text of the 429 that waiting helps against.
pub(super) const EXCEEDED: &str = "The API rate limit has been exceeded. Try again later.";

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A method and a path template.
type Endpoint = (&'static str, &'static str);

/// How often an endpoint may be called: in no span of time as long as the window are more calls let
/// through than these. Read from text, as `--rate-limit` takes it: `200/s` for every endpoint, each
/// counted by itself; `POST /v2/bot/message/push=200/s` for one. The unit is `s`, `min` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    endpoint: Option<Endpoint>,
    most: usize,
    window: Duration,
}

impl RateLimit {
    /// LINE's own limits, one for each endpoint.
    #[must_use]
    pub fn lines_own() -> Vec<Self> {
        routes::endpoints()
            .map(|endpoint| {
                let (most, window) = own(endpoint);
                Self {
                    endpoint: Some(endpoint),
                    most,
                    window,
                }
            })
            .collect()
    }
}

/// What LINE's reference says of an endpoint, under "Rate limits".
fn own((method, template): Endpoint) -> (usize, Duration) {
    match (method, template) {
        (
            "POST",
            "/v2/bot/message/narrowcast"
            | "/v2/bot/message/broadcast"
            | "/v2/bot/channel/webhook/test",
        ) => (60, HOUR),
        (_, path) if path.starts_with("/v2/bot/insight/") => (60, HOUR),
        ("POST", "/v2/bot/richmenu/batch") => (3, HOUR),
        ("POST", "/v2/bot/richmenu")
        | (
            "DELETE",
            "/v2/bot/richmenu/{richMenuId}" | "/v2/bot/richmenu/alias/{richMenuAliasId}",
        )
        | ("GET", "/v2/bot/richmenu/progress/batch") => (100, HOUR),
        (_, path) if path.starts_with("/v2/bot/audienceGroup/") => (60, MINUTE),
        (_, "/v2/bot/channel/webhook/endpoint") => (1000, MINUTE),
        ("GET", "/v2/bot/richmenu/list") => (10, SECOND),
        ("POST", "/v2/bot/chat/loading/start") => (100, SECOND),
        ("POST", "/v2/bot/message/multicast") => (200, SECOND),
        (_, path) if path.starts_with("/v2/bot/membership/") => (200, SECOND),
        (_, path) if path.starts_with("/v2/bot/coupon") => (200, SECOND),
        ("POST", "/v2/oauth/accessToken") => (370, SECOND),
        _ => (2000, SECOND),
    }
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (endpoint, rate) = match text.rsplit_once('=') {
            Some((endpoint, rate)) => (Some(endpoint), rate),
            None => (None, text),
        };
        let (most, unit) = rate.split_once('/').unwrap_or((rate, ""));
        let window = match unit {
            "s" => SECOND,
            "min" => MINUTE,
            "h" => HOUR,
            _ => return Err(format!("`{rate}` is no rate such as 200/s, 60/min or 3/h")),
        };
        let most = most.parse().ok().filter(|most| (1..=MOST).contains(most));
        Ok(Self {
            endpoint: endpoint.map(find).transpose()?,
            most: most.ok_or_else(|| format!("a rate is between 1 and {MOST}"))?,
            window,
        })
    }
}

/// Each call within a window is remembered, so a window cannot be boundless.
const MOST: usize = 1_000_000;

/// The endpoint that is named as `METHOD PATH`.
fn find(named: &str) -> Result<Endpoint, String> {
    let mut words = named.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next());
    routes::endpoints()
        .find(|known| *known == (method, path.unwrap_or_default()) && words.next().is_none())
        .ok_or_else(|| {
            format!("LINE has no endpoint `{named}`; name one as `GET /v2/bot/profile/{{userId}}`")
        })
}

/// When the calls were let through that still count, by endpoint.
#[derive(Debug, Default)]
pub(super) struct Windows(HashMap<Endpoint, VecDeque<SystemTime>>);

/// Lets a call through, or answers that it is one too many; such a call does not count.
pub(super) fn admit(
    state: &mut State,
    settings: &Settings,
    endpoint: Endpoint,
    now: SystemTime,
) -> Result<(), Answer> {
    // The first limit that fits is the one that holds.
    let fits = |limit: &&RateLimit| limit.endpoint.is_none_or(|known| known == endpoint);
    let Some(limit) = settings.rate_limits.iter().find(fits) else {
        return Ok(());
    };
    let passed = state.windows.0.entry(endpoint).or_default();
    while passed
        .front()
        .is_some_and(|at| now.duration_since(*at).unwrap_or_default() >= limit.window)
    {
        passed.pop_front();
    }
    if passed.len() >= limit.most {
        return Err(Answer::message(429, EXCEEDED));
    }
    passed.push_back(now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_or_what_is_wrong_with_it_said() {
        let limit: RateLimit = "POST /v2/bot/message/push=200/s".parse().unwrap();
        assert_eq!(limit.endpoint, Some(("POST", "/v2/bot/message/push")));
        assert_eq!((limit.most, limit.window), (200, SECOND));
        let limit: RateLimit = "3/h".parse().unwrap();
        assert_eq!((limit.endpoint, limit.window), (None, HOUR));
        for (wrong, word) in [
            ("200", "200/s"),
            ("200/day", "200/s"),
            ("0/s", "between 1"),
            ("1000001/s", "between 1"),
            ("many/s", "between 1"),
            ("POST /v2/bot/message/shove=1/s", "no endpoint"),
            ("/v2/bot/message/push=1/s", "no endpoint"),
            ("=1/s", "no endpoint"),
        ] {
            let error = wrong.parse::<RateLimit>().unwrap_err();
            assert!(error.contains(word), "{wrong}: {error}");
        }
    }

    #[test]
    fn lines_own_limits_are_those_of_its_reference() {
        let all = RateLimit::lines_own();
        let with = |most, window| {
            let found = all
                .iter()
                .filter(|limit| (limit.most, limit.window) == (most, window));
            found.count()
        };
        assert_eq!(with(60, HOUR), 10, "two sends, a test, seven insights");
        assert_eq!(with(3, HOUR), 1);
        assert_eq!(with(100, HOUR), 4);
        assert_eq!(with(60, MINUTE), 12, "all audience endpoints");
        assert_eq!(with(1000, MINUTE), 2);
        assert_eq!(with(10, SECOND), 1);
        assert_eq!(with(100, SECOND), 1);
        assert_eq!(
            with(200, SECOND),
            8,
            "multicast, three of memberships, four of coupons"
        );
        assert_eq!(with(370, SECOND), 1);
    }
}
