//! Channel access tokens: issued when needed, kept until shortly before they expire, shared by all
//! calls of an identity (and by other processes, where a store is given), renewed once when LINE
//! says 401. It sends through a transport that is handed in, and never shows a token.

mod kept;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, TokenResponse, TokenUrl,
};
use serde_json::Value;

use crate::assertion;
use crate::asset::Credentials;
use crate::error::{Error, Kind};
use crate::refusal::said;
use line_connector_http::Secret;
use line_connector_http::{Failure, Headers, Method, Reply, Request, Transport};

pub use kept::{Hold, Store};

/// A token is renewed this long before it expires, so that none expires on its way to LINE.
const MARGIN: Duration = Duration::from_mins(1);

/// Beyond so many identities, those without a call under way are forgotten; a token is soon issued.
const MOST_IDENTITIES: usize = 1024;

/// The assertion type of RFC 7523.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    expires: SystemTime,
}

/// The tokens of this process. One lock an identity: whoever comes while a token is being issued
/// waits for it instead of issuing another.
#[derive(Default)]
pub struct Tokens {
    places: Mutex<HashMap<Credentials, Arc<Mutex<Place>>>>,
    store: Option<Box<dyn Store>>,
    trouble: Mutex<Option<String>>,
    issued: AtomicU64,
}

/// What is known of one identity's token.
#[derive(Default)]
struct Place {
    token: Option<Token>,
    /// The last token that LINE took no more. Other processes may still keep it.
    refused: Option<Secret>,
}

impl Tokens {
    /// Tokens that other processes share through a store.
    #[must_use]
    pub fn shared(store: Option<Box<dyn Store>>) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }

    /// A valid token for these credentials: kept, or issued now.
    ///
    /// # Errors
    ///
    /// [`Kind::TokenRefused`] where LINE or the key says no, [`Kind::TokenUnavailable`] where the
    /// endpoint does not answer; the store's own where it must not be trusted.
    pub fn bearer(
        &self,
        credentials: &Credentials,
        transport: &dyn Transport,
        now: SystemTime,
        timeout: Duration,
    ) -> Result<Secret, Error> {
        if let Credentials::Bearer { token, .. } = credentials {
            return Ok(token.clone());
        }
        let place = self.place(credentials);
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = place.token.as_ref().filter(|token| token.expires > now) {
            return Ok(token.value.clone());
        }
        let issue = || {
            let token = issue(credentials, transport, now, timeout)?;
            self.issued.fetch_add(1, Ordering::Relaxed);
            Ok(token)
        };
        let shared = self.store.as_ref();
        let shared = shared.and_then(|store| Some((store, kept::name(credentials)?)));
        let token = match shared {
            Some((store, name)) => {
                let known = |content: Vec<u8>| {
                    kept::read(&content, now)
                        .filter(|token| Some(&token.value) != place.refused.as_ref())
                };
                self.stored(store.as_ref(), &name, timeout, known, issue)?
            }
            None => issue()?,
        };
        Ok(place.token.insert(token).value.clone())
    }

    /// The token that the store has, or one issued now and put there. Of processes that come at
    /// once, one issues while the others wait; where waiting takes too long, each issues its own.
    fn stored(
        &self,
        store: &dyn Store,
        name: &str,
        patience: Duration,
        known: impl Fn(Vec<u8>) -> Option<Token>,
        issue: impl FnOnce() -> Result<Token, Error>,
    ) -> Result<Token, Error> {
        if let Some(token) = store.load(name)?.and_then(&known) {
            return Ok(token);
        }
        let hold = store.hold(name, patience);
        // Whoever held the name before may have issued one.
        if let Some(token) = store.load(name)?.and_then(&known) {
            return Ok(token);
        }
        let token = issue()?;
        if let Err(error) = hold.and_then(|hold| hold.replace(&kept::write(&token))) {
            let trouble = format!("the token is not kept for other processes: {error}");
            let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(trouble);
        }
        Ok(token)
    }

    /// What went wrong with the store though the call could go on, since this was last asked.
    pub fn trouble(&self) -> Option<String> {
        // Without a store there is none, and a call should not wait for others to know.
        self.store.as_ref()?;
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        last.take()
    }

    /// How many tokens were issued so far.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.issued.load(Ordering::Relaxed)
    }

    /// Forgets a token that LINE no longer takes. One that another call has renewed meanwhile stays.
    pub fn forget(&self, credentials: &Credentials, refused: &Secret) {
        let place = self.place(credentials);
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if place
            .token
            .as_ref()
            .is_some_and(|token| token.value == *refused)
        {
            place.token = None;
        }
        place.refused = Some(refused.clone());
    }

    fn place(&self, credentials: &Credentials) -> Arc<Mutex<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(credentials) {
            return Arc::clone(place);
        }
        if places.len() >= MOST_IDENTITIES {
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(places.entry(credentials.clone()).or_default())
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// Whether a new token can be issued when one is refused.
#[must_use]
pub fn renewable(credentials: &Credentials) -> bool {
    !matches!(credentials, Credentials::Bearer { .. })
}

fn issue(
    credentials: &Credentials,
    transport: &dyn Transport,
    now: SystemTime,
    timeout: Duration,
) -> Result<Token, Error> {
    let endpoint = Endpoint {
        transport,
        timeout,
        answer: RefCell::new(None),
    };
    let (value, lifetime) = match credentials {
        Credentials::Bearer { token, .. } => (token.clone(), Duration::MAX),
        Credentials::ClientCredentials {
            token_url,
            client_id,
            client_secret,
        } => by_secret(&endpoint, token_url, client_id, client_secret)?,
        Credentials::JwtAssertion {
            token_url,
            client_id,
            kid,
            private_key,
            token_lifetime_seconds,
        } => {
            let lifetime = Duration::from_secs(*token_lifetime_seconds);
            let assertion = assertion::sign(private_key, kid, client_id, now, lifetime)
                .map_err(|reason| Error::new(Kind::TokenRefused, reason))?;
            by_assertion(&endpoint, token_url, &assertion)?
        }
    };
    let margin = MARGIN.min(lifetime / 10);
    let expires = now
        .checked_add(lifetime.saturating_sub(margin))
        .unwrap_or(now);
    Ok(Token { value, expires })
}

/// A stateless token (v3), or a short-lived one (v2): which it is, the URL says.
fn by_secret(
    endpoint: &Endpoint<'_>,
    token_url: &str,
    client_id: &str,
    client_secret: &Secret,
) -> Result<(Secret, Duration), Error> {
    let url = TokenUrl::new(token_url.to_owned())
        .map_err(|_| Error::new(Kind::InvalidAsset, "`token_url` cannot be used"))?;
    let client = BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_client_secret(ClientSecret::new(client_secret.expose().to_owned()))
        .set_token_uri(url)
        .set_auth_type(AuthType::RequestBody);
    let call = |request: HttpRequest| endpoint.call(&request);
    match client.exchange_client_credentials().request(&call) {
        Ok(token) => {
            let lifetime = token.expires_in().unwrap_or_default();
            Ok((Secret::new(token.access_token().secret().clone()), lifetime))
        }
        Err(_) => Err(endpoint.refusal()),
    }
}

/// A token v2.1, or a stateless one: which it is, the URL says. LINE takes exactly these fields;
/// the other variant's, even empty, break the request.
fn by_assertion(
    endpoint: &Endpoint<'_>,
    token_url: &str,
    assertion: &Secret,
) -> Result<(Secret, Duration), Error> {
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={}&client_assertion={}",
        ASSERTION_TYPE.replace(':', "%3A"),
        assertion.expose(),
    );
    let reply = endpoint.send(token_url, form.into_bytes());
    let body = reply
        .ok()
        .filter(|reply| reply.status == 200)
        .and_then(|reply| serde_json::from_slice::<Value>(&reply.body).ok());
    let token = body
        .as_ref()
        .and_then(|body| body.get("access_token")?.as_str());
    let lifetime = body
        .as_ref()
        .and_then(|body| body.get("expires_in")?.as_u64());
    match token {
        Some(token) => Ok((
            Secret::new(token),
            Duration::from_secs(lifetime.unwrap_or_default()),
        )),
        None => Err(endpoint.refusal()),
    }
}

/// The token endpoint for one issue, and what it answered.
struct Endpoint<'a> {
    transport: &'a dyn Transport,
    timeout: Duration,
    answer: RefCell<Option<Result<Reply, Failure>>>,
}

impl Endpoint<'_> {
    fn send(&self, url: &str, form: Vec<u8>) -> Result<Reply, Failure> {
        let mut headers = Headers::new();
        headers.push("Content-Type", "application/x-www-form-urlencoded");
        let request = Request {
            method: Method::Post,
            url: url.to_owned(),
            headers,
            bearer: None,
            body: form,
            timeout: self.timeout,
        };
        let answer = self.transport.send(&request);
        self.answer.replace(Some(answer.clone()));
        answer
    }

    /// The HTTP client of the OAuth2 crate, over our transport.
    fn call(&self, request: &HttpRequest) -> Result<HttpResponse, Unanswered> {
        let reply = self
            .send(&request.uri().to_string(), request.body().clone())
            .map_err(|_| Unanswered)?;
        let mut response = HttpResponse::new(reply.body);
        *response.status_mut() = reply.status.try_into().map_err(|_| Unanswered)?;
        Ok(response)
    }

    /// Why no token came: LINE's own words, never the body, which may hold half a token.
    fn refusal(&self) -> Error {
        match self.answer.take() {
            None => Error::new(
                Kind::TokenUnavailable,
                "the token request could not be made",
            ),
            Some(Err(failure)) => Error::new(
                Kind::TokenUnavailable,
                format!("no answer from the token endpoint: {}", failure.message),
            ),
            Some(Ok(reply)) => {
                let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
                let said = body.as_ref().and_then(said);
                let said = said.unwrap_or_else(|| "no token in the answer".to_owned());
                let kind = match reply.status {
                    429 | 500.. => Kind::TokenUnavailable,
                    _ => Kind::TokenRefused,
                };
                let status = reply.status;
                Error::new(
                    kind,
                    format!("the token endpoint answered {status}: {said}"),
                )
            }
        }
    }
}

/// The token endpoint gave no answer; why is kept in [`Endpoint`].
#[derive(Debug)]
struct Unanswered;

impl std::fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("no answer")
    }
}

impl std::error::Error for Unanswered {}
