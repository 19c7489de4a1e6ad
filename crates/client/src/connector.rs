//! The connector as a library: the core's pipeline in the native world.

use std::sync::Arc;

use line_connector_core::asset::Operator;
use line_connector_core::auth::{Store, TokenIssuer};
use line_connector_core::call::{Limit, Pipeline};
use line_connector_core::catalog::Catalog;
use line_connector_core::documents::{Invocation, Output};
use line_connector_core::error::Error;
use line_connector_core::host::{Clock, Connect, Files, Host, Media, Random};
use line_connector_http::Transport;
use serde_json::Value;

use crate::clock::SystemClock;
use crate::files::SystemFiles;
use crate::media::WebMedia;
use crate::names;
use crate::network::Internet;
use crate::random::SystemRandom;
use crate::tokens::LineTokens;
use crate::watch::{Sent, Watched, Watcher};

/// Makes calls to LINE. Tokens, connections and rate limits are shared by all calls of one
/// connector, from any thread.
///
/// ```
/// use std::sync::Arc;
///
/// use line_connector_client::{Connector, Invocation};
/// use line_connector_sandbox::{Sandbox, Settings};
///
/// let line = Arc::new(Sandbox::new(Settings::default()));
/// let connector = Connector::builder().transport(line.clone()).build();
/// let document = serde_json::json!({
///     "action": "send_push_message",
///     "asset": line.asset("http://sandbox.invalid"),
///     "inputs": {
///         "to": "U0123456789abcdef0123456789abcdef",
///         "messages": [{"type": "text", "text": "Hello"}],
///     },
/// });
/// let output = connector.call(Invocation::from_value(document)?);
/// assert_eq!(output.status_code, Some(200));
/// assert_eq!(line.delivered().len(), 1);
/// # Ok::<(), line_connector_client::Error>(())
/// ```
#[derive(Debug)]
pub struct Connector {
    pipeline: Pipeline,
}

impl Connector {
    /// A connector to be fitted out. Without further ado it calls LINE over the network, with
    /// every embedded action, the system's clock, and no access to files or the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Makes one call, and those that belong to it: further pages, questions after its end. It
    /// returns when the call has ended, with LINE's answer or with an `error`.
    #[must_use]
    pub fn call(&self, invocation: Invocation) -> Output {
        self.pipeline.call(invocation)
    }

    /// Validates one call and shows its request instead of sending it. It needs neither network
    /// nor credentials.
    ///
    /// ```
    /// use line_connector_client::{Connector, Invocation};
    ///
    /// let connector = Connector::builder().build();
    /// let document = serde_json::json!({"action": "get_bot_info"});
    /// let output = connector.plan(Invocation::from_value(document)?);
    /// let request = output.request.expect("the request that would be sent");
    /// assert_eq!(request.method, "GET");
    /// # Ok::<(), line_connector_client::Error>(())
    /// ```
    #[must_use]
    pub fn plan(&self, invocation: Invocation) -> Output {
        self.pipeline.plan(invocation)
    }

    /// What is declared: actions, the manifest, LINE's schemas.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        self.pipeline.catalog()
    }

    /// From the next call on these are the asset parameters that hold where a document has none.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidAsset`](crate::Kind::InvalidAsset) where they are wrong; those before them stay.
    pub fn set_operator(&self, parameters: Operator) -> Result<(), Error> {
        expect_hosts(self.catalog(), &parameters);
        self.pipeline.set_operator(parameters)
    }

    /// Where and how often the operator's asset lets an action be called: for whoever shares out the
    /// rate among several processes.
    ///
    /// # Errors
    ///
    /// Where there is no such action, or the asset is wrong.
    pub fn limit(&self, action: &str) -> Result<Limit, Error> {
        self.pipeline.limit(action)
    }

    /// From now on no call waits. A call that would have to ends with
    /// [`Kind::ShuttingDown`](crate::Kind::ShuttingDown), or with what is known by then; one that is
    /// under way goes on.
    pub fn stop(&self) {
        self.pipeline.stop();
    }

    /// How many tokens were issued so far.
    #[must_use]
    pub fn tokens_issued(&self) -> u64 {
        self.pipeline.tokens_issued()
    }
}

/// Strangers' names do not delay the look-up of those that the operator's calls need.
fn expect_hosts(catalog: &Catalog, operator: &Operator) {
    let given = operator.file.values().chain(operator.environment.values());
    let proxy = operator.system_proxy.as_ref();
    catalog
        .manifest()
        .hosts
        .values()
        .map(String::as_str)
        .chain(given.filter_map(Value::as_str))
        .chain(proxy.map(|proxy| proxy.url.expose()))
        .for_each(names::expect);
}

/// Fits out a [`Connector`].
#[derive(Default)]
#[must_use]
pub struct Builder {
    catalog: Option<Catalog>,
    network: Option<Box<dyn Connect>>,
    clock: Option<Box<dyn Clock>>,
    random: Option<Box<dyn Random>>,
    files: Option<Box<dyn Files>>,
    media: Option<Box<dyn Media>>,
    issuer: Option<Box<dyn TokenIssuer>>,
    token_store: Option<Box<dyn Store>>,
    operator: Operator,
    watcher: Option<Arc<Watcher>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Builder").finish_non_exhaustive()
    }
}

impl Builder {
    /// Other actions than the embedded ones.
    ///
    /// ```
    /// use line_connector_client::{Catalog, Connector};
    ///
    /// let mut catalog = Catalog::embedded();
    /// let problems = catalog.add("actions/broken.yaml", "name: broken").unwrap_err();
    /// assert!(problems[0].to_string().starts_with("actions/broken.yaml"));
    /// let connector = Connector::builder().catalog(catalog).build();
    /// assert!(connector.catalog().has("send_push_message"));
    /// ```
    pub fn catalog(mut self, catalog: Catalog) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Sends every request through this transport instead of the network.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.network = Some(Box::new(transport));
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Another source of randomness than the system's.
    pub fn random(mut self, random: impl Random + 'static) -> Self {
        self.random = Some(Box::new(random));
        self
    }

    /// The files that documents may name; none without it.
    pub fn files(mut self, files: impl Files + 'static) -> Self {
        self.files = Some(Box::new(files));
        self
    }

    /// Another way to look at the media of messages than the public web.
    pub fn media(mut self, media: impl Media + 'static) -> Self {
        self.media = Some(Box::new(media));
        self
    }

    /// Another way to get channel access tokens than LINE's token endpoint.
    pub fn token_issuer(mut self, issuer: impl TokenIssuer + 'static) -> Self {
        self.issuer = Some(Box::new(issuer));
        self
    }

    /// Keeps tokens for other processes.
    pub fn token_store(mut self, store: impl Store + 'static) -> Self {
        self.token_store = Some(Box::new(store));
        self
    }

    /// Asset parameters that hold where a document has none, by parameter name.
    pub fn operator(mut self, parameters: Operator) -> Self {
        self.operator = parameters;
        self
    }

    /// Tells of every request when it has ended: the attempts of calls, and those for tokens.
    pub fn watch(mut self, tell: impl Fn(&Sent<'_>) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(tell));
        self
    }

    /// The connector. Nothing is connected yet.
    #[must_use]
    pub fn build(self) -> Connector {
        let network: Box<dyn Connect> = self.network.unwrap_or_else(|| Box::<Internet>::default());
        let host = Host {
            network: match self.watcher {
                Some(watcher) => Box::new(Watched { network, watcher }),
                None => network,
            },
            clock: self.clock.unwrap_or_else(|| Box::new(SystemClock)),
            random: self.random.unwrap_or_else(|| Box::new(SystemRandom)),
            files: self
                .files
                .unwrap_or_else(|| Box::new(SystemFiles::default())),
            media: self.media.unwrap_or_else(|| Box::<WebMedia>::default()),
            issuer: self.issuer.unwrap_or_else(|| Box::new(LineTokens)),
            token_store: self.token_store,
            operator: self.operator,
        };
        let catalog = self.catalog.unwrap_or_default();
        expect_hosts(&catalog, &host.operator);
        Connector {
            pipeline: Pipeline::new(catalog, host),
        }
    }
}
