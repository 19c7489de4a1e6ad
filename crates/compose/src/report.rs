//! What became of what the caller wrote: changes beside a result, problems instead of one. It decides
//! nothing but what counts as a loss.

use crate::{MAX_BYTES, MAX_MESSAGES};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A JSON pointer into the items that the caller wrote: `/0/card_message/title`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(String);

impl Place {
    /// The whole document.
    pub(crate) fn root() -> Self {
        Self(String::new())
    }

    pub(crate) fn item(index: usize) -> Self {
        Self(format!("/{index}"))
    }

    /// A member of the value at this place.
    pub(crate) fn key(&self, name: &str) -> Self {
        let mut path = String::with_capacity(self.0.len() + 1 + name.len());
        path.push_str(&self.0);
        path.push('/');
        if name.contains(['~', '/']) {
            path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        } else {
            path.push_str(name);
        }
        Self(path)
    }

    /// An element of the array at this place.
    pub(crate) fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What happened to a part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It became an object of another kind; nothing was lost.
    Transcoded,
    /// A visible text was shortened.
    Truncated,
    /// It became several messages.
    Split,
    /// A function was lost: a button became a line of text.
    Degraded,
    /// Something is not there any more.
    Dropped,
}

impl What {
    /// Whether `strict` refuses it.
    #[must_use]
    pub fn is_loss(self) -> bool {
        matches!(self, What::Truncated | What::Degraded | What::Dropped)
    }
}

/// One thing that differs between what the caller wrote and what LINE gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// JSON pointer into the items that the caller wrote.
    pub path: String,
    /// What happened.
    pub what: What,
    /// The limit that made it necessary, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How much there was, in the unit of the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<usize>,
    /// The same for people.
    pub message: String,
}

/// Sinch's reason codes, as far as sending by LINE gives reason for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Code {
    /// Nothing else fits.
    Unknown,
    /// A defect of the connector.
    InternalError,
    /// A limit of LINE's or of the asset's was met: for requests in a time, or at once.
    RateLimited,
    /// The recipient's ID is wrong.
    RecipientInvalidChannelIdentity,
    /// Nobody can be reached by this phone number.
    RecipientNotReachable,
    /// The reply token is used or expired.
    OutsideAllowedSendingWindow,
    /// LINE, or the way to it, is in trouble.
    ChannelFailure,
    /// The asset is wrong, or LINE refuses its credentials.
    ChannelBadConfiguration,
    /// There are no credentials.
    ChannelConfigurationMissing,
    /// LINE refused it for another reason, such as the month's limit.
    ChannelReject,
    /// No answer in time, or none that is whole.
    DeliveryTimedOut,
    /// LINE's account or plan may not do this.
    NoPermission,
    /// The messages are wrong.
    BadRequest,
    /// LINE has nothing like it.
    UnsupportedOperation,
    /// LINE is not among the channels that may be used.
    NoChannelsLeft,
    /// The recipient is not known here.
    ContactNotFound,
    /// The recipient has no identity on LINE.
    NoChannelIdentityForContact,
    /// LINE cannot fetch the media.
    MediaNotReachable,
    /// LINE does not take this type of media.
    MediaTypeUnsupported,
    /// The media are larger than LINE takes.
    MediaTooLarge,
    /// A text must be split, and `options.split` is `never`.
    MessageSplitRequired,
    /// No template of this name is known.
    TemplateNotFound,
    /// The template has a place for a parameter that was not given.
    TemplateInsufficientParameters,
    /// The template is not there in this language.
    TemplateNonExistingLanguageOrVersion,
}

/// One reason why an item cannot become a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// JSON pointer into the items that the caller wrote.
    pub path: String,
    /// Sinch's code for it.
    pub code: Code,
    /// What is wrong, in words that follow the path.
    pub message: String,
    /// What would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was there instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(place: &Place, message: impl Into<String>) -> Self {
        Self {
            path: place.to_string(),
            code: Code::BadRequest,
            message: message.into(),
            expected: None,
            found: None,
            hint: None,
        }
    }

    /// For what becomes more than any request takes.
    pub(crate) fn too_large(place: &Place) -> Self {
        Self::new(place, "becomes too large")
            .expected(format!(
                "at most {MAX_MESSAGES} messages and {} MiB from all items",
                MAX_BYTES >> 20
            ))
            .hint("send it in several calls")
    }

    pub(crate) fn code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    pub(crate) fn expected(self, expected: impl Into<String>) -> Self {
        let expected = Some(expected.into());
        Self { expected, ..self }
    }

    pub(crate) fn found(self, found: impl Into<String>) -> Self {
        let found = Some(found.into());
        Self { found, ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { hint, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.path, self.message)
    }
}

impl std::error::Error for Problem {}

/// Changes and problems, in the order in which they are met.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) changes: Vec<Change>,
    pub(crate) problems: Vec<Problem>,
}

impl Report {
    pub(crate) fn changed(&mut self, place: &Place, what: What, message: impl Into<String>) {
        self.note(place, what, None, message);
    }

    /// A change that a limit made necessary: the limit, and how much there was.
    pub(crate) fn exceeded(
        &mut self,
        place: &Place,
        what: What,
        (limit, found): (usize, usize),
        message: impl Into<String>,
    ) {
        self.note(place, what, Some((limit, found)), message);
    }

    fn note(
        &mut self,
        place: &Place,
        what: What,
        amounts: Option<(usize, usize)>,
        message: impl Into<String>,
    ) {
        self.changes.push(Change {
            path: place.to_string(),
            what,
            limit: amounts.map(|(limit, _)| limit),
            found: amounts.map(|(_, found)| found),
            message: message.into(),
        });
    }

    pub(crate) fn refuse(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
