//! Injected faults and the queue they wait in. What each one does to a call is in `effect`.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::Call;

/// The limit of `huge`.
const MAX_HUGE_BYTES: usize = 256 * 1024 * 1024;

/// Something that goes wrong with one of the next calls. Faults wait in a queue; a call takes at most
/// one, the first that applies to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The prefix of the paths it applies to; `None` is any path outside `/sandbox/`.
    #[serde(default)]
    pub path: Option<String>,
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
            times: 1,
            kind,
        }
    }
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

/// Parses a fault. An unknown property is an error, not ignored.
pub(crate) fn parse(value: &Value) -> Result<Fault, String> {
    let fault: Fault = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&fault).unwrap_or_default();
    let mut given = value
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys());
    if let Some(name) = given.find(|name| known.get(name).is_none()) {
        return Err(format!("this kind of fault has no `{name}`"));
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
    pub(crate) fn take(&mut self, call: &Call) -> Option<FaultKind> {
        let index = self.0.iter().position(|fault| {
            let prefix = fault.path.as_ref();
            let path_fits = prefix.is_none_or(|prefix| call.path.starts_with(prefix));
            path_fits && (fault.kind != FaultKind::ExpireToken || call.bearer().is_some())
        })?;
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
        let fault = parse(&json!({ "kind": "status", "code": 503 })).unwrap();
        assert_eq!((fault.path, fault.times), (None, 1));
        let json = json!({ "kind": "drop", "at": "mid_body", "path": "/v2/bot", "times": 2 });
        let fault = parse(&json).unwrap();
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
        let refused = |value| parse(&value).unwrap_err();
        assert!(refused(json!({ "kind": "rate_limit", "tims": 2 })).contains("`tims`"));
        assert!(refused(json!({ "kind": "rate_limit", "times": 0 })).contains("times"));
        assert!(refused(json!({ "kind": "status", "code": 99 })).contains("code"));
        assert!(refused(json!({ "kind": "explode" })).contains("explode"));
    }
}
