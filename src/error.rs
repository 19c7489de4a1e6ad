//! What can go wrong, as data: a kind with a stable code, where it happened, and what to do about
//! it. The texts that belong to one kind stand in one table; nothing is printed here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a failure. The snake_case name is part of the output contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The command line makes no sense.
    Usage,
    /// Standard input is not one invocation document.
    InvalidDocument,
    /// No action has this name.
    UnknownAction,
    /// The manifest, an action file or a schema is broken.
    InvalidCatalog,
    /// A parameter of the asset is wrong or contradicts another.
    InvalidAsset,
    /// The inputs break the action's schema or LINE's limits.
    InvalidInputs,
    /// No credentials were given.
    NoCredentials,
    /// LINE refused to issue a channel access token.
    TokenRefused,
    /// The token endpoint could not be reached or did not answer.
    TokenUnavailable,
    /// 400: LINE found the request wrong.
    BadRequest,
    /// 400: the reply token is used, expired or unknown.
    InvalidReplyToken,
    /// 401: the channel access token is not valid.
    Unauthorized,
    /// 403: the account or its plan may not do this.
    Forbidden,
    /// 404: the target does not exist or cannot be seen.
    NotFound,
    /// 409 without an accepted request id.
    Conflict,
    /// 410: the target was there and is gone.
    Gone,
    /// 411: the request came without a length.
    LengthRequired,
    /// 413: the request is over 2 MB.
    TooLarge,
    /// 415: LINE does not take this content type here.
    UnsupportedMediaType,
    /// 422: the message cannot be delivered to that phone number.
    Undeliverable,
    /// 423: another channel holds the chat.
    Locked,
    /// 429: the endpoint's rate limit.
    RateLimit,
    /// 429: the month's messages are used up or reserved.
    MonthlyLimit,
    /// 429: too many operations at once on one object.
    ConcurrentOperations,
    /// 5xx: LINE is in trouble.
    Unavailable,
    /// A status that LINE does not document, a redirect among them.
    UnexpectedStatus,
    /// No connection could be made.
    ConnectionFailed,
    /// The connection broke before the answer was complete.
    ConnectionBroken,
    /// No answer in time.
    Timeout,
    /// The TLS handshake failed.
    Tls,
    /// The answer is larger than the cap.
    ResponseTooLarge,
    /// A defect of the connector itself.
    Internal,
}

/// What is known about the effect of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The request never left, or LINE refused it: nothing happened.
    NotDone,
    /// The request may have reached LINE, and its answer is missing.
    Unknown,
}

/// One place that is wrong, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Detail {
    /// JSON pointer into the inputs (or the part of the document that `message` names); empty for
    /// the whole. LINE's own details keep LINE's path style.
    pub path: String,
    /// What is wrong there, a fragment for people.
    pub message: String,
    /// What would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What stands there, shortened; absent for secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Detail {
    /// A detail with a place and a message.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), expected: None, found: None, hint: None }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(formatter, " ({hint})")?;
        }
        Ok(())
    }
}
