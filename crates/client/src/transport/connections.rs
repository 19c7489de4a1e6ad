//! Connections for many calls at once. Each call under way has an agent to itself, so that calls
//! meet at no lock while one of them looks after its connection, and so that it is known whether a
//! call that failed had a connection at all. Where hosts are is remembered here too.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};
use ureq::{Agent, Error};

/// How long the addresses of a host name are good.
const NAME_KEPT: Duration = Duration::from_secs(30);
/// How long an agent that no call needs keeps its connections.
const AGENT_KEPT: Duration = Duration::from_secs(15);

/// The agents of one way to connect.
#[derive(Debug)]
pub(super) struct Agents {
    config: Config,
    /// With one set of certificates.
    connector: Arc<DefaultConnector>,
    places: Arc<Mutex<Vec<Place>>>,
    /// Those that no call uses, with the time since when, the longest first.
    idle: Mutex<VecDeque<(Instant, Client)>>,
}

/// An agent, and whether it last failed before it had a connection.
#[derive(Debug, Clone)]
struct Client {
    agent: Agent,
    unconnected: Flag,
}

/// Shared by an agent and its parts.
#[derive(Debug, Clone, Default)]
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn set(&self, to: bool) {
        self.0.store(to, Ordering::Relaxed);
    }

    /// Raises the flag where something failed.
    fn on_failure<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.set(true);
        }
        result
    }
}

impl Agents {
    /// Agents with this configuration. Nothing is connected yet.
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            connector: Arc::default(),
            places: Arc::default(),
            idle: Mutex::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(Instant, Client)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent for one call: the one used last, whose connection is likeliest to be open.
    pub(super) fn lend(&self) -> Lent<'_> {
        let idle = self.idle().pop_back().map(|(_, client)| client);
        let client = idle.unwrap_or_else(|| self.client());
        client.unconnected.set(false);
        Lent {
            agents: self,
            client,
        }
    }

    fn client(&self) -> Client {
        let unconnected = Flag::default();
        let connect = Connect {
            connector: Arc::clone(&self.connector),
            unconnected: unconnected.clone(),
        };
        let names = Names {
            places: Arc::clone(&self.places),
            unconnected: unconnected.clone(),
        };
        let agent = Agent::with_parts(self.config.clone(), connect, names);
        Client { agent, unconnected }
    }
}

/// An agent that goes back when its call has ended.
pub(super) struct Lent<'a> {
    agents: &'a Agents,
    client: Client,
}

impl Lent<'_> {
    /// Whether the call failed before there was a connection, TLS and proxies included: then no
    /// byte of its request was sent.
    pub(super) fn is_unconnected(&self) -> bool {
        self.client.unconnected.0.load(Ordering::Relaxed)
    }
}

impl Deref for Lent<'_> {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.client.agent
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut idle = self.agents.idle();
        idle.push_back((now, self.client.clone()));
        // One at a time is enough: no more come than go.
        let old = idle.pop_front_if(|(since, _)| now.duration_since(*since) >= AGENT_KEPT);
        drop(idle);
        drop(old);
    }
}

/// How an agent connects.
#[derive(Debug)]
struct Connect {
    connector: Arc<DefaultConnector>,
    unconnected: Flag,
}

impl Connector for Connect {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        self.unconnected
            .on_failure(self.connector.connect(details, chained))
    }
}

/// Where hosts are. The client asks before every request, also where a connection is kept, and the
/// system would be asked on a thread of its own each time: what it said is good for a while.
#[derive(Debug)]
struct Names {
    places: Arc<Mutex<Vec<Place>>>,
    unconnected: Flag,
}

/// Where a host is.
#[derive(Debug)]
struct Place {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    since: Instant,
    addresses: ResolvedSocketAddrs,
}

impl Place {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < NAME_KEPT
    }
}

impl Names {
    fn known(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (scheme, authority) = (uri.scheme(), uri.authority());
        let of = |place: &&Place| {
            place.scheme.as_ref() == scheme && place.authority.as_ref() == authority
        };
        if let Some(place) = self
            .known()
            .iter()
            .find(of)
            .filter(|place| place.is_fresh())
        {
            return Ok(place.addresses.clone());
        }
        let host = scheme.zip(authority);
        let host = host.and_then(|(scheme, host)| DefaultResolver::host_and_port(scheme, host));
        let addresses = if let Ok(address) = host.unwrap_or_default().parse() {
            let mut addresses = self.empty();
            addresses.push(address);
            addresses
        } else {
            let resolved = DefaultResolver::default().resolve(uri, config, timeout);
            // The system's texts differ; what they say is the same.
            let resolved = resolved.map_err(|error| match error {
                Error::Io(_) => Error::HostNotFound,
                error => error,
            });
            self.unconnected.on_failure(resolved)?
        };
        let mut known = self.known();
        known.retain(|place| place.is_fresh() && !of(&place));
        known.push(Place {
            scheme: scheme.cloned(),
            authority: authority.cloned(),
            since: Instant::now(),
            addresses: addresses.clone(),
        });
        Ok(addresses)
    }
}
