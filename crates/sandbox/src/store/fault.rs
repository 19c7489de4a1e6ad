//! Injected faults and the queue they wait in. What each one does to a call is in `effect`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::Call;
use crate::nearest::question;
use crate::operation::Operation;
use crate::routes::issues_tokens;
use crate::settings::Settings;

/// The limit of `huge`.
const MAX_HUGE_BYTES: usize = 256 * 1024 * 1024;

/// Something that goes wrong with one of the next calls. Faults wait in a queue; a call takes at most
/// one, the first that applies to it. One that is aimed at nothing applies to any call but those that
/// issue tokens, which are made on the way to others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The prefix of the paths it applies to, outside `/sandbox/`.
    #[serde(default)]
    pub path: Option<String>,
    /// The name of the operation it applies to, one of [`crate::Settings::operations`].
    #[serde(default)]
    pub action: Option<String>,
    /// How many calls it applies to.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// A fault of the next call, whichever it is.
    #[must_use]
    pub fn once(kind: FaultKind) -> Self {
        Self {
            path: None,
            action: None,
            times: 1,
            kind,
        }
    }

    fn applies(&self, call: &Call, settings: &Settings) -> bool {
        let prefix = self.path.as_ref();
        let action = self.action.as_ref();
        let is_aimed = prefix.is_some() || action.is_some();
        let is_action = |name: &String| {
            let mut operations = settings.operations.iter();
            operations.any(|one| one.names.contains(name) && one.fits(call))
        };
        (is_aimed || !issues_tokens(call))
            && prefix.is_none_or(|prefix| call.path.starts_with(prefix))
            && action.is_none_or(is_action)
            && (self.kind != FaultKind::ExpireToken || call.bearer().is_some())
    }
}

/// What people need to know of a kind of fault.
#[derive(Debug, Clone, Copy)]
pub struct KindOfFault {
    /// Its name.
    pub name: &'static str,
    /// Its fields beside those of every fault, and what each is.
    pub fields: &'static [(&'static str, &'static str)],
    /// What happens.
    pub effect: &'static str,
}

/// The fields that every fault has.
pub const COMMON: [(&str, &str); 4] = [
    ("kind", "one of these"),
    ("action", "only calls of this action"),
    ("path", "only calls whose path starts so"),
    ("times", "how many calls it strikes, 1 if absent"),
];

/// The kinds of fault.
pub const KINDS: [KindOfFault; 13] = [
    KindOfFault {
        name: "status",
        fields: &[
            ("code", "200 to 599"),
            ("body", "text or JSON, empty if absent"),
            ("headers", "an object of texts"),
            ("when", "`before` (the default) or `after`"),
        ],
        effect: "answers with this status; `\"when\": \"after\"` processes the call first",
    },
    KindOfFault {
        name: "delay",
        fields: &[("ms", "milliseconds")],
        effect: "processes the call and answers late",
    },
    KindOfFault {
        name: "drop",
        fields: &[(
            "at",
            "`before_read`, `after_read`, `after_processing` or `mid_body`",
        )],
        effect: "closes the connection; at `mid_body` half of the answer arrives",
    },
    KindOfFault {
        name: "html",
        fields: &[("code", "200 to 599")],
        effect: "answers as LINE's edge does, with an HTML page",
    },
    KindOfFault {
        name: "expire_token",
        fields: &[],
        effect: "the call's own token expires just before it",
    },
    KindOfFault {
        name: "rate_limit",
        fields: &[],
        effect: "429, the endpoint's rate",
    },
    KindOfFault {
        name: "monthly_limit",
        fields: &[],
        effect: "429, the month's quota",
    },
    KindOfFault {
        name: "unreachable",
        fields: &[],
        effect: "the person is unknown, has left, or never was a friend: 400 (a notification message 422) \
                 `Failed to send messages`; a profile 404. Of several LINE tells nothing: such calls go on",
    },
    KindOfFault {
        name: "concurrent_operations",
        fields: &[("message", "LINE's text, which it does not document")],
        effect: "429, too many operations at once",
    },
    KindOfFault {
        name: "stall",
        fields: &[("ms", "milliseconds until the connection is closed")],
        effect: "reads the call and never answers",
    },
    KindOfFault {
        name: "redirect",
        fields: &[("location", "a URL")],
        effect: "answers 302",
    },
    KindOfFault {
        name: "huge",
        fields: &[("bytes", "at most 256 MiB")],
        effect: "answers 200 with a long JSON body",
    },
    KindOfFault {
        name: "garbage",
        fields: &[],
        effect: "answers with bytes that are not HTTP",
    },
];

/// The kinds of fault as a table of Markdown, for the manual.
#[must_use]
pub fn kind_table() -> String {
    let mut table = String::from("| `kind` | Fields | What happens |\n|---|---|---|\n");
    for kind in KINDS {
        let fields = kind.fields.iter();
        let fields = fields.map(|(name, what)| format!("`{name}`: {what}"));
        let fields: Vec<String> = fields.collect();
        let _ = writeln!(
            table,
            "| `{}` | {} | {} |",
            kind.name,
            fields.join("; "),
            kind.effect
        );
    }
    table
}

/// Whether the call is processed before it fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The call is not processed.
    #[default]
    Before,
    /// The call is processed as usual, and its answer replaced.
    After,
}

/// When a connection is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropPoint {
    /// After the head was read, before the body.
    BeforeRead,
    /// After the request was read; it is not processed.
    AfterRead,
    /// After the request was processed; its answer is lost.
    AfterProcessing,
    /// After the request was processed and half of the answer's body was sent.
    MidBody,
}

/// The kinds of fault, with their parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers with this status.
    Status {
        /// The status code.
        code: u16,
        /// Whether the call is processed first.
        #[serde(default)]
        when: When,
        /// The body: text as it is, anything else as JSON; none is an empty body.
        #[serde(default)]
        body: Value,
        /// Header fields to add.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Processes the call and answers late.
    Delay {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// Closes the connection.
    Drop {
        /// At which moment.
        at: DropPoint,
    },
    /// Answers as the edge in front of LINE's API does: with an HTML page.
    Html {
        /// The status code.
        code: u16,
    },
    /// Expires the call's token just before the call. Only for calls that have one.
    ExpireToken,
    /// Answers 429, as where the rate limit of an endpoint is exceeded.
    RateLimit,
    /// Answers 429, as where the monthly quota is used up.
    MonthlyLimit,
    /// Answers as where the person of the call cannot be reached: LINE refuses a push, says so for a
    /// profile, and accepts what is sent to several, in silence.
    Unreachable,
    /// Answers 429, as where there are too many operations at once. LINE does not document the text.
    ConcurrentOperations {
        /// The text.
        message: String,
    },
    /// Reads the call and never answers; closes the connection after a time.
    Stall {
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Answers 302 with a `Location`.
    Redirect {
        /// The value of `Location`.
        location: String,
    },
    /// Answers 200 with a long JSON body, without processing the call.
    Huge {
        /// How long, in bytes.
        bytes: usize,
    },
    /// Answers with bytes that are not HTTP.
    Garbage,
}

impl FaultKind {
    /// The kind's name, as in its JSON.
    pub(crate) fn name(&self) -> Option<String> {
        Some(
            serde_json::to_value(self)
                .ok()?
                .get("kind")?
                .as_str()?
                .to_owned(),
        )
    }
}

/// Parses a fault. A name that is not known is an error, not ignored.
pub(crate) fn parse(value: &Value, operations: &[Operation]) -> Result<Fault, String> {
    let given = value.as_object().ok_or(
        "a fault is an object such as {\"kind\": \"rate_limit\"}; `line-connector sandbox faults` lists them",
    )?;
    let name = given
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let kind = KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names = KINDS.map(|kind| kind.name);
        let all = format!("there are {}", names.join(", "));
        format!(
            "there is no kind of fault `{name}`; {}",
            question(name, names, &all)
        )
    })?;
    let fields = COMMON.iter().chain(kind.fields).map(|(field, _)| *field);
    if let Some(field) = given
        .keys()
        .find(|field| !fields.clone().any(|known| known == *field))
    {
        let all = format!("it has {}", fields.clone().collect::<Vec<_>>().join(", "));
        let question = question(field, fields, &all);
        return Err(format!("the fault `{name}` has no `{field}`; {question}"));
    }
    let fault: Fault = serde_json::from_value(value.clone())
        .map_err(|error| format!("the fault `{name}` is wrong: {error}"))?;
    if let Some(action) = &fault.action {
        let mut names = operations.iter().flat_map(|operation| &operation.names);
        if !names.any(|known| known == action) {
            let names = operations.iter().flat_map(|operation| &operation.names);
            let names = names.map(String::as_str);
            let question = question(action, names, "`line-connector list` shows them all");
            return Err(format!("there is no action `{action}`; {question}"));
        }
    }
    if fault.times == 0 {
        return Err("`times` is at least 1".to_owned());
    }
    match &fault.kind {
        FaultKind::Huge { bytes } if *bytes > MAX_HUGE_BYTES => {
            Err(format!("`bytes` is at most {MAX_HUGE_BYTES}"))
        }
        FaultKind::Status { code, .. } | FaultKind::Html { code }
            if !(200..=599).contains(code) =>
        {
            Err("`code` is between 200 and 599".to_owned())
        }
        _ => Ok(fault),
    }
}

/// The faults that wait for a call.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue(VecDeque<Fault>);

impl FaultQueue {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The waiting faults, oldest first.
    pub(crate) fn all(&self) -> &VecDeque<Fault> {
        &self.0
    }

    /// Takes the first waiting fault that applies to this call.
    pub(crate) fn take(&mut self, call: &Call, settings: &Settings) -> Option<FaultKind> {
        let mut waiting = self.0.iter();
        let index = waiting.position(|fault| fault.applies(call, settings))?;
        let fault = self.0.get_mut(index)?;
        fault.times = fault.times.saturating_sub(1);
        if fault.times > 0 {
            return Some(fault.kind.clone());
        }
        self.0.remove(index).map(|fault| fault.kind)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_is_read_with_its_defaults() {
        let fault = parse(&json!({ "kind": "status", "code": 503 }), &[]).unwrap();
        assert_eq!((fault.path, fault.times), (None, 1));
        let json = json!({ "kind": "drop", "at": "mid_body", "path": "/v2/bot", "times": 2 });
        let fault = parse(&json, &[]).unwrap();
        assert_eq!(
            fault.kind,
            FaultKind::Drop {
                at: DropPoint::MidBody
            }
        );
        assert_eq!(fault.times, 2);
    }

    #[test]
    fn a_misspelt_member_is_named() {
        let refused = |value| parse(&value, &[]).unwrap_err();
        assert!(refused(json!({ "kind": "rate_limit", "tims": 2 })).contains("`tims`"));
        assert!(refused(json!({ "kind": "rate_limit", "times": 0 })).contains("times"));
        assert!(refused(json!({ "kind": "status", "code": 99 })).contains("code"));
        assert!(refused(json!({ "kind": "explode" })).contains("explode"));
        let refusal = refused(json!({ "kind": "rate_limt" }));
        assert!(refusal.ends_with("did you mean `rate_limit`?"), "{refusal}");
        let refusal = refused(json!({ "kind": "drop", "ta": "mid_body" }));
        assert!(refusal.contains("`at`"), "{refusal}");
    }

    #[test]
    fn the_table_has_every_kind_with_its_fields() {
        let values = |name: &str| match name {
            "code" => json!(503),
            "ms" | "bytes" => json!(10),
            "at" => json!("mid_body"),
            "when" => json!("after"),
            "headers" => json!({}),
            _ => json!("text"),
        };
        for kind in KINDS {
            let mut fault = json!({"kind": kind.name});
            for (name, _) in kind.fields {
                fault[*name] = values(name);
            }
            let read = parse(&fault, &[]).unwrap();
            let whole = serde_json::to_value(read).unwrap();
            let known = COMMON.iter().chain(kind.fields).map(|(name, _)| *name);
            let mut names: Vec<&str> = whole
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            let mut known: Vec<&str> = known.collect();
            known.sort_unstable();
            assert_eq!(names, known, "{}", kind.name);
        }
    }
}
