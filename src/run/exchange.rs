//! The exchange with LINE in a call: the token, the attempts, the pauses between them, and the
//! client that carries them. What is sent is settled before; what it means is read after.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Connector;
use super::files::Saving;
use super::follow::Patience;
use crate::asset::{Credentials, Network};
use crate::error::{Error, Kind};
use crate::http::{Failure, Reply, Request, Transport};
use crate::retry::{self, Decision, Policy};
use crate::secret::Secret;
use crate::transport::{Http, Settings};

/// The way to LINE for one call.
pub(super) struct Line<'a> {
    pub(super) transport: &'a dyn Transport,
    pub(super) credentials: Option<&'a Credentials>,
    pub(super) policy: &'a Policy,
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
        let mut before = 0;
        loop {
            let mut exchange = self.exchange(&mut request, line, saving)?;
            exchange.attempts += before;
            let waits = matches!(&exchange.result, Ok(reply) if pending.contains(&reply.status));
            let now = (self.runtime.now)();
            match patience
                .as_mut()
                .filter(|_| waits)
                .and_then(|patience| patience.next(now))
            {
                Some(pause) => (self.runtime.sleep)(pause),
                None => return Ok(exchange),
            }
            before = exchange.attempts;
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
        loop {
            let token = match line.credentials {
                Some(credentials) => Some(self.token(credentials, line, request.timeout)?),
                None => None,
            };
            request.bearer.clone_from(&token);
            let result = match saving {
                Some(saving) => line.transport.download(request, saving),
                None => line.transport.send(request),
            };
            attempts += 1;
            let random = (self.runtime.random)();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "any 64 of the random bits do"
            )]
            let random = random as u64;
            match retry::decide(line.policy, attempts, renewed, &result, random) {
                Decision::Stop => {
                    return Ok(Exchange {
                        result,
                        attempts,
                        token,
                    });
                }
                Decision::Again(pause) => (self.runtime.sleep)(pause),
                Decision::RenewToken => {
                    if let (Some(credentials), Some(token)) = (line.credentials, &token) {
                        self.tokens.forget(credentials, token);
                    }
                    renewed = true;
                }
            }
        }
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

    pub(super) fn transport(&self, network: &Network) -> Result<Arc<dyn Transport>, Error> {
        if let Some(transport) = &self.runtime.transport {
            return Ok(Arc::clone(transport));
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(network) {
            return Ok(Arc::<Http>::clone(client));
        }
        let client = Arc::new(self.client(network)?);
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
            max_response_bytes: defaults.max_response_bytes,
        })
        .map_err(invalid)
    }
}
