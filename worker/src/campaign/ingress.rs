//! Calls of a run's handlers, from outside, through Restate's ingress.

use std::time::Duration;

use line_connector_campaign::Standing;
use line_connector_client::{Error, Kind};
use reqwest::{Client, Url};
use serde::Serialize;
use serde_json::Value;

/// Where Restate takes calls, where nobody says so.
const DEFAULT: &str = "http://127.0.0.1:8080";
/// How long a call may take: a run that starts asks LINE about each account.
const PATIENCE: Duration = Duration::from_mins(2);

/// A way to the runs.
pub(super) struct Ingress {
    client: Client,
    base: Url,
}

impl Ingress {
    /// The ingress of this URL.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub(super) fn new(url: Option<&str>) -> Result<Self, Error> {
        let wrong = |reason: String| {
            let hint = "give the URL at which Restate takes calls, such as http://127.0.0.1:8080";
            Error::new(Kind::Usage, format!("`--ingress`: {reason}")).with_hint(hint)
        };
        let base = Url::parse(url.unwrap_or(DEFAULT)).map_err(|error| wrong(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(wrong("is no http or https URL".to_owned()));
        }
        let client = Client::builder().timeout(PATIENCE).build();
        let client = client.map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
        Ok(Self { client, base })
    }

    /// Calls a handler of a run.
    ///
    /// # Errors
    ///
    /// What the run says, or that nobody answers.
    pub(super) async fn call(
        &self,
        run: &str,
        handler: &str,
        input: Option<&(impl Serialize + Sync)>,
    ) -> Result<Standing, Error> {
        let path = format!(
            "{}/LineCampaign/{run}/{handler}",
            self.base.path().trim_end_matches('/')
        );
        let mut url = self.base.clone();
        url.set_path(&path);
        let mut request = self.client.post(url);
        if let Some(input) = input {
            request = request.json(input);
        }
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.silent(&error.without_url()))?;
        let status = answer.status();
        let body = answer.bytes().await;
        let body = body.map_err(|error| self.silent(&error.without_url()))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.silent(&error));
        }
        let told: Option<Value> = serde_json::from_slice(&body).ok();
        let told = told.as_ref().and_then(|told| told.get("message")?.as_str());
        let told = told.unwrap_or_default();
        Err(match status.as_u16() {
            404 if told.contains("not started") => {
                Error::new(Kind::Usage, "the campaign was not started yet")
                    .with_hint("`campaign start` sends it")
            }
            404 => Error::new(Kind::Usage, format!("Restate knows no campaigns: {told}"))
                .with_hint("start `line-connector-worker restate`, and register its address with Restate: `restate deployments register`, or POST /deployments to its admin port"),
            409 if told.contains("--confirm") => Error::new(Kind::Usage, told.to_owned()),
            409 => Error::new(Kind::Usage, told.to_owned())
                .with_hint("`campaign status` shows where it stands; another `occurrence` is another run"),
            status => Error::new(Kind::Unavailable, format!("Restate answers {status}: {told}")),
        })
    }

    fn silent(&self, reason: &dyn std::error::Error) -> Error {
        let mut causes = reason.to_string();
        let mut next = reason.source();
        while let Some(cause) = next {
            causes = format!("{causes}: {cause}");
            next = cause.source();
        }
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port_or_known_default().unwrap_or_default();
        let message = format!("Restate does not answer at {host}:{port}: {causes}");
        Error::new(Kind::ConnectionFailed, message).with_hint(
            "look whether it runs; `--ingress URL` says where. Asking again does no harm",
        )
    }
}
