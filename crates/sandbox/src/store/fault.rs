//! Faults on request: what can be made to go wrong, and the queue that faults wait in. What each one
//! does to a call is up to `effect`.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::Call;

/// `huge` goes no further than this.
const HUGE_CAP: usize = 256 * 1024 * 1024;

/// Something that goes wrong with one of the next calls. Faults are taken in the order they came;
/// a call takes at most one, the first that fits it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Only for paths that start so; without it, for any path outside `/sandbox/`.
    #[serde(default)]
    pub path: Option<String>,
    /// How many calls it befalls.
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
    /// A fault that befalls the next call, whichever it is.
    #[must_use]
    pub fn once(kind: FaultKind) -> Self {
        Self {
            path: None,
            times: 1,
            kind,
        }
    }
}

/// Whether LINE did its work before things went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Nothing was done.
    #[default]
    Before,
    /// The call was processed as usual, and its answer replaced.
    After,
}

/// The moment at which a connection is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropPoint {
    /// After the head, before the body.
    BeforeRead,
    /// The request was read and not processed.
    AfterRead,
    /// The request was processed; its answer is lost.
    AfterProcessing,
    /// The request was processed; half of the answer's body arrives.
    MidBody,
}

/// The kinds of fault, with what each needs to be told.
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
        /// Fields to add.
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
        /// When.
        at: DropPoint,
    },
    /// Answers as the edge does: an HTML page.
    Html {
        /// The status code.
        code: u16,
    },
    /// The call's own token expires just before the call; waits for a call that has one.
    ExpireToken,
    /// 429, the rate limit of one endpoint.
    RateLimit,
    /// 429, the month's quota.
    MonthlyLimit,
    /// 429, too many operations at once; LINE does not document its text.
    ConcurrentOperations {
        /// The text.
        message: String,
    },
    /// Reads the call, does nothing, and never answers; the connection ends when the time is up.
    Stall {
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Answers 302.
    Redirect {
        /// Where to.
        location: String,
    },
    /// Answers 200 with a long JSON body; nothing is processed.
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

/// Reads a fault from JSON. A member that no fault of this kind has is named, not ignored.
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
        FaultKind::Huge { bytes } if *bytes > HUGE_CAP => {
            Err(format!("`bytes` is at most {HUGE_CAP}"))
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

    /// The faults that still wait, first come first.
    pub(crate) fn all(&self) -> &VecDeque<Fault> {
        &self.0
    }

    /// Takes the first waiting fault that fits this call.
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
