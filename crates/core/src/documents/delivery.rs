//! The delivery report: what became of messages, in the words of Sinch's Conversation API, which
//! several channels share.

use line_connector_compose::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Output;
use crate::error::{Kind, Outcome};
use crate::refusal::UNREACHABLE;

/// What became of the messages of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// How far they came. LINE tells nothing beyond this of ordinary messages: neither that they were
    /// delivered nor that they were read.
    pub status: Status,
    /// Whether LINE may have sent them nevertheless: `unknown` where its answer is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The way they went: `push`, `reply`, `multicast`, `broadcast`, `narrowcast`, `notification`.
    pub sent_as: String,
}

/// How far messages came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// LINE has accepted them.
    QueuedOnChannel,
    /// LINE has not accepted them, as far as is known; see `outcome`.
    Failed,
}

/// Why messages were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Sinch's code.
    pub code: Code,
    /// A sentence for people: the error's.
    pub description: String,
    /// What the code leaves open.
    pub sub_code: SubCode,
    /// The connector's own class: `error.kind`.
    pub channel_code: Kind,
}

/// What a code leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SubCode {
    /// Nothing more is known.
    UnspecifiedSubCode,
}

impl Delivery {
    /// The report of a call that ended so. `refused` is why the messages could not be composed, if
    /// that is the reason.
    #[must_use]
    pub fn of(output: &Output, sent_as: String, refused: Option<Code>) -> Self {
        let Some(error) = &output.error else {
            return Self {
                status: Status::QueuedOnChannel,
                outcome: None,
                reason: None,
                sent_as,
            };
        };
        Self {
            status: Status::Failed,
            outcome: Some(error.outcome),
            reason: Some(Reason {
                code: refused.unwrap_or_else(|| code_of(output, error.kind)),
                description: error.message.clone(),
                sub_code: SubCode::UnspecifiedSubCode,
                channel_code: error.kind,
            }),
            sent_as,
        }
    }
}

fn code_of(output: &Output, kind: Kind) -> Code {
    match kind {
        Kind::Internal => Code::InternalError,
        Kind::RateLimit | Kind::ConcurrentOperations | Kind::RateBudget => Code::RateLimited,
        Kind::Undeliverable => Code::RecipientNotReachable,
        Kind::InvalidReplyToken => Code::OutsideAllowedSendingWindow,
        Kind::Unavailable
        | Kind::ConnectionFailed
        | Kind::Tls
        | Kind::TokenUnavailable
        | Kind::ResponseTooLarge
        | Kind::ShuttingDown
        | Kind::Cancelled => Code::ChannelFailure,
        Kind::Unauthorized | Kind::TokenRefused | Kind::InvalidAsset => {
            Code::ChannelBadConfiguration
        }
        Kind::NoCredentials => Code::ChannelConfigurationMissing,
        Kind::Timeout | Kind::ConnectionBroken => Code::DeliveryTimedOut,
        Kind::Forbidden => Code::NoPermission,
        Kind::BadRequest if says(output, UNREACHABLE) => Code::RecipientNotReachable,
        Kind::BadRequest | Kind::InvalidInputs if names_recipient(output) => {
            Code::RecipientInvalidChannelIdentity
        }
        Kind::BadRequest | Kind::InvalidInputs | Kind::InvalidDocument | Kind::TooLarge => {
            Code::BadRequest
        }
        Kind::MonthlyLimit
        | Kind::NotFound
        | Kind::Conflict
        | Kind::Gone
        | Kind::LengthRequired
        | Kind::UnsupportedMediaType
        | Kind::Locked
        | Kind::WorkFailed => Code::ChannelReject,
        Kind::Usage
        | Kind::UnknownAction
        | Kind::InvalidCatalog
        | Kind::UnexpectedStatus
        | Kind::FileUnwritable
        | Kind::InvalidSignature => Code::Unknown,
    }
}

/// Whether all that is wrong is the recipient: by the connector's own details, or LINE's words.
fn names_recipient(output: &Output) -> bool {
    let Some(error) = &output.error else {
        return false;
    };
    if error.details.is_empty() {
        return says(output, "The property, 'to',");
    }
    error.details.iter().all(|detail| {
        let path = detail.path.trim_start_matches("/json_body");
        let path = path.trim_start_matches('/');
        path == "to" || path.starts_with("to/") || path.starts_with("to[")
    })
}

/// Whether LINE's own message says so.
fn says(output: &Output, words: &str) -> bool {
    let error = output.error.as_ref();
    error.is_some_and(|error| error.message.contains(words))
}
