//! Watching: every request is told of when it has ended, those for tokens included.

use std::sync::Arc;
use std::time::{Duration, Instant};

use line_connector_core::asset::Network;
use line_connector_core::catalog::Defaults;
use line_connector_core::error::Error;
use line_connector_core::host::{Connect, Files};
use line_connector_core::redact::Redactor;
use line_connector_http::{Failure, Method, Receiver, Reply, Request, Transport};

/// A request that was sent, and how it went. There is no secret in it, and nothing that people wrote.
#[derive(Debug)]
pub struct Sent<'a> {
    /// The method.
    pub method: Method,
    /// The URL without its query, which may hold secrets.
    pub url: &'a str,
    /// The reply's status and reason, or why there is no reply.
    pub result: Result<&'a str, &'a str>,
    /// How long it took.
    pub took: Duration,
}

/// What is done with each.
pub(crate) type Watcher = dyn Fn(&Sent<'_>) + Send + Sync;

/// A way to LINE on which every request is told of.
pub(crate) struct Watched {
    pub(crate) network: Box<dyn Connect>,
    pub(crate) watcher: Arc<Watcher>,
}

impl Connect for Watched {
    fn transport(
        &self,
        network: &Network,
        defaults: &Defaults,
        files: &dyn Files,
    ) -> Result<Arc<dyn Transport>, Error> {
        Ok(Arc::new(Telling {
            transport: self.network.transport(network, defaults, files)?,
            watcher: Arc::clone(&self.watcher),
        }))
    }
}

struct Telling {
    transport: Arc<dyn Transport>,
    watcher: Arc<Watcher>,
}

impl Telling {
    fn tell(
        &self,
        request: &Request,
        send: impl FnOnce() -> Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let result = send();
        let took = begun.elapsed();
        let url = request.url.split(['?', '#']).next().unwrap_or_default();
        let said = match &result {
            Ok(reply) => format!("{} {}", reply.status, reply.reason),
            Err(failure) => failure.message.clone(),
        };
        // Whoever chose the address, or answers, may know the token.
        let redactor = Redactor::new(&request.bearer);
        let [url, said] = [url.to_owned(), said].map(|mut text| {
            redactor.text(&mut text);
            text
        });
        (self.watcher)(&Sent {
            method: request.method,
            url: &url,
            result: match &result {
                Ok(_) => Ok(&said),
                Err(_) => Err(&said),
            },
            took,
        });
        result
    }
}

impl Transport for Telling {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        self.tell(request, || self.transport.send(request))
    }

    fn download(&self, request: &Request, receiver: &mut dyn Receiver) -> Result<Reply, Failure> {
        self.tell(request, || self.transport.download(request, receiver))
    }
}
