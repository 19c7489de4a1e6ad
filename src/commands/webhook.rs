//! The `webhook` command: one document with a request that the platform received from LINE in, one
//! document with its events out. It opens no socket and reads nothing but what it is handed.

use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use line_connector_client::{Catalog, Clock, Error, ExitCode, Kind, Output, Secret, SystemClock};
use line_connector_core::documents::json::Document;
use line_connector_core::documents::{Refused, mistyped, unknown};
use line_connector_core::encoding;
use line_connector_core::error::Detail;
use line_connector_core::json_text::{JsonText, in_one_line};
use line_connector_core::nearest::nearest;
use line_connector_core::webhook::signature::{self, Refusal};
use line_connector_core::webhook::{self, Event, Terms, cause};
use line_connector_http::Headers;

use crate::host;
use crate::terminal::{DOCUMENT, input, print_json, report};

/// The asset's parameter that LINE signs with.
const SECRET: &str = "client_secret";
/// Where it stands in the document.
const SECRET_PLACE: &str = "/asset/client_secret";
/// Where LINE's signature stands in the document.
const HEADER_PLACE: &str = "/request/headers/x-line-signature";

/// What stands beside the document: where a parameter comes from that it lacks, and the time.
struct Around {
    /// The parameters of `--asset FILE`.
    file: Map<String, Value>,
    /// Those of the environment, by parameter name.
    environment: Map<String, Value>,
    /// When the webhook came.
    received: SystemTime,
}

/// The document, read.
#[derive(Default)]
struct Received {
    id: Option<JsonText>,
    asset: Map<String, Value>,
    headers: Headers,
    body: Option<Vec<u8>>,
    /// Where the body stands in the document.
    body_place: &'static str,
}

/// Reads the document from standard input and prints the events, or why there are none.
pub(crate) fn webhook(catalog: &Catalog, asset_file: Option<&Path>) -> Result<ExitCode, Error> {
    let file = asset_file.map(host::read_asset).transpose()?;
    let around = Around {
        file: file.unwrap_or_default(),
        received: SystemClock.now(),
        environment: host::environment(catalog),
    };
    Ok(match answer(&input(DOCUMENT)?, catalog, &around) {
        Ok(answer) => print_json(&answer),
        Err(output) => report(&output),
    })
}

/// The answer to a good one.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: &'a Option<JsonText>,
    destination: &'a str,
    events: &'a [Event<'a>],
}

/// Verifies and reads one webhook: the answer as one line of JSON, or what went wrong.
fn answer(text: &[u8], catalog: &Catalog, around: &Around) -> Result<String, Box<Output>> {
    let received = Received::from_json(text).map_err(|refused| Box::new(refused.into()))?;
    let events = received.events(catalog, around);
    events.map_err(|error| {
        let id = received.id.clone();
        Box::new(Refused { error, id }.into())
    })
}

impl Received {
    fn from_json(text: &[u8]) -> Result<Self, Refused> {
        let invalid = |reason: String| Error::new(Kind::InvalidDocument, reason).with_hint(HINT);
        let document = Document::read(text).map_err(|(unreadable, id)| Refused {
            error: invalid(format!("the document cannot be read: {unreadable}")),
            id,
        })?;
        let mut received = Self {
            id: document.id,
            ..Self::default()
        };
        let mut details = Vec::new();
        for (key, member) in document.members {
            match (key.as_str(), member) {
                ("asset", Value::Null) => {}
                ("asset", Value::Object(asset)) => received.asset = asset,
                ("request", Value::Object(request)) => received.take(request, &mut details),
                ("asset" | "request", other) => {
                    details.push(mistyped(&format!("/{key}"), "an object", &other));
                }
                (key, _) => details.push(unknown(key, "", &["id", "asset", "request"])),
            }
        }
        if received.body.is_none() && details.is_empty() {
            let place = "/request/body";
            details.push(Detail::new(place, "the request has no `body`"));
        }
        if details.is_empty() {
            return Ok(received);
        }
        Err(Refused {
            error: invalid("the webhook document is wrong".to_owned()).with_details(details),
            id: received.id,
        })
    }

    fn take(&mut self, request: Map<String, Value>, details: &mut Vec<Detail>) {
        for (key, member) in request {
            let path = format!("/request/{key}");
            match (key.as_str(), member) {
                ("headers", Value::Object(headers)) => self.take_headers(headers, details),
                ("headers", other) => details.push(mistyped(&path, "an object", &other)),
                ("body" | "body_base64", Value::Null) => {}
                (form @ ("body" | "body_base64"), body) => match bytes(form, &path, body) {
                    Ok(_) if self.body.is_some() => {
                        details.push(Detail::new(path, "a request has one body, not two"));
                    }
                    Ok(bytes) => {
                        self.body_place = match form {
                            "body" => "/request/body",
                            _ => "/request/body_base64",
                        };
                        self.body = Some(bytes);
                    }
                    Err(detail) => details.push(detail),
                },
                (key, _) => {
                    let names = ["headers", "body", "body_base64"];
                    details.push(unknown(key, "/request", &names));
                }
            }
        }
    }

    /// Takes each header with one value or several; those of another type are not LINE's.
    fn take_headers(&mut self, headers: Map<String, Value>, details: &mut Vec<Detail>) {
        for (name, value) in headers {
            match value {
                Value::String(value) => self.headers.push(name, value),
                Value::Array(values) => {
                    for value in values.iter().filter_map(Value::as_str) {
                        self.headers.push(name.as_str(), value);
                    }
                }
                other if name.eq_ignore_ascii_case(signature::HEADER) => {
                    let path = format!("/request/headers/{name}");
                    details.push(mistyped(&path, "a string", &other));
                }
                _ => {}
            }
        }
    }

    fn events(&self, catalog: &Catalog, around: &Around) -> Result<String, Error> {
        let secret = self.secret(around)?;
        let body = self.body.as_deref().unwrap_or_default();
        self.verify(&secret, body)?;
        let triggers = catalog.triggers();
        let terms = Terms::new(&triggers.content, around.received);
        let delivery = webhook::read(body, &terms)?;
        let answer = Answer {
            id: &self.id,
            destination: &delivery.destination,
            events: &delivery.events,
        };
        serde_json::to_string(&answer)
            .map(in_one_line)
            .map_err(|error| Error::new(Kind::Internal, format!("the events are no JSON: {error}")))
    }

    /// Verifies the body, and says what is visible of the reason where that fails.
    fn verify(&self, secret: &Secret, body: &[u8]) -> Result<(), Error> {
        let of_header = |message: &str| vec![Detail::new(HEADER_PLACE, message)];
        let mut signatures = self
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(signature::HEADER))
            .map(|(_, value)| value);
        let signature = signatures.next();
        // Two signatures cannot both be LINE's, and to pick one would be to guess.
        if signatures.any(|other| Some(other) != signature) {
            let error = Error::from(Refusal::Malformed);
            return Err(
                error.with_details(of_header("is there more than once, with different values"))
            );
        }
        let Err(refusal) = signature::verify(secret, body, signature) else {
            return Ok(());
        };
        let details = match (refusal, signature) {
            (Refusal::Mismatch, _) => {
                cause::of_mismatch((self.body_place, body), (SECRET_PLACE, secret.expose()))
            }
            (Refusal::Malformed, Some(signature)) => cause::of_malformed(signature)
                .map(of_header)
                .unwrap_or_default(),
            (Refusal::Malformed | Refusal::Missing, _) => self.why_missing(),
        };
        Err(Error::from(refusal).with_details(details))
    }

    fn why_missing(&self) -> Vec<Detail> {
        let mut names = self.headers.iter().map(|(name, _)| name).peekable();
        if names.peek().is_none() {
            let message = "no header was handed over: give the request's headers";
            return vec![Detail::new("/request/headers", message)];
        }
        let near = cause::of_missing(names).map(|name| Detail {
            hint: Some(format!("call it `{}`", signature::HEADER)),
            ..Detail::new(
                format!("/request/headers/{name}"),
                "is the signature under another name",
            )
        });
        near.into_iter().collect()
    }

    /// The channel secret: the document's, the file's, or the environment's.
    fn secret(&self, around: &Around) -> Result<Secret, Error> {
        let given = [&self.asset, &around.file, &around.environment]
            .into_iter()
            .filter_map(|parameters| parameters.get(SECRET))
            .find(|value| !value.is_null() && value.as_str() != Some(""));
        match given {
            Some(Value::String(secret)) if host::has_blanks(secret) => {
                let message = "the channel secret must have no blanks: it has white space or a line end in or around it";
                let detail = Detail::new(SECRET_PLACE, message);
                Err(Error::new(Kind::InvalidAsset, "the asset is wrong").with_details(vec![detail]))
            }
            Some(Value::String(secret)) => Ok(Secret::new(secret.as_str())),
            Some(other) => {
                let detail = mistyped(SECRET_PLACE, "a string", other);
                Err(Error::new(Kind::InvalidAsset, "the asset is wrong").with_details(vec![detail]))
            }
            None => {
                let near = nearest(SECRET, self.asset.keys().map(String::as_str));
                let detail = Detail {
                    hint: near.map(|name| format!("is `{name}` meant to be it?")),
                    ..Detail::new(SECRET_PLACE, "`client_secret` is missing")
                };
                Err(Error::new(Kind::NoCredentials, "there is no channel secret to verify with")
                    .with_details(vec![detail])
                    .with_hint("give `asset.client_secret`, or set LINE_CLIENT_SECRET; it stands in the Basic settings tab of the LINE Developers Console"))
            }
        }
    }
}

/// The bytes of a body, which stand there as text or as base64.
fn bytes(form: &str, path: &str, body: Value) -> Result<Vec<u8>, Detail> {
    match body {
        Value::String(text) if form == "body" => Ok(text.into_bytes()),
        Value::String(text) => encoding::from_any_base64(&text)
            .map(|written| written.bytes)
            .map_err(|reason| Detail::new(path, reason)),
        other => Err(Detail {
            hint: Some(
                "hand over what LINE sent: parsed and written again, it no longer has LINE's signature"
                    .to_owned(),
            ),
            ..mistyped(path, "a string", &other)
        }),
    }
}

/// What a document looks like.
const HINT: &str = "give one JSON object such as {\"request\": {\"headers\": {\"x-line-signature\": \"…\"}, \"body\": \"…\"}} on standard input, with the body as it came";
