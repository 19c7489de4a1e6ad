//! Campaigns in words, for people.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use line_connector_campaign::Progress;
use serde_json::{Map, Value};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
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
            "  {:>12}  {name}",
            grouped(count.as_u64().unwrap_or_default())
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
        if let Some(fault) = account.get("fault").and_then(Value::as_str) {
            let _ = writeln!(told, "  does not work: {fault}");
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
        let _ = writeln!(told, "warning: {}", warning.as_str().unwrap_or_default());
    }
    let digest = text(plan, "digest");
    let _ = writeln!(told, "ledger: {}", text(plan, "ledger"));
    let _ = writeln!(told, "digest: {digest}");
    let _ = writeln!(
        told,
        "nothing was sent; this sends it:\n  line-connector campaign start {campaign} --confirm {}",
        digest.get(..12).unwrap_or(digest)
    );
    told
}

/// A message in a line: what people would read in a list of chats, or the object itself.
fn message_text(message: &Value) -> String {
    let kind = text(message, "type");
    let shown = [
        text(message, "text"),
        text(message, "altText"),
        text(message, "originalContentUrl"),
    ];
    match shown.into_iter().find(|shown| !shown.is_empty()) {
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
        let what = error.map_or("sent", |error| text(error, "message"));
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
    if let Some(reason) = status.get("reason").and_then(Value::as_str) {
        let _ = write!(told, ", {reason}");
    }
    if let Some(holder) = status.get("holder").and_then(Value::as_str) {
        let _ = write!(told, " ({holder})");
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
    told
}

/// Writes a line in place of the one before.
pub(super) fn rewrite(line: &str) {
    let mut error = io::stderr().lock();
    let _ = write!(error, "\r\u{1b}[K{line}");
    let _ = error.flush();
}
