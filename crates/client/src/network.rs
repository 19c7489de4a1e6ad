//! HTTP clients, one for each way that assets connect.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use line_connector_core::asset::Network;
use line_connector_core::catalog::Defaults;
use line_connector_core::error::{Detail, Error, Kind};
use line_connector_core::host::Connect;
use line_connector_http::Transport;

use crate::transport::{Http, Settings, UnusableSetting};

/// How many clients are kept; beyond that, those without a call under way go.
const MAX_CLIENTS: usize = 64;

/// The network. Assets that connect in the same way share a client and its connections.
#[derive(Debug, Default)]
pub struct Internet {
    clients: Mutex<HashMap<Network, Arc<Http>>>,
}

impl Connect for Internet {
    fn transport(
        &self,
        network: &Network,
        defaults: &Defaults,
    ) -> Result<Arc<dyn Transport>, Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(network) {
            return Ok(Arc::<Http>::clone(client));
        }
        let client = Arc::new(client(network, defaults)?);
        if clients.len() >= MAX_CLIENTS {
            clients.retain(|_, client| Arc::strong_count(client) > 1);
        }
        clients.insert(network.clone(), Arc::clone(&client));
        Ok(client)
    }
}

fn client(network: &Network, defaults: &Defaults) -> Result<Http, Error> {
    let authorities = match &network.ca_file {
        Some(path) => Some(
            fs::read(path)
                .map_err(|error| invalid("ca_file", &format!("cannot be read: {error}")))?,
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
    .map_err(|unusable| match unusable {
        UnusableSetting::Proxy(reason) => invalid("http_proxy", reason),
        UnusableSetting::Authorities(reason) => invalid("ca_file", reason),
    })
}

fn invalid(parameter: &str, reason: &str) -> Error {
    Error::new(Kind::InvalidAsset, "the asset is wrong")
        .with_details(vec![Detail::new(format!("/asset/{parameter}"), reason)])
}
