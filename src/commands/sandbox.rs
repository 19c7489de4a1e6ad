//! `sandbox`: a simulated LINE behind a loopback address.

use std::sync::Arc;
use std::time::Duration;

use line_connector_client::transport::{self, Http};
use line_connector_client::{Error, ExitCode, Kind, Secret, Transport};
use line_connector_core::asset::leads_here;
use line_connector_http::{Failure, FailureKind, Reply, Request};
use line_connector_sandbox::{RateLimit, Sandbox, Settings};
use serde_json::json;

use crate::args::SandboxArguments;
use crate::terminal::{print, say};

/// A way to this machine alone, and to where the command line allows: the endpoint of webhooks can be
/// moved by whoever reaches the sandbox.
struct Nearby {
    http: Http,
    /// The URL of the command line.
    webhook: Option<String>,
    anywhere: bool,
}

impl Transport for Nearby {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        if self.anywhere || Some(&request.url) == self.webhook.as_ref() || leads_here(&request.url)
        {
            return self.http.send(request);
        }
        Err(Failure {
            kind: FailureKind::Connect,
            maybe_sent: false,
            message: "only `--webhook-anywhere` lets webhooks leave this machine".to_owned(),
        })
    }
}

/// The way by which the sandbox's webhooks reach their endpoint.
fn outward(arguments: &SandboxArguments) -> Result<Arc<dyn Transport>, Error> {
    let settings = transport::Settings {
        verify_tls: true,
        proxy: None,
        no_proxy: Vec::new(),
        authorities: None,
        connect_timeout: Duration::from_secs(2),
        usual_timeout: Duration::from_secs(2),
        max_response_bytes: 1024 * 1024,
    };
    match Http::new(settings) {
        Ok(http) => Ok(Arc::new(Nearby {
            http,
            webhook: arguments.webhook.clone(),
            anywhere: arguments.webhook_anywhere,
        })),
        Err(unusable) => Err(Error::new(Kind::Internal, unusable.to_string())),
    }
}

/// Answers until the process is stopped.
pub(crate) fn sandbox(arguments: SandboxArguments) -> Result<ExitCode, Error> {
    let listen = arguments.listen;
    let outward = outward(&arguments)?;
    let mut rate_limits = arguments.rate_limit;
    if arguments.line_rate_limits {
        rate_limits.extend(RateLimit::lines_own());
    }
    let settings = Settings {
        quota: Some(arguments.quota),
        friends: arguments.friends,
        keep_records: arguments.keep_records,
        rate_limits,
        webhook: arguments.webhook,
        outward: Some(outward),
        ..Settings::default()
    };
    let sandbox = Arc::new(Sandbox::new(settings));
    let listener = Arc::clone(&sandbox).listen(listen).map_err(|error| {
        Error::new(
            Kind::Usage,
            format!("the sandbox cannot listen on {listen}: {error}"),
        )
    })?;
    let token = sandbox.settings().long_lived_token.as_ref();
    let card = json!({
        "listening": listener.url(),
        "asset": sandbox.asset(&listener.url()),
        "token": token.map(Secret::expose),
    });
    let code = print(&format!("{card}\n"));
    say("the sandbox answers until this process is stopped");
    loop {
        std::thread::park();
        if code != ExitCode::Accepted {
            return Ok(code);
        }
    }
}
