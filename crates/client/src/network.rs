//! HTTP clients, one for each way that assets connect.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use line_connector_core::asset::{Authorities, Network};
use line_connector_core::catalog::Defaults;
use line_connector_core::error::{Detail, Error, Kind};
use line_connector_core::host::{Connect, Files};
use line_connector_http::Transport;

use crate::regular;
use crate::transport::{Http, Kept, Session, Settings, UnusableSetting};

/// How many clients are kept; beyond that, those without a call under way go.
const MAX_CLIENTS: usize = 64;
/// The largest file of authorities: four times what browsers trust.
const MAX_AUTHORITIES_BYTES: u64 = 1024 * 1024;

/// The network. Assets that connect in the same way share a client; its connections are shared by calls
/// with the same token.
#[derive(Debug, Default)]
pub struct Internet {
    clients: Mutex<HashMap<Network, Arc<Http>>>,
    /// The connections that no call uses.
    kept: Arc<Kept>,
}

impl Connect for Internet {
    fn transport(
        &self,
        network: &Network,
        defaults: &Defaults,
        files: &dyn Files,
    ) -> Result<Arc<dyn Transport>, Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(network) {
            return Ok(Arc::new(Session::new(Arc::clone(client))));
        }
        let client = Arc::new(client(network, defaults, files, &self.kept)?);
        if clients.len() >= MAX_CLIENTS {
            clients.retain(|_, client| Arc::strong_count(client) > 1);
        }
        clients.insert(network.clone(), Arc::clone(&client));
        Ok(Arc::new(Session::new(client)))
    }
}

fn client(
    network: &Network,
    defaults: &Defaults,
    files: &dyn Files,
    kept: &Arc<Kept>,
) -> Result<Http, Error> {
    let authorities = network
        .authorities
        .as_ref()
        .map(|authorities| match authorities {
            Authorities::Operators(path) => regular::read(Path::new(path), MAX_AUTHORITIES_BYTES),
            Authorities::Documents(path) => files.read(path, MAX_AUTHORITIES_BYTES),
        });
    let authorities = authorities.transpose().map_err(|error| {
        let wrong = invalid("ca_file", &format!("cannot be read: {error}"));
        match error.kind() {
            ErrorKind::PermissionDenied => wrong.with_hint(
                "let the operator set `ca_file` (LINE_CA_FILE), or open a folder to documents: `--files DIR` or LINE_FILES",
            ),
            _ => wrong,
        }
    })?;
    let settings = Settings {
        verify_tls: network.verify_tls,
        proxy: network.proxy.clone(),
        no_proxy: network.no_proxy.clone(),
        authorities,
        connect_timeout: Duration::from_millis(defaults.connect_timeout_ms),
        usual_timeout: Duration::from_millis(defaults.timeout_ms),
        max_response_bytes: defaults.max_response_bytes,
    };
    Http::keeping(settings, Arc::clone(kept)).map_err(|unusable| match unusable {
        UnusableSetting::Proxy(reason) => invalid("http_proxy", reason),
        UnusableSetting::Authorities(reason) => invalid("ca_file", reason),
    })
}

fn invalid(parameter: &str, reason: &str) -> Error {
    Error::new(Kind::InvalidAsset, "the asset is wrong")
        .with_details(vec![Detail::new(format!("/asset/{parameter}"), reason)])
}
