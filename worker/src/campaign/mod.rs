//! Campaigns on several machines: a plan in a store, and Restate, which lets workers send it.

mod commands;
mod ingress;
mod rate;
mod run;
mod serve;
mod services;
mod store;
#[cfg(test)]
mod tests;
mod workplace;

pub(crate) use commands::campaign;
pub(crate) use serve::{RestateArguments, serve};

use std::collections::BTreeMap;

use line_connector_client::{Error, Kind};
use tokio::runtime::{Builder, Runtime};

/// The threads that wait for networks.
fn runtime() -> Result<Runtime, Error> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Error::new(Kind::Internal, format!("no threads can be had: {error}")))
}

/// The variables that the clouds' own tools read, as the store takes them.
fn cloud_variables() -> BTreeMap<String, String> {
    const CLOUDS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let is_known = CLOUDS.iter().any(|cloud| name.starts_with(cloud));
        is_known.then(|| (name.to_ascii_lowercase(), value))
    });
    variables.collect()
}

/// TLS for everything here is ring's.
fn use_ring() {
    // Somebody may have done so before, which comes to the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
