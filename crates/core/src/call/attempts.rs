//! The exchange with LINE in a call: the token, the attempts, the pauses between them, and the
//! client that carries them. What is sent is settled before; what it means is read after.

use std::sync::Arc;
use std::time::Duration;

use super::Pipeline;
use super::deadline::Deadline;
use super::files::Saving;
use super::permits::{self, OUT_OF_TIME, Permits};
use super::progress::Patience;
use crate::asset::{Asset, Credentials};
use crate::auth::Time;
use crate::backoff;
use crate::documents::AssetParameters;
use crate::error::{Error, Kind};
use crate::rate_limit::Turn;
use crate::response;
use crate::retry::{self, Decision, Policy};
use line_connector_http::Secret;
use line_connector_http::{Failure, Reply, Request, Transport};

/// How long a pause goes on after the process was asked to end, or the caller gave the call up.
const MAX_SLICE: Duration = Duration::from_millis(250);

/// From how many bytes on the caller is told that they are sent.
const LONG: usize = 256 * 1024;

/// What all attempts of one call share.
pub(super) struct AttemptContext<'a> {
    pub(super) transport: &'a dyn Transport,
    pub(super) credentials: Option<&'a Credentials>,
    pub(super) is_operators: bool,
    pub(super) policy: &'a Policy,
    pub(super) permits: Permits,
    pub(super) deadline: Deadline,
}

/// How a call went.
pub(super) struct Exchange {
    pub(super) result: Result<Reply, Failure>,
    /// Whether LINE may have carried out an attempt before the last.
    pub(super) in_doubt: bool,
    pub(super) attempts: u32,
    /// Those that were sent.
    pub(super) tokens: Vec<Secret>,
}

impl Pipeline {
    /// Asks again, while the caller has patience, for what LINE still prepares.
    pub(super) fn until_ready(
        &self,
        mut request: Request,
        context: &AttemptContext<'_>,
        pending: &[u16],
        mut patience: Option<Patience>,
        saving: &mut Option<Saving<'_>>,
    ) -> Result<Exchange, Error> {
        let mut last: Option<Exchange> = None;
        loop {
            let exchange = match (self.exchange(&mut request, context, saving), last) {
                // Only asking again found no turn in time: what LINE said before stands.
                (Err(error), Some(last)) if permits::is_refusal(error.kind) => return Ok(last),
                (exchange, last) => {
                    let mut exchange = exchange?;
                    if let Some(last) = last {
                        exchange.attempts += last.attempts;
                        exchange.in_doubt |= last.in_doubt;
                        exchange.tokens.extend(last.tokens);
                    }
                    exchange
                }
            };
            let waits = matches!(&exchange.result, Ok(reply) if pending.contains(&reply.status));
            let now = self.host.clock.now();
            match patience
                .as_mut()
                .filter(|_| waits)
                .and_then(|patience| patience.next(now))
            {
                Some(pause)
                    if self.pause(pause, &context.deadline, || {
                        "LINE still prepares it".to_owned()
                    }) =>
                {
                    last = Some(exchange);
                }
                _ => return Ok(exchange),
            }
        }
    }

    /// Sends until an answer stands: the same bytes each time, a pause between, a new token once.
    fn exchange(
        &self,
        request: &mut Request,
        context: &AttemptContext<'_>,
        saving: &mut Option<Saving<'_>>,
    ) -> Result<Exchange, Error> {
        let mut attempts = 0;
        let mut renewed = false;
        let mut tokens = Vec::new();
        let mut last = None;
        let mut in_doubt = false;
        let timeout = request.timeout;
        loop {
            let turn = match (self.turn(&context.permits, &context.deadline), last) {
                (Ok(turn), _) => turn,
                // Only trying again found no turn in time: how the last attempt ended stands.
                (Err(_), Some(last)) => return Ok(last),
                (Err(error), None) => return Err(error.after(in_doubt)),
            };
            let token = match context.credentials {
                Some(credentials) => Some(
                    self.token(credentials, context, timeout)
                        .map_err(|error| context.deadline.reason(error).after(in_doubt))?,
                ),
                None => None,
            };
            let left = context.deadline.left(self.host.clock.as_ref());
            if left.is_zero() {
                return Err(context.deadline.reason(out_of_time()).after(in_doubt));
            }
            request.timeout = timeout.min(left);
            request.download_timeout = Some(left);
            request.bearer.clone_from(&token);
            tokens.extend(token.clone().filter(|token| !tokens.contains(token)));
            if request.body.len() >= LONG {
                let bytes = request.body.len();
                context.deadline.tell(|| format!("sending {bytes} bytes"));
            }
            let result = match saving {
                Some(saving) => context.transport.download(request, saving),
                None => context.transport.send(request),
            };
            end(turn, &result);
            attempts += 1;
            let decision =
                retry::decide(context.policy, attempts, renewed, &result, || self.jitter());
            let maybe_done = response::may_be_done(&result);
            let exchange = Exchange {
                result,
                in_doubt,
                attempts,
                tokens: tokens.clone(),
            };
            in_doubt |= maybe_done;
            match decision {
                Decision::Again(pause)
                    if self.pause(pause, &context.deadline, || why_again(&exchange.result)) =>
                {
                    last = Some(exchange);
                }
                // Also where there is no time for another one.
                Decision::Stop | Decision::Again(_) => return Ok(exchange),
                Decision::RenewToken => {
                    if let (Some(credentials), Some(token)) = (context.credentials, &token) {
                        self.tokens.forget(credentials, token);
                    }
                    renewed = true;
                    last = None;
                }
            }
        }
    }

    /// Random bits that spread pauses.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "any 64 of the random bits do"
    )]
    fn jitter(&self) -> u64 {
        self.host.random.bits() as u64
    }

    /// Lets time pass while nothing is under way, in slices, and says whether to go on after it. What
    /// would go on beyond the call's time is not begun. The caller is told `why`.
    pub(super) fn pause(
        &self,
        mut pause: Duration,
        deadline: &Deadline,
        why: impl FnOnce() -> String,
    ) -> bool {
        if pause >= deadline.left(self.host.clock.as_ref()) {
            return false;
        }
        deadline.tell(|| format!("{}; again in {:.1} s", why(), pause.as_secs_f64()));
        let goes_on = || !self.budgets.is_stopped() && !deadline.is_cancelled();
        while !pause.is_zero() && goes_on() {
            let slice = pause.min(MAX_SLICE);
            self.host.clock.sleep(slice);
            pause -= slice;
        }
        goes_on()
    }

    /// A token, asked for again where the endpoint is only out of reach: issuing has no effect that
    /// could be doubled on people.
    fn token(
        &self,
        credentials: &Credentials,
        context: &AttemptContext<'_>,
        timeout: Duration,
    ) -> Result<Secret, Error> {
        let mut attempt = 1;
        loop {
            let clock = self.host.clock.as_ref();
            let issuer = self.host.issuer.as_ref();
            let time = Time {
                clock,
                timeout,
                left: &|| context.deadline.left(clock),
            };
            let (whose, transport) = (context.is_operators, context.transport);
            match self
                .tokens
                .bearer(credentials, whose, issuer, transport, time)
            {
                Err(error) if error.kind.retryable() && attempt < context.policy.attempts => {
                    let pause = context.policy.backoff(attempt, || self.jitter());
                    let why = || "no token yet".to_owned();
                    if !self.pause(pause, &context.deadline, why) {
                        return Err(error);
                    }
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// The asset that these parameters describe.
    pub(super) fn asset(&self, parameters: &AssetParameters) -> Result<Arc<Asset>, Error> {
        self.caches.asset(self.catalog.manifest(), parameters)
    }
}

/// The call's time was up before it could be sent.
fn out_of_time() -> Error {
    Error::new(
        Kind::Timeout,
        "the time of this call was up before it could be sent",
    )
    .with_hint(OUT_OF_TIME)
}

/// Why another attempt follows, for people.
fn why_again(result: &Result<Reply, Failure>) -> String {
    match result {
        Ok(reply) => format!("LINE answered {}", reply.status),
        Err(_) => "LINE did not answer".to_owned(),
    }
}

/// Ends the turn of a request by how it went.
fn end(turn: Turn<'_>, result: &Result<Reply, Failure>) {
    match result {
        Ok(reply) if response::is_rate_limit(reply) => {
            turn.end_refused(backoff::retry_after(reply));
        }
        Err(failure) if !failure.maybe_sent => drop(turn),
        _ => turn.end(),
    }
}
