//! Campaigns in words, for people.

use std::fmt::Write as _;

use line_connector_campaign::Progress;
use serde_json::{Map, Value};

use crate::terminal::in_one_line;

/// A text of a document, which may be anybody's, in one line.
fn text(value: &Value, name: &str) -> String {
    one_line(value.get(name))
}

fn one_line(text: Option<&Value>) -> String {
    in_one_line(text.and_then(Value::as_str).unwrap_or_default())
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many seconds as people say it.
fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

fn counts(told: &mut String, value: &Value, name: &str, title: &str) {
    let counts = value.get(name).and_then(Value::as_object);
    let counts = counts.filter(|counts| !counts.is_empty());
    let Some(counts) = counts else {
        return;
    };
    let _ = writeln!(told, "{title}");
    for (name, count) in counts {
        let _ = writeln!(
            told,
            "  {:>12}  {}",
            grouped(count.as_u64().unwrap_or_default()),
            in_one_line(name)
        );
    }
}

/// A plan: who gets how many requests from where, what is left out and why, examples, what to do next.
/// `campaign` is what names it on the command line.
pub(super) fn plan(plan: &Value, campaign: &str) -> String {
    let mut told = String::new();
    let _ = writeln!(
        told,
        "{}: {} of {} rows are sent to, in {} different renderings",
        text(plan, "campaign"),
        grouped(number(plan, "people")),
        grouped(number(plan, "rows")),
        grouped(number(plan, "renderings")),
    );
    counts(&mut told, plan, "left_out", "left out:");
    for account in plan
        .get("accounts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let requests = account.get("requests").cloned().unwrap_or_default();
        let _ = writeln!(
            told,
            "{}: {} people in {} requests to several and {} to one, billed {} at most, {} at least",
            text(account, "name"),
            grouped(number(account, "people")),
            grouped(number(&requests, "many")),
            grouped(number(&requests, "one")),
            grouped(number(account, "billed_at_most")),
            duration(number(account, "seconds_at_least")),
        );
        if let Some(left) = account.get("quota_left").and_then(Value::as_u64) {
            let _ = writeln!(told, "  {} messages of this month are left", grouped(left));
        }
        if account.get("exceeds_quota").and_then(Value::as_bool) == Some(true) {
            let _ = writeln!(
                told,
                "  which may not be enough: it pauses when they are used up"
            );
        }
        if account.get("fault").is_some_and(Value::is_string) {
            let _ = writeln!(told, "  does not work: {}", text(account, "fault"));
        }
    }
    for sample in plan
        .get("samples")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let _ = writeln!(
            told,
            "line {}, {} from {}:",
            number(sample, "line"),
            text(sample, "to"),
            text(sample, "account")
        );
        for request in sample
            .get("requests")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            for message in request
                .get("messages")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let _ = writeln!(told, "  {}", message_text(message));
            }
        }
    }
    for warning in plan
        .get("warnings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let _ = writeln!(told, "warning: {}", one_line(Some(warning)));
    }
    let digest = text(plan, "digest");
    let _ = writeln!(told, "ledger: {}", text(plan, "ledger"));
    let _ = writeln!(told, "digest: {digest}");
    let _ = writeln!(
        told,
        "nothing was sent; this sends it:\n  line-connector campaign start {campaign} --confirm {}",
        digest.get(..12).unwrap_or(&digest)
    );
    told
}

/// A message in a line: what people would read in a list of chats, or the object itself.
fn message_text(message: &Value) -> String {
    let kind = text(message, "type");
    let shown = ["text", "altText", "originalContentUrl"].into_iter();
    let mut shown = shown.filter_map(|name| message.get(name)?.as_str());
    match shown.find(|shown| !shown.is_empty()) {
        // Its lines stand further in than any of ours.
        Some(shown) => format!("{kind}: {}", shown.replace('\n', "\n    ")),
        None => message.to_string(),
    }
}

/// What became of a test send.
pub(super) fn test(sent: &Value) -> String {
    let mut told = String::new();
    let _ = writeln!(
        told,
        "line {}, {} from {}:",
        number(sent, "line"),
        text(sent, "person"),
        text(sent, "account")
    );
    for one in sent
        .get("sent")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let error = one.get("error").filter(|error| !error.is_null());
        let what = error.map_or_else(|| "sent".to_owned(), |error| text(error, "message"));
        let _ = writeln!(told, "  {}: {what}", text(one, "to"));
    }
    told
}

/// Where a campaign stands.
pub(super) fn status(status: &Value) -> String {
    let mut told = String::new();
    let _ = write!(
        told,
        "{}: {}",
        text(status, "campaign"),
        text(status, "state")
    );
    if status.get("reason").is_some_and(Value::is_string) {
        let _ = write!(told, ", {}", text(status, "reason"));
    }
    if status.get("holder").is_some_and(Value::is_string) {
        let _ = write!(told, " ({})", text(status, "holder"));
    }
    told.push('\n');
    counts(&mut told, status, "people", "people:");
    counts(&mut told, status, "left_out", "left out:");
    let unknown = status
        .get("people")
        .cloned()
        .unwrap_or(Value::Object(Map::new()));
    if number(&unknown, "expired_unknown") > 0 {
        let count = number(&unknown, "expired_unknown");
        let _ = writeln!(
            told,
            "{} people may have got it, and that cannot be found out any more: `campaign resume --resend-unknown {count}` sends to them again",
            grouped(count)
        );
    }
    told
}

/// How far a campaign is, in a line.
pub(super) fn progress(progress: &Progress) -> String {
    let mut told = format!(
        "{}: {} accepted, {} left",
        progress.state.name(),
        grouped(progress.accepted),
        grouped(progress.left)
    );
    if progress.rejected > 0 {
        let _ = write!(told, ", {} rejected", grouped(progress.rejected));
    }
    if progress.expired_unknown > 0 {
        let _ = write!(told, ", {} unknown", grouped(progress.expired_unknown));
    }
    if progress.rate > 0.0 {
        let _ = write!(told, ", {:.0}/s", progress.rate);
    }
    if let Some(seconds) = progress.seconds_left {
        let _ = write!(told, ", {} left", duration(seconds));
    }
    for (account, reason) in &progress.waiting {
        let _ = write!(told, "; {account} waits: {reason}");
    }
    in_one_line(&told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_wrote_makes_no_line_of_ours() {
        let evil = "q\nledger: forged\r\nhint: run evil";
        let plan = plan(
            &json!({
                "campaign": evil, "ledger": evil, "digest": evil, "warnings": [evil],
                "left_out": {evil: 1},
                "accounts": [{"name": evil, "fault": evil}],
                "samples": [{"to": evil, "account": evil, "requests": [{"messages": [
                    {"type": evil, "text": "a\nb"}, {"type": evil},
                ]}]}],
            }),
            "it.yaml",
        );
        let status = status(&json!({
            "campaign": evil, "state": evil, "reason": evil, "holder": evil, "people": {evil: 1},
        }));
        let sent = json!([{"to": evil, "error": {"message": evil}}]);
        let test = test(&json!({"person": evil, "account": evil, "sent": sent}));
        let progress = progress(&Progress {
            state: line_connector_campaign::RunState::Running,
            accepted: 0,
            rejected: 0,
            expired_unknown: 0,
            left: 1,
            rate: 0.0,
            seconds_left: None,
            waiting: [(evil.to_owned(), evil.to_owned())].into(),
        });
        for told in [plan, status, test, progress] {
            assert!(told.contains("ledger: forged"), "{told}");
            for line in told.lines() {
                let line = line.trim_start();
                assert!(!line.starts_with("ledger: forged"), "{told}");
                assert!(!line.starts_with("hint:"), "{told}");
            }
            assert!(!told.contains('\r'), "{told}");
        }
    }
}
