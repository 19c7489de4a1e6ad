//! The rate limits that LINE documents, and parsing one from text. LINE's general limit is 2,000
//! calls a second; an endpoint with another one needs a line in `documented`.

use std::str::FromStr;
use std::time::Duration;

use crate::rate_limit::{Endpoint, RateLimit};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

impl RateLimit {
    /// LINE's own limits, one for each endpoint.
    #[must_use]
    pub fn lines_own() -> Vec<Self> {
        super::endpoints()
            .map(|endpoint| {
                let (most, window) = documented(endpoint);
                Self {
                    endpoint: Some(endpoint),
                    most,
                    window,
                }
            })
            .collect()
    }
}

/// The limit that LINE's reference has for an endpoint, under "Rate limits".
fn documented((method, template): Endpoint) -> (usize, Duration) {
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
        let most = most
            .parse()
            .ok()
            .filter(|most| (1..=MAX_CALLS).contains(most));
        Ok(Self {
            endpoint: endpoint.map(find_endpoint).transpose()?,
            most: most.ok_or_else(|| format!("a rate is between 1 and {MAX_CALLS}"))?,
            window,
        })
    }
}

/// Each call within a window is remembered, so the number of calls is bounded.
const MAX_CALLS: usize = 1_000_000;

/// The endpoint named `METHOD PATH`.
fn find_endpoint(named: &str) -> Result<Endpoint, String> {
    let mut words = named.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next());
    super::endpoints()
        .find(|known| *known == (method, path.unwrap_or_default()) && words.next().is_none())
        .ok_or_else(|| {
            format!("LINE has no endpoint `{named}`; name one as `GET /v2/bot/profile/{{userId}}`")
        })
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
