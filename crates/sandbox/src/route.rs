//! One operation: the method and path that lead to it, what a call must bring, and the function that
//! answers. The families of operations list theirs in `ROUTES`.

use crate::http::Answer;
use crate::state::Turn;

/// Answers a call. Both sides are what goes back to the caller: `Err` is a refusal, so that a handler
/// ends early with `?`.
pub(crate) type Handler = fn(&mut Turn<'_>) -> Result<Answer, Answer>;

/// One operation.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// The path, with `{name}` for a segment that varies.
    pub(crate) template: &'static str,
    pub(crate) needs_bearer: bool,
    pub(crate) takes_retry_key: bool,
    pub(crate) answer: Handler,
}

impl Route {
    /// An operation for callers with a channel access token.
    pub(crate) const fn bot(method: &'static str, template: &'static str, answer: Handler) -> Self {
        Self {
            method,
            template,
            needs_bearer: true,
            takes_retry_key: false,
            answer,
        }
    }

    /// One of the four operations that take `X-Line-Retry-Key`.
    pub(crate) const fn keyed(
        method: &'static str,
        template: &'static str,
        answer: Handler,
    ) -> Self {
        Self {
            takes_retry_key: true,
            ..Self::bot(method, template, answer)
        }
    }

    /// An operation that needs no bearer.
    pub(crate) const fn open(
        method: &'static str,
        template: &'static str,
        answer: Handler,
    ) -> Self {
        Self {
            needs_bearer: false,
            ..Self::bot(method, template, answer)
        }
    }
}
