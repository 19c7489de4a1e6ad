//! The exchange with LINE in a call: the token, the attempts, the pauses between them, and the
//! client that carries them. What is sent is settled before; what it means is read after.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Connector;
use super::files::Saving;
use super::follow::Patience;
use super::turn::{self, Turns};
use crate::asset::{Asset, Credentials, Network};
use crate::budget::Turn;
use crate::envelope::AssetParameters;
use crate::error::{Error, Kind};
use crate::response;
use crate::retry::{self, Decision, Policy};
use crate::transport::{Http, Settings};
use line_connector_http::Secret;
use line_connector_http::{Failure, Reply, Request, Transport};

/// How long a pause goes on after the process was asked to end.
const LONGEST_SLICE: Duration = Duration::from_millis(250);
/// How many assets are remembered.
const MOST_ASSETS: usize = 64;
/// How many ways to connect are remembered.
const MOST_CLIENTS: usize = 64;

/// The way to LINE for one call.
pub(super) struct Line<'a> {
    pub(super) transport: &'a dyn Transport,
    pub(super) credentials: Option<&'a Credentials>,
    pub(super) policy: &'a Policy,
    pub(super) turns: Turns,
}

/// How a call went.
pub(super) struct Exchange {
    pub(super) result: Result<Reply, Failure>,
    pub(super) attempts: u32,
    pub(super) token: Option<Secret>,
}

impl Connector {
    /// Asks again, while the caller has patience, for what LINE still prepares.
    pub(super) fn until_ready(
        &self,
        mut request: Request,
        line: &Line<'_>,
        pending: &[u16],
        mut patience: Option<Patience>,
        saving: &mut Option<Saving<'_>>,
    ) -> Result<Exchange, Error> {
        let mut last: Option<Exchange> = None;
        loop {
            let exchange = match (self.exchange(&mut request, line, saving), last) {
                // Only asking again found no turn in time: what LINE said before stands.
                (Err(error), Some(last)) if turn::is_refusal(error.kind) => return Ok(last),
                (exchange, last) => {
                    let mut exchange = exchange?;
                    exchange.attempts += last.map_or(0, |last| last.attempts);
                    exchange
                }
            };
            let waits = matches!(&exchange.result, Ok(reply) if pending.contains(&reply.status));
            let now = (self.runtime.now)();
            match patience
                .as_mut()
                .filter(|_| waits)
                .and_then(|patience| patience.next(now))
            {
                Some(pause) if self.pause(pause) => last = Some(exchange),
                _ => return Ok(exchange),
            }
        }
    }

    /// Sends until an answer stands: the same bytes each time, a pause between, a new token once.
    fn exchange(
        &self,
        request: &mut Request,
        line: &Line<'_>,
        saving: &mut Option<Saving<'_>>,
    ) -> Result<Exchange, Error> {
        let mut attempts = 0;
        let mut renewed = false;
        let mut last = None;
        loop {
            let turn = match (self.turn(&line.turns), last) {
                (Ok(turn), _) => turn,
                // Only trying again found no turn in time: how the last attempt ended stands.
                (Err(_), Some(last)) => return Ok(last),
                (Err(error), None) => return Err(error),
            };
            let token = match line.credentials {
                Some(credentials) => Some(self.token(credentials, line, request.timeout)?),
                None => None,
            };
            request.bearer.clone_from(&token);
            let result = match saving {
                Some(saving) => line.transport.download(request, saving),
                None => line.transport.send(request),
            };
            end(turn, &result);
            attempts += 1;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "any 64 of the random bits do"
            )]
            let random = || (self.runtime.random)() as u64;
            let decision = retry::decide(line.policy, attempts, renewed, &result, random);
            let exchange = Exchange {
                result,
                attempts,
                token,
            };
            match decision {
                Decision::Stop => return Ok(exchange),
                Decision::Again(pause) => {
                    (self.runtime.sleep)(pause);
                    last = Some(exchange);
                }
                Decision::RenewToken => {
                    if let (Some(credentials), Some(token)) = (line.credentials, &exchange.token) {
                        self.tokens.forget(credentials, token);
                    }
                    renewed = true;
                    last = None;
                }
            }
        }
    }

    /// Lets time pass while nothing is under way, in slices, and says whether to go on after it.
    pub(super) fn pause(&self, mut pause: Duration) -> bool {
        while !pause.is_zero() && !self.budgets.is_stopped() {
            let slice = pause.min(LONGEST_SLICE);
            (self.runtime.sleep)(slice);
            pause -= slice;
        }
        !self.budgets.is_stopped()
    }

    /// A token, asked for again where the endpoint is only out of reach: issuing has no effect that
    /// could be doubled on people.
    fn token(
        &self,
        credentials: &Credentials,
        line: &Line<'_>,
        timeout: Duration,
    ) -> Result<Secret, Error> {
        let mut attempt = 1;
        loop {
            let now = (self.runtime.now)();
            match self
                .tokens
                .bearer(credentials, line.transport, now, timeout)
            {
                Err(error) if error.kind.retryable() && attempt < line.policy.attempts => {
                    (self.runtime.sleep)(line.policy.backoff.saturating_mul(attempt));
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// The asset that these parameters describe, sorted out once for many calls.
    pub(super) fn asset(&self, parameters: &AssetParameters) -> Result<Arc<Asset>, Error> {
        let assets = self.assets.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asset)) = assets.iter().find(|(known, _)| known == parameters) {
            return Ok(Arc::clone(asset));
        }
        drop(assets);
        let manifest = self.catalog.manifest();
        let environment = &self.runtime.environment;
        let asset = Arc::new(Asset::resolve(manifest, parameters, environment)?);
        let mut assets = self.assets.write().unwrap_or_else(PoisonError::into_inner);
        if assets.len() >= MOST_ASSETS {
            assets.clear();
        }
        assets.push((parameters.clone(), Arc::clone(&asset)));
        Ok(asset)
    }

    pub(super) fn transport(&self, network: &Network) -> Result<Arc<dyn Transport>, Error> {
        if let Some(transport) = &self.runtime.transport {
            return Ok(Arc::clone(transport));
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(network) {
            return Ok(Arc::<Http>::clone(client));
        }
        let client = Arc::new(self.client(network)?);
        if clients.len() >= MOST_CLIENTS {
            clients.retain(|_, client| Arc::strong_count(client) > 1);
        }
        clients.insert(network.clone(), Arc::clone(&client));
        Ok(client)
    }

    fn client(&self, network: &Network) -> Result<Http, Error> {
        let defaults = &self.catalog.manifest().defaults;
        let invalid = |reason: String| Error::new(Kind::InvalidAsset, reason);
        let authorities = match &network.ca_file {
            Some(path) => Some(
                (self.runtime.read_file)(path)
                    .map_err(|error| invalid(format!("`ca_file` cannot be read: {error}")))?,
            ),
            None => None,
        };
        Http::new(Settings {
            verify_tls: network.verify_tls,
            proxy: network.proxy.clone(),
            authorities,
            connect_timeout: Duration::from_millis(defaults.connect_timeout_ms),
            usual_timeout: Duration::from_millis(defaults.timeout_ms),
            max_response_bytes: defaults.max_response_bytes,
        })
        .map_err(invalid)
    }
}

/// Ends the turn of a request by how it went.
fn end(turn: Turn<'_>, result: &Result<Reply, Failure>) {
    match result {
        Ok(reply) if response::is_rate_limit(reply) => {
            let asked = reply.headers.get("retry-after");
            let asked = asked.and_then(|value| value.trim().parse().ok());
            turn.end_refused(asked.map(Duration::from_secs));
        }
        Err(failure) if !failure.maybe_sent => drop(turn),
        _ => turn.end(),
    }
}
