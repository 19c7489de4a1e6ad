//! Issues channel access tokens at LINE's endpoint: by channel secret through the `oauth2` crate, or
//! by a signed assertion. The core caches them.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use line_connector_core::asset::Credentials;
use line_connector_core::auth::{IssuedToken, TokenIssuer};
use line_connector_core::error::{Error, Kind};
use line_connector_core::json_text::heard;
use line_connector_core::redact::Redactor;
use line_connector_core::refusal::said;
use line_connector_http::{Failure, Headers, Method, Reply, Request, Secret, Transport};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, TokenResponse, TokenUrl,
};

use crate::jwt;

/// The assertion type of RFC 7523.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// LINE's token endpoint, as an asset's `token_url` names it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LineTokens;

impl TokenIssuer for LineTokens {
    fn issue(
        &self,
        credentials: &Credentials,
        transport: &dyn Transport,
        now: SystemTime,
        timeout: Duration,
    ) -> Result<IssuedToken, Error> {
        let endpoint = Endpoint {
            transport,
            timeout,
            answer: RefCell::new(None),
        };
        match credentials {
            Credentials::Bearer { token, .. } => Ok(IssuedToken {
                value: token.clone(),
                lifetime: Duration::MAX,
            }),
            Credentials::ClientCredentials {
                token_url,
                client_id,
                client_secret,
            } => by_secret(&endpoint, token_url, client_id, client_secret),
            Credentials::JwtAssertion {
                token_url,
                client_id,
                kid,
                private_key,
                token_lifetime_seconds,
            } => {
                let lifetime = Duration::from_secs(*token_lifetime_seconds);
                let assertion = jwt::sign(private_key, kid, client_id, now, lifetime)
                    .map_err(|reason| Error::new(Kind::TokenRefused, reason))?;
                by_assertion(&endpoint, token_url, &assertion).map_err(|mut error| {
                    // The pipeline knows the asset's secrets, and not what was signed with them.
                    Redactor::new([&assertion]).text(&mut error.message);
                    error
                })
            }
        }
    }
}

/// A stateless token (v3), or a short-lived one (v2): which it is, the URL says.
fn by_secret(
    endpoint: &Endpoint<'_>,
    token_url: &str,
    client_id: &str,
    client_secret: &Secret,
) -> Result<IssuedToken, Error> {
    let url = TokenUrl::new(token_url.to_owned())
        .map_err(|_| Error::new(Kind::InvalidAsset, "`token_url` cannot be used"))?;
    let client = BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_client_secret(ClientSecret::new(client_secret.expose().to_owned()))
        .set_token_uri(url)
        .set_auth_type(AuthType::RequestBody);
    let call = |request: HttpRequest| endpoint.call(&request);
    match client.exchange_client_credentials().request(&call) {
        Ok(token) if is_token(token.access_token().secret()) => Ok(IssuedToken {
            value: Secret::new(token.access_token().secret().clone()),
            lifetime: token.expires_in().unwrap_or_default(),
        }),
        _ => Err(endpoint.refusal()),
    }
}

/// Whether a text can be sent as a token.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A token v2.1, or a stateless one: which it is, the URL says. LINE takes exactly these fields;
/// the other variant's, even empty, break the request.
fn by_assertion(
    endpoint: &Endpoint<'_>,
    token_url: &str,
    assertion: &Secret,
) -> Result<IssuedToken, Error> {
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={}&client_assertion={}",
        ASSERTION_TYPE.replace(':', "%3A"),
        assertion.expose(),
    );
    let reply = endpoint.send(token_url, form.into_bytes());
    let body = reply
        .ok()
        .filter(|reply| reply.status == 200)
        .and_then(|reply| heard(&reply.body));
    let token = body
        .as_ref()
        .and_then(|body| body.get("access_token")?.as_str())
        .filter(|token| is_token(token));
    let lifetime = body
        .as_ref()
        .and_then(|body| body.get("expires_in")?.as_u64());
    match token {
        Some(token) => Ok(IssuedToken {
            value: Secret::new(token),
            lifetime: Duration::from_secs(lifetime.unwrap_or_default()),
        }),
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
            download_timeout: None,
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
                let body = heard(&reply.body);
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
