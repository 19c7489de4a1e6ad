//! LINE's reply becomes the output: status, headers, body, and for a refusal what kind it is.
//! Pure. Status codes decide; LINE's texts, which it calls unstable, only tell twins apart.

use serde_json::Value;

use crate::digest::sha256;
use crate::documents::{FileReport, Output};
use crate::encoding::{base64, text};
use crate::error::{Detail, Error, Kind, Outcome};
use crate::json_text::{JsonText, heard};
use crate::refusal::{UNREACHABLE, said};
use line_connector_http::{Failure, FailureKind, Reply};

/// LINE's id of a request.
const REQUEST_ID: &str = "x-line-request-id";
/// LINE's id of the request that a retry key was accepted with.
const ACCEPTED_REQUEST_ID: &str = "x-line-accepted-request-id";

/// A reply, understood.
#[derive(Debug)]
pub struct Reading {
    /// The output document: status, reason, headers, body.
    pub output: Output,
    /// Why LINE did not accept the call.
    pub error: Option<Error>,
    /// LINE's id of the request that had the effect.
    pub request_id: Option<String>,
    /// Whether LINE had accepted this retry key before.
    pub already_accepted: bool,
}

/// Reads a reply. `file` says that the body of a 200 is a file; one that was `saved` is told so.
#[must_use]
pub fn read(reply: Reply, file: bool, saved: Option<FileReport>) -> Reading {
    let accepted = reply.headers.get(ACCEPTED_REQUEST_ID).map(str::to_owned);
    let already_accepted = reply.status == 409 && accepted.is_some();
    let request_id = accepted
        .filter(|_| already_accepted)
        .or_else(|| reply.headers.get(REQUEST_ID).map(str::to_owned));
    let mut output = Output {
        status_code: Some(reply.status),
        ..Output::default()
    };
    if file && reply.status == 200 {
        output.file = Some(saved.unwrap_or_else(|| enclosed(&reply)));
    } else {
        let text = text(&reply.body);
        match JsonText::read(&text) {
            Some(body) => output.json_body = Some(body),
            None => output.response_text = Some(text.into_owned()),
        }
    }
    output.reason = Some(reply.reason);
    output.response_headers = Some(reply.headers);
    let success = (200..300).contains(&reply.status) || already_accepted;
    let error = (!success).then(|| refusal(reply.status, output.json().as_ref()));
    Reading {
        output,
        error,
        request_id,
        already_accepted,
    }
}

/// A file that comes inside the output.
fn enclosed(reply: &Reply) -> FileReport {
    FileReport {
        size_bytes: reply.body.len() as u64,
        sha256: sha256(&reply.body),
        base64: Some(base64(&reply.body)),
        ..FileReport::of(&reply.headers)
    }
}

/// A refusal by LINE, or by something on the way.
fn refusal(status: u16, body: Option<&Value>) -> Error {
    let said = body.and_then(said);
    let kind = kind(status, said.as_deref().unwrap_or_default());
    let names_nothing = said.is_none();
    let is_unreachable = said.as_deref() == Some(UNREACHABLE);
    let message = match said {
        Some(said) => format!("LINE answered {status}: {said}"),
        None => format!("LINE answered {status} without a message"),
    };
    let outcome = if leaves_doubt(status) {
        Outcome::Unknown
    } else {
        Outcome::NotDone
    };
    let error = Error::new(kind, message)
        .with_outcome(outcome)
        .with_details(details(body));
    if names_nothing && kind == Kind::BadRequest {
        return error.with_hint(
            "LINE names no reason; compare the inputs with what the action's description says of periods and limits; the request was not carried out",
        );
    }
    if is_unreachable && kind == Kind::BadRequest {
        return error.with_hint(
            "LINE cannot send to this ID: it may be of another provider's channel, of somebody who is no friend of the account, or of a chat that the account has left; nothing was sent",
        );
    }
    error
}

fn kind(status: u16, said: &str) -> Kind {
    let said = said.to_ascii_lowercase();
    match status {
        400 if said.contains("reply token") || said.contains("'replytoken'") => {
            Kind::InvalidReplyToken
        }
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        410 => Kind::Gone,
        411 => Kind::LengthRequired,
        413 => Kind::TooLarge,
        415 => Kind::UnsupportedMediaType,
        422 => Kind::Undeliverable,
        423 => Kind::Locked,
        429 if said.contains("monthly limit") => Kind::MonthlyLimit,
        429 if said.contains("concurrent") || said.contains("operations") => {
            Kind::ConcurrentOperations
        }
        429 => Kind::RateLimit,
        500.. => Kind::Unavailable,
        400.. => Kind::BadRequest,
        _ => Kind::UnexpectedStatus,
    }
}

/// Whether LINE refuses a request for the rate of requests: of the meanings of 429 the one that goes
/// away with time alone.
#[must_use]
pub fn is_rate_limit(reply: &Reply) -> bool {
    if reply.status != 429 {
        return false;
    }
    let body = heard(&reply.body);
    let said = body.as_ref().and_then(said).unwrap_or_default();
    kind(reply.status, &said) == Kind::RateLimit
}

/// Whether LINE may have carried out a request that ended so, without having accepted it.
#[must_use]
pub fn may_be_done(result: &Result<Reply, Failure>) -> bool {
    match result {
        Ok(reply) => leaves_doubt(reply.status),
        Err(failure) => failure.maybe_sent,
    }
}

/// Whether nobody knows after a status how far LINE came: a server error, or one that LINE has not, of a
/// gateway that has perhaps passed the request on.
fn leaves_doubt(status: u16) -> bool {
    matches!(status, ..200 | 300..400 | 408 | 499..)
}

fn details(body: Option<&Value>) -> Vec<Detail> {
    let listed = body
        .and_then(|body| body.get("details"))
        .and_then(Value::as_array);
    let text = |detail: &Value, key: &str| {
        detail
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    listed
        .into_iter()
        .flatten()
        .map(|detail| Detail::new(text(detail, "property"), text(detail, "message")))
        .collect()
}

/// A call without an answer.
#[must_use]
pub fn unanswered(failure: &Failure) -> Error {
    let kind = match failure.kind {
        FailureKind::Connect => Kind::ConnectionFailed,
        FailureKind::Timeout => Kind::Timeout,
        FailureKind::Tls => Kind::Tls,
        FailureKind::Broken => Kind::ConnectionBroken,
        FailureKind::TooLarge => Kind::ResponseTooLarge,
        FailureKind::Invalid => Kind::InvalidAsset,
        FailureKind::Receiver => Kind::FileUnwritable,
    };
    let outcome = if failure.maybe_sent {
        Outcome::Unknown
    } else {
        Outcome::NotDone
    };
    let error =
        Error::new(kind, format!("no answer from LINE: {}", failure.message)).with_outcome(outcome);
    if kind == Kind::Timeout && outcome == Outcome::NotDone {
        return error.with_hint(
            "nothing was sent: check `asset.url`, the proxy and the network, then try again",
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: body.as_bytes().to_vec(),
            ..Reply::default()
        }
    }

    fn kind_of(status: u16, body: &str) -> Kind {
        read(reply(status, body), false, None)
            .error
            .expect("a refusal")
            .kind
    }

    #[test]
    fn a_gateways_own_statuses_are_no_refusals_of_lines() {
        for (statuses, outcome) in [
            (
                &[101, 301, 302, 307, 408, 499, 500, 503][..],
                Outcome::Unknown,
            ),
            (
                &[400, 401, 403, 404, 409, 413, 425, 429][..],
                Outcome::NotDone,
            ),
        ] {
            for status in statuses {
                let reading = read(reply(*status, "{}"), false, None);
                assert_eq!(reading.error.unwrap().outcome, outcome, "{status}");
            }
        }
    }

    #[test]
    fn the_meanings_of_429_are_told_apart() {
        let said = |text: &str| format!("{{\"message\":\"{text}\"}}");
        assert_eq!(
            kind_of(429, &said("You have reached your monthly limit.")),
            Kind::MonthlyLimit
        );
        assert_eq!(
            kind_of(
                429,
                &said("The API rate limit has been exceeded. Try again later.")
            ),
            Kind::RateLimit
        );
        assert_eq!(
            kind_of(429, &said("Too many concurrent operations")),
            Kind::ConcurrentOperations
        );
        assert_eq!(kind_of(429, "<html>"), Kind::RateLimit);
    }

    #[test]
    fn html_from_the_edge_is_text() {
        let reading = read(reply(502, "<html>Bad Gateway</html>"), false, None);
        assert_eq!(
            reading.output.response_text.as_deref(),
            Some("<html>Bad Gateway</html>")
        );
        assert_eq!(reading.error.expect("a refusal").outcome, Outcome::Unknown);
    }

    #[test]
    fn an_accepted_retry_key_is_success_and_its_request_id_counts() {
        let mut duplicate = reply(409, "{\"message\":\"The retry key is already accepted\"}");
        assert_eq!(
            read(duplicate.clone(), false, None)
                .error
                .expect("a refusal")
                .kind,
            Kind::Conflict
        );
        duplicate.headers.push("X-Line-Request-Id", "second");
        duplicate
            .headers
            .push("X-Line-Accepted-Request-Id", "first");
        let reading = read(duplicate, false, None);
        assert!(reading.error.is_none() && reading.already_accepted);
        assert_eq!(reading.request_id.as_deref(), Some("first"));
    }

    #[test]
    fn null_messages_and_details_without_parts_are_read() {
        let body = r#"{"message":null,"details":[{"message":"May not be empty"},{}]}"#;
        let error = read(reply(400, body), false, None)
            .error
            .expect("a refusal");
        assert_eq!(error.kind, Kind::BadRequest);
        assert_eq!(error.details[0], Detail::new("", "May not be empty"));
    }
}
