//! Where LINE is and how to authenticate, sorted out of the parameters that the document and the
//! environment give. It chooses the way to authenticate; it issues no token.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use url::Url;

use crate::digest::sha256;
use crate::documents::{AssetParameters, a_kind_of, add};
use crate::error::{Detail, Error, Kind};
use crate::json_text::heard;
use crate::nearest::nearest;
use crate::redact::Redactor;
use crate::request;
use line_connector_catalog::definition::{self, AssetDefinition, AssetKind, Host, Manifest};
use line_connector_http::Secret;
use line_connector_text::length::json_bytes;

/// The most bytes of a document's asset, names and values: several times the longest key and a rate for
/// every action. What becomes of it is kept for further calls.
const MAX_BYTES: usize = 32 * 1024;

/// An asset, ready for use.
#[derive(Debug, Clone)]
pub struct Asset {
    /// How to authenticate; `None` where no way is complete.
    pub credentials: Option<Credentials>,
    /// What is missing for a way to authenticate, for the error where one is needed.
    pub missing: Vec<Detail>,
    /// The base URLs: the asset's own normalised, LINE's as the manifest writes them.
    pub hosts: BTreeMap<Host, String>,
    /// How connections are made.
    pub network: Network,
    /// The header of module channels, name and value: which bot every call is for.
    pub bot_header: Option<(String, String)>,
    /// Rates below LINE's own: calls and the seconds in which they are allowed, by action name, or
    /// by [`EVERY_ACTION`]; `None` where even LINE's own is left to a gateway.
    pub rate_limits: BTreeMap<String, Option<(u32, u32)>>,
    /// Whether calls go to a gateway or a sandbox instead of LINE itself.
    pub is_elsewhere: bool,
    /// Whether it is the operator's alone, and no document has a part in it.
    pub is_operators: bool,
    /// Whose permits calls to each host use, as a digest: the channel's, and the bot's, of whoever shows
    /// that they may speak for it. Anybody can name a channel, and would use up another's.
    pub parties: BTreeMap<Host, String>,
    /// What is unwise about it, for every call's warnings.
    pub warnings: Vec<Detail>,
    /// Finds every secret that the asset holds, for the last look over an output.
    pub redactor: Redactor,
}

/// The operator's parameters, by name. What documents lack comes from here.
#[derive(Debug, Clone, Default)]
pub struct Operator {
    /// Those of a file, which come first.
    pub file: Map<String, Value>,
    /// Those of the environment.
    pub environment: Map<String, Value>,
    /// The proxy of every program. It is used where nobody gives `http_proxy`, and only for an asset
    /// whose URLs all begin with `https://`: through it, a proxy sees names and no token.
    pub system_proxy: Option<SystemProxy>,
}

/// A proxy that the environment names for every program.
#[derive(Debug, Clone)]
pub struct SystemProxy {
    /// The variable that names it.
    pub variable: &'static str,
    /// Its URL; it may hold a password.
    pub url: Secret,
    /// The hosts that are reached without it.
    pub except: Vec<String>,
}

impl SystemProxy {
    /// Whether it is a proxy for HTTP, as far as its URL tells.
    fn is_usable(&self) -> bool {
        let scheme = self.url.expose().split_once("://");
        let scheme = scheme.map(|(scheme, _)| scheme.to_ascii_lowercase());
        scheme.is_none_or(|scheme| ["http", "https"].contains(&scheme.as_str()))
    }
}

/// The name in `rate_limits` that stands for each action by itself.
pub const EVERY_ACTION: &str = "*";

/// A way to authenticate with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// A token that is there already.
    Bearer {
        /// The channel access token.
        token: Secret,
        /// The channel ID, where it is given too.
        client_id: Option<String>,
    },
    /// Channel ID and secret.
    ClientCredentials {
        /// Where tokens are issued.
        token_url: String,
        /// The channel ID.
        client_id: String,
        /// The channel secret.
        client_secret: Secret,
    },
    /// A signed assertion.
    JwtAssertion {
        /// Where tokens are issued.
        token_url: String,
        /// The channel ID.
        client_id: String,
        /// The key's id in LINE's console.
        kid: String,
        /// The private key, a JWK as JSON text.
        private_key: Secret,
        /// How long a token v2.1 lives, seconds.
        token_lifetime_seconds: u64,
    },
}

/// How connections are made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network {
    /// Whether certificates are verified.
    pub verify_tls: bool,
    /// A proxy's URL; it may hold a password.
    pub proxy: Option<Secret>,
    /// The hosts that are reached without it.
    pub no_proxy: Vec<String>,
    /// Certificate authorities that are trusted instead of the bundled ones.
    pub authorities: Option<Authorities>,
}

/// A PEM file of certificate authorities, by who names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Authorities {
    /// The operator, who may name any file.
    Operators(String),
    /// A document: a file that the operator lets documents read.
    Documents(String),
}

impl Asset {
    /// Sorts the parameters: the `document`'s, whose author may be anybody, and beneath them the
    /// `operator`'s, from files and the environment. Which way to authenticate is chosen by what the
    /// document itself holds.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidAsset`] with every parameter that is wrong, none of them quoted: also where the
    /// document would decide anything about the operator's credentials.
    pub fn resolve(
        manifest: &Manifest,
        document: &AssetParameters,
        operator: &Operator,
    ) -> Result<Self, Error> {
        let bytes = |(name, value): (&String, &Value)| name.len() + json_bytes(value);
        let bytes: usize = document.iter().map(bytes).sum();
        if bytes > MAX_BYTES {
            return Err(wrong(vec![Detail {
                expected: Some(format!("at most {MAX_BYTES}")),
                found: Some(bytes.to_string()),
                ..Detail::new("/asset", "has too many bytes")
            }]));
        }
        let mut details = Vec::new();
        check_names(manifest, document, &mut details);
        check_names(manifest, &operator.file, &mut details);
        let document = present(document);
        let file = present(&operator.file);
        let environment = present(&operator.environment);
        let mut reader = Reader {
            document: &document,
            file: &file,
            environment: &environment,
            details,
        };
        let api = reader
            .url("url")
            .filter(|api| Some(&api.given) != manifest.hosts.get(&Host::Api));
        let hosts = reader.hosts(manifest, api.as_ref());
        let mut network = Network {
            verify_tls: reader.boolean("verify_ssl").unwrap_or(true),
            proxy: reader.text("http_proxy").map(Secret::new),
            no_proxy: Vec::new(),
            authorities: reader.text("ca_file").map(|path| {
                if reader.document.contains_key("ca_file") {
                    Authorities::Documents(path)
                } else {
                    Authorities::Operators(path)
                }
            }),
        };
        let is_elsewhere = api.is_some();
        let rate_limits = reader.rate_limits(!is_elsewhere);
        let bot_header = reader.bot_header();
        let api = api.as_ref().map(|api| api.given.as_str());
        let (credentials, missing) = reader.credentials(manifest, api);
        if !reader.details.is_empty() {
            return Err(wrong(reader.details));
        }
        let token_url = credentials.as_ref().and_then(Credentials::token_url);
        let urls = hosts.values().map(String::as_str).chain(token_url);
        let unused = operator.system_proxy.as_ref().and_then(|proxy| {
            let all_secure = urls.clone().all(|url| url.starts_with("https://"));
            network.take(proxy, all_secure)
        });
        let parties = parties(&hosts, credentials.as_ref(), bot_header.as_ref());
        let mut secrets = secrets(network.proxy.as_ref(), credentials.as_ref());
        secrets.extend(urls.clone().flat_map(secrets_of_query));
        Ok(Self {
            redactor: Redactor::new(&secrets),
            warnings: warnings(&network, urls).into_iter().chain(unused).collect(),
            credentials,
            missing,
            hosts,
            network,
            bot_header,
            rate_limits,
            is_elsewhere,
            is_operators: document.is_empty(),
            parties,
        })
    }

    /// What LINE counts and tells apart by: the channel, and for module channels the bot as well.
    #[must_use]
    pub fn scope(&self, channel: &str) -> String {
        scope(channel, self.bot_header.as_ref())
    }
}

fn parties(
    hosts: &BTreeMap<Host, String>,
    credentials: Option<&Credentials>,
    bot_header: Option<&(String, String)>,
) -> BTreeMap<Host, String> {
    let who = credentials.map(|credentials| {
        let scope = scope(credentials.channel(), bot_header);
        format!("{scope}\n{}", credentials.proof().expose())
    });
    let who = who.unwrap_or_default();
    let party = |(host, base): (&Host, &String)| {
        // Normalising ends a bare host in a slash, and the manifest does not.
        let base = base.trim_end_matches('/');
        (*host, sha256(format!("{base}\n{who}").as_bytes()))
    };
    hosts.iter().map(party).collect()
}

fn scope(channel: &str, bot_header: Option<&(String, String)>) -> String {
    match bot_header {
        Some((_, bot)) => format!("{channel}\n{bot}"),
        None => channel.to_owned(),
    }
}

impl Network {
    /// Goes through the proxy of every program, if nothing stands against it. A warning where that is
    /// the kind of proxy.
    fn take(&mut self, system: &SystemProxy, all_secure: bool) -> Option<Detail> {
        if self.proxy.is_some() || !all_secure {
            return None;
        }
        if !system.is_usable() {
            let variable = system.variable;
            let message =
                format!("{variable} is not used: it names no proxy with http:// or https://");
            return Some(Detail {
                hint: Some("give `http_proxy` (LINE_HTTP_PROXY)".to_owned()),
                ..Detail::new("/asset/http_proxy", message)
            });
        }
        self.proxy = Some(system.url.clone());
        self.no_proxy.clone_from(&system.except);
        None
    }
}

/// What lets others read along.
fn warnings<'u>(network: &Network, urls: impl Iterator<Item = &'u str>) -> Vec<Detail> {
    let mut warnings = Vec::new();
    if !network.verify_tls {
        let message = "whoever answers is taken for LINE: certificates are not verified";
        warnings.push(Detail {
            hint: Some("give `ca_file` for a private authority instead".to_owned()),
            ..Detail::new("/asset/verify_ssl", message)
        });
    }
    if !network.verify_tls && network.authorities.is_some() {
        let message = "has no effect: with `verify_ssl` off no certificate is looked at";
        warnings.push(Detail::new("/asset/ca_file", message));
    }
    // A name that never exists carries nothing anywhere.
    let leads_nowhere = |url: &str| {
        let url = Url::parse(url).ok();
        let name = url.as_ref().and_then(Url::domain);
        name.is_some_and(|name| name.ends_with(".invalid"))
    };
    let mut urls = urls.filter(|url| url.starts_with("http://"));
    if urls.any(|url| !leads_here(url) && !leads_nowhere(url)) {
        let message = "the token travels unencrypted: the URL begins with http://";
        warnings.push(Detail::new("/asset/url", message));
    }
    warnings
}

/// Whether a URL leads to this machine: to a loopback address, or to `localhost`.
#[must_use]
pub fn leads_here(url: &str) -> bool {
    let url = Url::parse(url).ok();
    match url.as_ref().and_then(Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Gateways take keys in the query.
fn secrets_of_query(url: &str) -> Vec<Secret> {
    let url = Url::parse(url).ok();
    let pairs = url.iter().flat_map(Url::query_pairs);
    pairs.map(|(_, value)| Secret::new(value)).collect()
}

fn secrets(proxy: Option<&Secret>, credentials: Option<&Credentials>) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = proxy.into_iter().flat_map(secrets_of_proxy).collect();
    match credentials {
        Some(Credentials::Bearer { token, .. }) => secrets.push(token.clone()),
        Some(Credentials::ClientCredentials { client_secret, .. }) => {
            secrets.push(client_secret.clone());
        }
        Some(Credentials::JwtAssertion { private_key, .. }) => {
            secrets.push(private_key.clone());
            let jwk = heard(private_key.expose().as_bytes()).unwrap_or_default();
            let parts = ["d", "p", "q", "dp", "dq", "qi"].map(|part| text_of(&jwk, part));
            secrets.extend(parts.into_iter().flatten().map(Secret::new));
        }
        None => {}
    }
    secrets
}

fn wrong(details: Vec<Detail>) -> Error {
    Error::new(Kind::InvalidAsset, "the asset is wrong").with_details(details)
}

/// The URL of a proxy, and the password in it alone.
fn secrets_of_proxy(url: &Secret) -> Vec<Secret> {
    let parsed = Url::parse(url.expose()).ok();
    let password = parsed.as_ref().and_then(Url::password);
    let password = password.map(|password| {
        let decoded = percent_encoding::percent_decode_str(password);
        Secret::new(decoded.decode_utf8_lossy())
    });
    password.into_iter().chain([url.clone()]).collect()
}

impl Credentials {
    /// Where tokens are issued, if they are.
    fn token_url(&self) -> Option<&str> {
        match self {
            Credentials::Bearer { .. } => None,
            Credentials::ClientCredentials { token_url, .. }
            | Credentials::JwtAssertion { token_url, .. } => Some(token_url),
        }
    }

    /// The channel that these credentials belong to: its ID, or the token where only that is known.
    #[must_use]
    pub fn channel(&self) -> &str {
        match self {
            Credentials::Bearer { token, client_id } => {
                client_id.as_deref().unwrap_or(token.expose())
            }
            Credentials::ClientCredentials { client_id, .. }
            | Credentials::JwtAssertion { client_id, .. } => client_id,
        }
    }

    /// What shows that whoever names the channel may speak for it.
    fn proof(&self) -> &Secret {
        match self {
            Credentials::Bearer { token, .. } => token,
            Credentials::ClientCredentials { client_secret, .. } => client_secret,
            Credentials::JwtAssertion { private_key, .. } => private_key,
        }
    }
}

/// A URL of the asset.
struct Address {
    /// As it was given, without a slash at its end: so LINE's own is known, and the token endpoint
    /// derived.
    given: String,
    /// Normalised, as requests go there.
    normal: String,
}

/// Reads parameters: the document's first, the operator's where the document has none.
struct Reader<'a> {
    document: &'a Map<String, Value>,
    file: &'a Map<String, Value>,
    environment: &'a Map<String, Value>,
    details: Vec<Detail>,
}

impl Reader<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        self.document
            .get(name)
            .or_else(|| self.file.get(name).or_else(|| self.environment.get(name)))
    }

    /// Whether the hand that gives a credential also gives everything beside it: where and how it travels,
    /// whose account it opens, with which key it is signed, how often it is used. Of the operator's
    /// credentials the document decides none of that.
    fn is_used_as_it_may(&mut self, name: &str) -> bool {
        if self.document.contains_key(name) {
            return true;
        }
        let refusals = self.document.keys().map(|parameter| Detail {
            hint: Some(
                "leave it out, or bring the credentials in the document as well; the operator sets it in `--asset FILE` or the environment"
                    .to_owned(),
            ),
            ..Detail::new(
                format!("/asset/{parameter}"),
                format!("cannot be set here: `{name}` is the operator's, and so is where, for whom and how it is used"),
            )
        });
        self.details.extend(refusals);
        self.document.is_empty()
    }

    fn credential(&mut self, name: &str) -> Option<Secret> {
        let value = self.plain(name)?;
        self.is_used_as_it_may(name).then(|| Secret::new(value))
    }

    /// A text that is pasted from a console and sent in a header or a form.
    fn plain(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        match flaw(&text) {
            None => Some(text),
            Some(flaw) => {
                self.details.push(Detail {
                    hint: Some("copy it again, without anything around it".to_owned()),
                    ..Detail::new(format!("/asset/{name}"), flaw)
                });
                None
            }
        }
    }

    /// The private key, as JSON text.
    fn private_key(&mut self) -> Option<Secret> {
        const NAME: &str = "private_key";
        let text = match self.value(NAME)? {
            Value::String(text) => text.clone(),
            object @ Value::Object(_) => object.to_string(),
            _ => {
                self.wrong(NAME, "a JWK, as an object or as its JSON text");
                return None;
            }
        };
        let key = match heard(text.as_bytes()) {
            Some(Value::Object(key)) => Some(key),
            _ => None,
        };
        let has = |name: &str| key.as_ref().is_some_and(|key| key.contains_key(name));
        let flaw = if text.trim_start().starts_with("-----BEGIN") {
            "is PEM: the key is wanted as a JWK, such as `line-connector keygen` makes"
        } else if key.is_none() {
            "is not JSON: it must be a JWK, as an object or as its JSON text"
        } else if has("private_key") || has("public_key") {
            "is the whole output of `keygen`: give its member `private_key` alone"
        } else if has("n") && !has("d") {
            "is a public key: the private one has a member `d`"
        } else if ["kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"]
            .into_iter()
            .all(has)
        {
            return self.is_used_as_it_may(NAME).then(|| Secret::new(text));
        } else {
            "is no whole JWK of an RSA key: it has the members kty, n, e, d, p, q, dp, dq and qi"
        };
        self.details
            .push(Detail::new(format!("/asset/{NAME}"), flaw));
        None
    }

    /// Reports a parameter without quoting it: it may be a secret in the wrong place.
    fn wrong(&mut self, name: &str, expected: &str) {
        let found = self.value(name).map_or("nothing", a_kind_of);
        let origin = if self.document.contains_key(name) {
            ""
        } else {
            " from the operator"
        };
        self.details.push(Detail {
            expected: Some(expected.to_owned()),
            found: Some(format!("{found}{origin}")),
            ..Detail::new(format!("/asset/{name}"), format!("must be {expected}"))
        });
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let Value::String(text) = self.value(name)? else {
            self.wrong(name, "a string");
            return None;
        };
        Some(text.clone())
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if ["true", "1"].contains(&text.as_str()) => Some(true),
            Value::String(text) if ["false", "0"].contains(&text.as_str()) => Some(false),
            _ => {
                self.wrong(name, "true or false");
                None
            }
        }
    }

    fn url(&mut self, name: &str) -> Option<Address> {
        let mut given = self.text(name)?;
        let host = given
            .strip_prefix("https://")
            .or_else(|| given.strip_prefix("http://"));
        let has_host = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
        given.truncate(given.trim_end_matches('/').len());
        let Some(url) = Url::parse(&given).ok().filter(|_| has_host) else {
            self.wrong(name, "a URL that starts with https:// (or http://)");
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() {
            let message = "must have no user and no password: they would not be sent";
            self.details
                .push(Detail::new(format!("/asset/{name}"), message));
            return None;
        }
        Some(Address {
            given,
            normal: url.into(),
        })
    }

    /// The header that names the bot: an object with one member, or its JSON text where only text can be
    /// given.
    fn bot_header(&mut self) -> Option<(String, String)> {
        const NAME: &str = "bot_header";
        let given = match self.value(NAME)? {
            Value::String(text) => heard(text.as_bytes()),
            value => Some(value.clone()),
        };
        let header = match given.as_ref().and_then(Value::as_object) {
            Some(members) if members.len() == 1 => members.iter().next(),
            _ => None,
        };
        let header = header.and_then(|(name, bot)| Some((name.clone(), bot.as_str()?.to_owned())));
        let header =
            header.filter(|(name, bot)| request::may_be_header(name) && flaw(bot).is_none());
        if header.is_none() {
            self.wrong(
                NAME,
                "an object with one member, {\"the header's name\": \"the bot's user ID\"}",
            );
        }
        header
    }

    /// The asset's own rates: an object, or its JSON text where only text can be given. Towards LINE
    /// itself none can be switched off.
    fn rate_limits(&mut self, is_line: bool) -> BTreeMap<String, Option<(u32, u32)>> {
        const NAME: &str = "rate_limits";
        let given = match self.value(NAME) {
            None => return BTreeMap::new(),
            Some(Value::String(text)) => heard(text.as_bytes()),
            Some(value) => Some(value.clone()),
        };
        let Some(Value::Object(given)) = given else {
            self.wrong(NAME, "an object such as {\"*\": \"200/s\"}");
            return BTreeMap::new();
        };
        let mut rates = BTreeMap::new();
        for (action, value) in given {
            if let Some(rate) = value.as_str().and_then(definition::rate) {
                rates.insert(action, Some(rate));
            } else if value == "off" && !is_line {
                rates.insert(action, None);
            } else {
                let expected =
                    "a rate: `N/s`, `N/min` or `N/h`; or `off`, where `url` is not LINE's";
                self.details.push(Detail {
                    expected: Some(expected.to_owned()),
                    found: Some(a_kind_of(&value).to_owned()),
                    ..Detail::new(
                        format!("/asset/{NAME}/{action}"),
                        format!("must be {expected}"),
                    )
                });
            }
        }
        rates
    }

    /// The base URLs. Whoever moves `url` (to a sandbox, to a gateway) moves the other hosts along,
    /// so that a token for it never travels to LINE by accident, nor LINE's token past the gateway.
    fn hosts(&mut self, manifest: &Manifest, api: Option<&Address>) -> BTreeMap<Host, String> {
        let mut hosts = manifest.hosts.clone();
        for (host, name) in [(Host::Data, "data_url"), (Host::Manager, "manager_url")] {
            if let Some(url) = self.url(name).as_ref().or(api) {
                hosts.insert(host, url.normal.clone());
            }
        }
        hosts.extend(api.map(|api| (Host::Api, api.normal.clone())));
        hosts
    }

    fn credentials(
        &mut self,
        manifest: &Manifest,
        api: Option<&str>,
    ) -> (Option<Credentials>, Vec<Detail>) {
        match self.choose(manifest) {
            Ok(definition) => (self.read(definition, manifest, api), Vec::new()),
            Err(missing) => (None, missing),
        }
    }

    /// The first way in the manifest that the document completes alone, or the file where the document
    /// holds no secret; else the one for which that brings most, completed from the rest.
    fn choose<'m>(&self, manifest: &'m Manifest) -> Result<&'m AssetDefinition, Vec<Detail>> {
        let count = |parameters: &Map<String, Value>, definition: &AssetDefinition| {
            let required = definition.inputs.required.iter();
            required
                .filter(|name| parameters.contains_key(*name))
                .count()
        };
        let brings_secret = |definition: &AssetDefinition| {
            let given = |name: &&String| self.document.contains_key(*name);
            let mut given = definition.inputs.required.iter().filter(given);
            given.any(|name| is_secret(definition, name))
        };
        let leading = if manifest.assets.iter().any(brings_secret) {
            self.document
        } else {
            self.file
        };
        let brought = |definition: &AssetDefinition| count(leading, definition);
        let complete = |definition: &&AssetDefinition| {
            definition
                .inputs
                .required
                .iter()
                .all(|name| self.value(name).is_some())
        };
        if let Some(definition) = manifest
            .assets
            .iter()
            .find(|definition| brought(definition) == definition.inputs.required.len())
        {
            return Ok(definition);
        }
        let most = manifest.assets.iter().map(brought).max().unwrap_or(0);
        let mut candidates = manifest.assets.iter().filter(|one| brought(one) == most);
        candidates
            .find(complete)
            .ok_or_else(|| self.missing(manifest))
    }

    /// What is missing for the way that has most of its parameters.
    fn missing(&self, manifest: &Manifest) -> Vec<Detail> {
        let given = |definition: &&AssetDefinition| {
            definition
                .inputs
                .required
                .iter()
                .filter(|name| self.value(name).is_some())
                .count()
        };
        let Some(nearest) = manifest
            .assets
            .iter()
            .rev()
            .max_by_key(given)
            .filter(|one| given(one) > 0)
        else {
            return Vec::new();
        };
        let absent = nearest
            .inputs
            .required
            .iter()
            .filter(|name| self.value(name).is_none());
        absent
            .map(|name| {
                let variable = nearest
                    .inputs
                    .properties
                    .get(name)
                    .and_then(environment_variable);
                Detail {
                    hint: variable.map(|variable| format!("or set {variable}")),
                    ..Detail::new(format!("/asset/{name}"), format!("`{name}` is missing"))
                }
            })
            .collect()
    }

    fn read(
        &mut self,
        definition: &AssetDefinition,
        manifest: &Manifest,
        api: Option<&str>,
    ) -> Option<Credentials> {
        if definition.name == AssetKind::HttpBearer {
            let token = self.credential("token")?;
            // Of whom the document's token is, the operator says nothing.
            let is_told =
                !self.document.contains_key("token") || self.document.contains_key("client_id");
            return Some(Credentials::Bearer {
                token,
                client_id: is_told.then(|| self.identifier("client_id")).flatten(),
            });
        }
        let token_url = self.token_url(definition, manifest, api)?;
        let client_id = self.identifier("client_id")?;
        if definition.name == AssetKind::Oauth2ClientCredentials {
            let client_secret = self.credential("client_secret")?;
            return Some(Credentials::ClientCredentials {
                token_url,
                client_id,
                client_secret,
            });
        }
        let private_key = self.private_key()?;
        Some(Credentials::JwtAssertion {
            token_url,
            client_id,
            kid: self.plain("kid")?,
            private_key,
            token_lifetime_seconds: self.lifetime(definition)?,
        })
    }

    /// LINE's token endpoint, on the host that the asset's `url` names.
    fn token_url(
        &mut self,
        definition: &AssetDefinition,
        manifest: &Manifest,
        api: Option<&str>,
    ) -> Option<String> {
        if self.value("token_url").is_some() {
            return self.url("token_url").map(|url| url.given);
        }
        let default = default_of(definition, "token_url").and_then(Value::as_str)?;
        let line = manifest.hosts.get(&Host::Api)?;
        Some(default.replacen(line.as_str(), api.unwrap_or(line), 1))
    }

    /// A channel ID is digits, and platforms like to hand it over as a number.
    fn identifier(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Number(number) if number.is_u64() => Some(number.to_string()),
            _ => self.plain(name),
        }
    }

    fn lifetime(&mut self, definition: &AssetDefinition) -> Option<u64> {
        const NAME: &str = "token_lifetime_seconds";
        let given = match self.value(NAME) {
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64(),
            None => default_of(definition, NAME).and_then(Value::as_u64),
        };
        let lifetime = given.filter(|seconds| (60..=2_592_000).contains(seconds));
        if lifetime.is_none() {
            self.wrong(NAME, "seconds from 60 to 2592000 (30 days)");
        }
        lifetime
    }
}

/// What cannot be in a token, an ID or a secret, without quoting it.
fn flaw(text: &str) -> Option<String> {
    let scheme = text
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
    if scheme {
        return Some("begins with the word Bearer: give the token alone".to_owned());
    }
    if text.len() > 1 && text.starts_with(['"', '\'']) && text.ends_with(['"', '\'']) {
        return Some("stands in quotation marks: give what is between them".to_owned());
    }
    let (at, character) = text
        .chars()
        .enumerate()
        .find(|(_, character)| !character.is_ascii_graphic())?;
    let what = match character {
        '\n' | '\r' => "a line end".to_owned(),
        ' ' | '\t' => "a blank".to_owned(),
        other => format!(
            "a character that cannot be in it (U+{:04X})",
            u32::from(other)
        ),
    };
    let place = if text.chars().skip(at).all(char::is_whitespace) {
        "at its end".to_owned()
    } else {
        format!("at position {}", at + 1)
    };
    Some(format!("has {what} {place}"))
}

/// Reports parameters that no way to authenticate has.
fn check_names(manifest: &Manifest, document: &Map<String, Value>, details: &mut Vec<Detail>) {
    let known = |name: &str| {
        manifest
            .assets
            .iter()
            .any(|asset| asset.inputs.properties.contains_key(name))
    };
    for name in document.keys().filter(|name| !known(name)) {
        add(details, || {
            let names = manifest
                .assets
                .iter()
                .flat_map(|asset| asset.inputs.properties.keys())
                .map(String::as_str);
            Detail {
                hint: nearest(name, names).map(|name| format!("did you mean `{name}`?")),
                ..Detail::new(
                    format!("/asset/{name}"),
                    format!("`{name}` is not a parameter of an asset"),
                )
            }
        });
    }
}

/// Platforms send `null` or an empty string for a field that was left empty.
fn present(parameters: &Map<String, Value>) -> Map<String, Value> {
    let given = |value: &Value| !value.is_null() && value.as_str() != Some("");
    parameters
        .iter()
        .filter(|(_, value)| given(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The environment variable that stands in for a parameter.
#[must_use]
pub fn environment_variable(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("x-env").and_then(Value::as_str)
}

fn is_secret(definition: &AssetDefinition, name: &str) -> bool {
    let schema = definition.inputs.properties.get(name);
    let flag = schema.and_then(|schema| schema.get("writeOnly"));
    flag.and_then(Value::as_bool) == Some(true)
}

fn default_of<'a>(definition: &'a AssetDefinition, name: &str) -> Option<&'a Value> {
    definition.inputs.properties.get(name)?.get("default")
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::leads_here;

    #[test]
    fn only_loopback_addresses_and_localhost_are_this_machine() {
        for url in [
            "http://127.0.0.1:1/x",
            "http://localhost",
            "https://[::1]:9/?a",
            "http://127.1.2.3",
            "http://LOCALHOST:80",
        ] {
            assert!(leads_here(url), "{url}");
        }
        for url in [
            "http://10.0.0.7/admin",
            "http://169.254.169.254/",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1@evil.example/",
            "http://evil.example\\@127.0.0.1",
            "http://[2001:db8::1]/",
            "http://evil.example#@127.0.0.1",
            "127.0.0.1",
            "http://0.0.0.0/",
        ] {
            assert!(!leads_here(url), "{url}");
        }
    }
}
