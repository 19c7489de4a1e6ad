//! `sandbox`: a simulated LINE behind a loopback address.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use line_connector_client::transport::{self, Http};
use line_connector_client::{Catalog, Error, ExitCode, Kind, Secret, Transport};
use line_connector_core::asset::leads_here;
use line_connector_http::{Failure, FailureKind, Reply, Request};
use line_connector_sandbox::{COMMON, KINDS, Operation, RateLimit, Sandbox, Settings};
use serde_json::json;

use crate::args::{SandboxArguments, SandboxCommand};
use crate::host;
use crate::layout::{indented, table};
use crate::terminal::{print, print_json, say};

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

/// Every operation by its names, for faults; and how added ones are answered.
fn operations(catalog: &Catalog) -> Vec<Operation> {
    let names = catalog.entries().into_iter().map(|entry| entry.name);
    names
        .filter_map(|name| host::operation(catalog, &name))
        .collect()
}

/// The kinds of faults, for people.
fn faults() -> String {
    let fields = |fields: &[(&str, &str)]| {
        let rows = fields
            .iter()
            .map(|(name, what)| [(*name).to_owned(), (*what).to_owned()]);
        table(&rows.collect::<Vec<_>>())
    };
    let mut text =
        "POST /sandbox/faults queues one of these, or an array of them. Each waits for the\n\
        next call that it fits; one without `action` and `path` lets calls for a token pass.\n\n\
        every fault\n"
            .to_owned();
    text.push_str(&fields(&COMMON));
    for kind in KINDS {
        let _ = write!(text, "\n{}\n{}", kind.name, indented(kind.effect, 2));
        text.push_str(&fields(kind.fields));
    }
    text.push_str(
        "\nFor example: {\"kind\": \"status\", \"code\": 503, \"action\": \"push_message\"}\n",
    );
    text
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

/// Answers until the process is stopped, or tells what the sandbox can do. `catalog` is made only
/// where one is asked for.
pub(crate) fn sandbox(
    catalog: impl Fn() -> Result<Catalog, Error>,
    arguments: SandboxArguments,
) -> Result<ExitCode, Error> {
    if let Some(SandboxCommand::Faults) = arguments.command {
        return Ok(print(&faults()));
    }
    let listen = arguments.address;
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
        operations: operations(&catalog()?),
        ..Settings::default()
    };
    let sandbox = Arc::new(Sandbox::new(settings));
    let listener = Arc::clone(&sandbox)
        .listen(listen)
        .map_err(|error| host::cannot_listen(listen, &error))?;
    let token = sandbox.settings().long_lived_token.as_ref();
    let card = json!({
        "listening": listener.url(),
        "asset": sandbox.asset(&listener.url()),
        "token": token.map(Secret::expose),
    });
    let code = print_json(&card.to_string());
    if code != ExitCode::Accepted {
        // Nobody knows the address.
        return Ok(code);
    }
    say("the sandbox answers until this process is stopped");
    loop {
        std::thread::park();
    }
}
