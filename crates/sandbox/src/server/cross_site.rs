//! Requests that a web page elsewhere makes a browser on this machine send: by a name that leads here
//! (DNS rebinding), or across sites. The sandbox gives out its secret and sends webhooks, so it answers
//! neither.

use std::net::IpAddr;

use crate::http::{Answer, Call};

/// The answer to a request that is not meant for this machine; `None` for any other.
pub(super) fn refusal(call: &Call) -> Option<Answer> {
    let header = |name: &str| call.headers.get(name);
    let host = header("host");
    if host.is_some_and(|host| !is_here(host)) {
        let text = "the sandbox answers only under a loopback address or localhost";
        return Some(Answer::message(421, text));
    }
    let own = |origin: &str| {
        let origin = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        origin.is_some() && origin == host
    };
    let is_foreign = header("origin").is_some_and(|origin| !own(origin))
        || header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    is_foreign.then(|| Answer::message(403, "the sandbox answers no page of another origin"))
}

/// Whether the value of `Host` names this machine.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let address = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(headers: &[(&str, &str)]) -> Option<u16> {
        let mut call = Call::new("POST", "/sandbox/faults");
        for (name, value) in headers {
            call.headers.push(name, value);
        }
        refusal(&call).map(|answer| answer.status)
    }

    #[test]
    fn only_a_loopback_host_is_answered() {
        for host in [
            "127.0.0.1:8080",
            "127.0.0.1",
            "localhost:8080",
            "LOCALHOST",
            "[::1]:8080",
            "[::1]",
            "127.9.9.9:1",
        ] {
            assert_eq!(status(&[("Host", host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0.0.0.0:8080",
            "10.0.0.7",
            "[2001:db8::1]:80",
            "",
            "localhost@evil.example",
        ] {
            assert_eq!(status(&[("Host", host)]), Some(421), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let here = ("Host", "127.0.0.1:8080");
        for allowed in [
            &[here][..],
            &[here, ("Origin", "http://127.0.0.1:8080")],
            &[here, ("Sec-Fetch-Site", "same-origin")],
            &[here, ("Sec-Fetch-Site", "none")],
        ] {
            assert_eq!(status(allowed), None, "{allowed:?}");
        }
        for refused in [
            ("Origin", "https://evil.example"),
            ("Origin", "http://127.0.0.1:3000"),
            ("Origin", "http://localhost:8080"),
            ("Origin", "null"),
            ("Origin", ""),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            assert_eq!(status(&[here, refused]), Some(403), "{refused:?}");
        }
    }
}
