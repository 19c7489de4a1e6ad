//! `restate`: a worker that Restate calls.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use line_connector::{AssetFile, Signal, print, watch};
use line_connector_client::{Error, ExitCode, Kind};
use restate_sdk::prelude::{Endpoint, HttpServer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use super::services::{Rates, Runs, Senders};
use super::store::Objects;
use super::workplace::Workplace;
use super::{cloud_variables, runtime, use_ring};

/// How long what is under way may take after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);

/// How to work for Restate.
#[derive(Debug, Args)]
pub(crate) struct RestateArguments {
    /// The store of the runs: `file:///srv/campaigns`, `s3://bucket/campaigns`, `gs://…`, `az://…`.
    #[arg(long, value_name = "URL")]
    store: String,
    /// The address at which Restate calls; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080")]
    address: SocketAddr,
    /// Refuses calls that Restate did not sign with this key (`publickeyv1_…`); may be repeated.
    /// Whoever reaches the address could send messages otherwise.
    #[arg(long, value_name = "KEY")]
    identity_key: Vec<String>,
    /// The folder of the asset files that campaigns' documents name.
    #[arg(long, value_name = "DIR", default_value = ".")]
    assets: PathBuf,
    #[command(flatten)]
    asset: AssetFile,
}

/// Works until it is asked to end.
///
/// # Errors
///
/// Where the store or the address cannot be used.
pub(crate) fn serve(
    arguments: RestateArguments,
    actions: Option<PathBuf>,
) -> Result<ExitCode, Error> {
    use_ring();
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("restate_sdk", LevelFilter::ERROR)
        .with_target("restate_sdk_shared_core", LevelFilter::ERROR);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(filter)
        .init();
    let runtime = runtime()?;
    let store = Objects::new(
        &arguments.store,
        cloud_variables(),
        runtime.handle().clone(),
    )?;
    let place = Arc::new(Workplace::new(
        store,
        arguments.assets,
        arguments.asset,
        actions,
    ));
    let mut endpoint = Endpoint::builder()
        .bind(Runs(Arc::clone(&place)))
        .bind(Rates)
        .bind(Senders(place));
    for key in &arguments.identity_key {
        endpoint = endpoint.identity_key(key).map_err(|error| {
            let message = format!("`--identity-key`: {error}");
            Error::new(Kind::Usage, message).with_hint(
                "Restate tells it when it starts with `request-identity-private-key-pem-file`",
            )
        })?;
    }
    let server = HttpServer::new(endpoint.build());
    let ending = Arc::new(Notify::new());
    let asked = Arc::clone(&ending);
    let watched = watch(move |signal| {
        if signal == Signal::Stop {
            asked.notify_one();
        }
    });
    watched.map_err(|error| {
        Error::new(
            Kind::Internal,
            format!("signals cannot be watched: {error}"),
        )
    })?;
    let address = arguments.address;
    let ended = runtime.block_on(async move {
        let unusable = |error: std::io::Error| {
            let message = format!("nobody can be listened to at {address}: {error}");
            Error::new(Kind::Usage, message).with_hint("`--address` takes another one")
        };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let own = listener.local_addr().map_err(unusable)?;
        let card = json!({"listening": format!("http://{own}")});
        let written = print(&format!("{card}\n"));
        if written == ExitCode::Accepted {
            server.serve_with_cancel(listener, ending.notified()).await;
        }
        Ok::<ExitCode, Error>(written)
    })?;
    runtime.shutdown_timeout(GRACE);
    Ok(ended)
}
