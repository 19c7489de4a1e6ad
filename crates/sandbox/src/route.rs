//! The type of a route: a method and a path template, what a call must bring, and the handler. The
//! families of operations list theirs in `ROUTES`.

use crate::http::Answer;
use crate::state::Context;

/// Answers a call. `Err` is an answer too, a refusal: a handler ends early with `?`.
pub(crate) type Handler = fn(&mut Context<'_>) -> Result<Answer, Answer>;

/// One operation of LINE's.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// The path, with `{name}` for a parameter.
    pub(crate) template: &'static str,
    pub(crate) needs_bearer: bool,
    pub(crate) takes_retry_key: bool,
    pub(crate) answer: Handler,
}

impl Route {
    /// An operation that requires a channel access token.
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

    /// An operation that requires no channel access token.
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
