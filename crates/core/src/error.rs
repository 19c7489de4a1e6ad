//! What can go wrong, as data: a kind with a stable code, where it happened, and what to do about
//! it. The texts that belong to one kind stand in one table; nothing is printed here.

use std::fmt;

use serde::{Deserialize, Serialize};

use line_connector_catalog::definition::Repeat;
pub use line_connector_schema::Detail;

/// The class of a failure. The `snake_case` name is part of the output contract.
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
    /// The content came, and the file for it could not be written.
    FileUnwritable,
    /// LINE accepted the work and could not finish it.
    WorkFailed,
    /// The call's turn within the rate limit did not come in time.
    RateBudget,
    /// The process is ending and takes no further call.
    ShuttingDown,
    /// The caller gave the call up.
    Cancelled,
    /// A webhook's signature is missing or is not LINE's for this channel.
    InvalidSignature,
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
    /// Of several requests, LINE accepted those before the one that failed.
    Partial,
}

/// A failure on the way to LINE's answer: what every step returns and `run` turns into the
/// output's `error`.
#[derive(Debug, Clone)]
pub struct Error {
    /// The class.
    pub kind: Kind,
    /// One lower-case fragment for people, without secrets.
    pub message: String,
    /// What is known about the effect.
    pub outcome: Outcome,
    /// The places that are wrong.
    pub details: Vec<Detail>,
    /// What to do, where it is better than the kind's own hint.
    pub hint: Option<String>,
    /// Whether the same call may succeed later without a change to it, and without harm.
    pub retryable: bool,
}

impl Error {
    /// An error before anything was sent.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            outcome: Outcome::NotDone,
            details: Vec::new(),
            hint: None,
            retryable: kind.retryable(),
        }
    }

    /// The same with the places that are wrong.
    #[must_use]
    pub fn with_details(mut self, details: Vec<Detail>) -> Self {
        self.details = details;
        self
    }

    /// The same with a hint of its own.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same for an operation that may be repeated so: where the effect is not known, making the call
    /// again may have it twice; and where there is no retry key, no hint speaks of one.
    #[must_use]
    pub fn of(mut self, repeat: Repeat) -> Self {
        let is_unknown = self.outcome == Outcome::Unknown;
        if repeat == Repeat::Never && is_unknown {
            self.retryable = false;
            self.hint = Some(
                "LINE may have carried it out, and takes no retry key here: look before making the call again"
                    .to_owned(),
            );
        }
        let keyless = match self.kind {
            Kind::ConnectionBroken | Kind::Timeout if is_unknown => {
                "make the call again: if LINE has carried it out already, nothing more changes"
            }
            Kind::RateLimit => "slow down and try again later",
            Kind::Unavailable => "LINE is in trouble; try again later",
            _ => return self,
        };
        if repeat != Repeat::Keyed {
            self.hint.get_or_insert_with(|| keyless.to_owned());
        }
        self
    }

    /// The same after attempts of the same call. Where LINE may have carried one out (`in_doubt`), a
    /// refusal may come from that, and says nothing about the effect.
    #[must_use]
    pub fn after(mut self, in_doubt: bool) -> Self {
        if in_doubt && self.outcome == Outcome::NotDone {
            self.outcome = Outcome::Unknown;
            self.hint = Some(
                "an attempt before this one got no answer and may have been carried out, which can be the reason: look before making the call again"
                    .to_owned(),
            );
        }
        self
    }

    /// The same with what is known about the effect.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        for detail in &self.details {
            write!(formatter, "\n  {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// How the process ends. The numbers are part of the contract with platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// LINE accepted it: 2xx, or 409 for a retry key that was accepted before.
    Accepted = 0,
    /// LINE refused it.
    Refused = 1,
    /// The command line or the document is wrong.
    Usage = 2,
    /// The inputs break the schema.
    InvalidInputs = 3,
    /// No channel access token could be had.
    NoToken = 4,
    /// No answer: refused connection, time-out, TLS.
    NoAnswer = 5,
    /// A webhook that is not provably LINE's.
    Untrusted = 6,
    /// The month's messages are used up, or nearly: told by `check`, and by `serve` where it was asked
    /// to end for it.
    Quota = 7,
    /// A call of `serve` failed, and it was asked to tell.
    SomeFailed = 8,
    /// A bug.
    Bug = 70,
    /// The answer could not be written: standard output is full or broken.
    Unwritten = 74,
}

impl ExitCode {
    /// Every code.
    pub const ALL: [ExitCode; 11] = [
        ExitCode::Accepted,
        ExitCode::Refused,
        ExitCode::Usage,
        ExitCode::InvalidInputs,
        ExitCode::NoToken,
        ExitCode::NoAnswer,
        ExitCode::Untrusted,
        ExitCode::Quota,
        ExitCode::SomeFailed,
        ExitCode::Bug,
        ExitCode::Unwritten,
    ];
}

impl Kind {
    /// Every kind, in the order of a call.
    pub const ALL: [Kind; 38] = [
        Kind::Usage,
        Kind::InvalidDocument,
        Kind::UnknownAction,
        Kind::InvalidCatalog,
        Kind::InvalidAsset,
        Kind::InvalidInputs,
        Kind::NoCredentials,
        Kind::TokenRefused,
        Kind::TokenUnavailable,
        Kind::BadRequest,
        Kind::InvalidReplyToken,
        Kind::Unauthorized,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::Conflict,
        Kind::Gone,
        Kind::LengthRequired,
        Kind::TooLarge,
        Kind::UnsupportedMediaType,
        Kind::Undeliverable,
        Kind::Locked,
        Kind::RateLimit,
        Kind::MonthlyLimit,
        Kind::ConcurrentOperations,
        Kind::Unavailable,
        Kind::UnexpectedStatus,
        Kind::ConnectionFailed,
        Kind::ConnectionBroken,
        Kind::Timeout,
        Kind::Tls,
        Kind::ResponseTooLarge,
        Kind::FileUnwritable,
        Kind::WorkFailed,
        Kind::RateBudget,
        Kind::ShuttingDown,
        Kind::Cancelled,
        Kind::InvalidSignature,
        Kind::Internal,
    ];

    /// The exit code of a call that failed in this way.
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Kind::Usage
            | Kind::InvalidDocument
            | Kind::UnknownAction
            | Kind::InvalidCatalog
            | Kind::InvalidAsset
            | Kind::FileUnwritable => ExitCode::Usage,
            Kind::InvalidInputs => ExitCode::InvalidInputs,
            Kind::NoCredentials | Kind::TokenRefused | Kind::TokenUnavailable => ExitCode::NoToken,
            Kind::BadRequest
            | Kind::InvalidReplyToken
            | Kind::Unauthorized
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Gone
            | Kind::LengthRequired
            | Kind::TooLarge
            | Kind::UnsupportedMediaType
            | Kind::Undeliverable
            | Kind::Locked
            | Kind::RateLimit
            | Kind::MonthlyLimit
            | Kind::ConcurrentOperations
            | Kind::Unavailable
            | Kind::UnexpectedStatus
            | Kind::WorkFailed => ExitCode::Refused,
            Kind::ConnectionFailed
            | Kind::ConnectionBroken
            | Kind::Timeout
            | Kind::Tls
            | Kind::ResponseTooLarge
            | Kind::RateBudget
            | Kind::ShuttingDown
            | Kind::Cancelled => ExitCode::NoAnswer,
            Kind::InvalidSignature => ExitCode::Untrusted,
            Kind::Internal => ExitCode::Bug,
        }
    }

    /// Whether the same call may succeed later without a change to it.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(
            self,
            Kind::TokenUnavailable
                | Kind::Locked
                | Kind::RateLimit
                | Kind::ConcurrentOperations
                | Kind::Unavailable
                | Kind::ConnectionFailed
                | Kind::ConnectionBroken
                | Kind::Timeout
                | Kind::RateBudget
                | Kind::ShuttingDown
                | Kind::Cancelled
        )
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Kind::Usage => "run `line-connector --help`",
            Kind::InvalidDocument => {
                "give one JSON object such as {\"inputs\": {…}} on standard input; `line-connector describe ACTION` shows an example"
            }
            Kind::UnknownAction => "`line-connector list` shows every action",
            Kind::InvalidCatalog => "correct the file; CONTRIBUTING.md describes the format",
            Kind::InvalidAsset => {
                "correct the asset; `line-connector describe` lists its parameters"
            }
            Kind::InvalidInputs => {
                "correct the inputs; `options.validation: \"off\"` sends them as they are"
            }
            Kind::NoCredentials => {
                "give `token`, or `client_id` and `client_secret`: in `asset`, in a file (`--asset FILE`), or in the environment (LINE_CHANNEL_ACCESS_TOKEN); `--sandbox` needs none"
            }
            Kind::TokenRefused => {
                "compare channel ID and secret (or key and `kid`) with the LINE Developers Console"
            }
            Kind::TokenUnavailable => "check `asset.token_url` and the network, then try again",
            Kind::BadRequest => "correct what LINE names; the request was not carried out",
            Kind::InvalidReplyToken => {
                "a reply token works once and for about a minute; if an earlier attempt got no answer, it may have been delivered, so do not send it again as a push"
            }
            Kind::Unauthorized => {
                "issue a new channel access token; a long-lived one may have been replaced in the console, or be limited to certain IP addresses"
            }
            Kind::Forbidden => "the account's plan or rights do not include this; see the console",
            Kind::NotFound => {
                "check the id: LINE has nothing there, or does not show it to this channel"
            }
            Kind::Conflict => "the operation collides with another one; look before trying again",
            Kind::Gone => "it no longer exists at LINE (unsent or closed)",
            Kind::LengthRequired => "something between here and LINE removed Content-Length",
            Kind::TooLarge => "keep the request under 2 MB; send fewer or smaller messages",
            Kind::UnsupportedMediaType => "use a content type that this operation takes",
            Kind::Undeliverable => {
                "no LINE user has this phone number, or the user refuses notification messages"
            }
            Kind::Locked => "another channel controls the chat; try again in some seconds",
            Kind::RateLimit => "slow down and try again later, with the same retry key",
            Kind::MonthlyLimit => {
                "the month's messages are used up, or reserved by a narrowcast that still runs; compare quota and consumption; trying again does not help by itself"
            }
            Kind::ConcurrentOperations => "wait until running operations end, then try again",
            Kind::Unavailable => "LINE is in trouble; try again later, with the same retry key",
            Kind::UnexpectedStatus => "check `asset.url`; redirects are not followed",
            Kind::ConnectionFailed => {
                "check `asset.url`, the proxy and the network; nothing was sent"
            }
            Kind::ConnectionBroken | Kind::Timeout => {
                "LINE may have carried it out: repeat with the same `options.idempotency_key` or retry key, or look before sending again"
            }
            Kind::Tls => {
                "the server's certificate is not trusted: give `asset.ca_file` for a private authority"
            }
            Kind::ResponseTooLarge => "the answer is larger than the connector takes",
            Kind::FileUnwritable => "choose another `options.save_to`, or make room",
            Kind::RateBudget => {
                "nothing was sent: make the call again later, or allow it more `options.max_wait_ms`"
            }
            Kind::ShuttingDown => "nothing was sent: make the call again with the next process",
            Kind::Cancelled => "make the call again if it is wanted after all",
            Kind::InvalidSignature => {
                "check that `asset.client_secret` is this channel's secret, and that the body comes byte for byte as LINE sent it; if both are so, it did not come from LINE"
            }
            Kind::WorkFailed => "read the phase and its reason in `json_body`",
            Kind::Internal => "please report this as a bug, with the document but without secrets",
        }
    }
}
