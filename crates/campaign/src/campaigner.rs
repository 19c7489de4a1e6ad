//! What the commands on a campaign share: the document, the accounts, the ledger, the time.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use line_connector_client::{Clock, Connector, Error, Kind, SystemClock};
use line_connector_core::error::Detail;
use serde_json::Value;

use crate::document::Campaign;
use crate::history::History;
use crate::ledger::{LedgerError, RunRow};
use crate::list::{Fingerprint, Input, Notation, Place, is_same};

/// Plans, tests and sends a campaign.
pub struct Campaigner<'a> {
    /// Of accounts without one of their own; it also checks what is sent.
    pub(crate) connector: &'a Connector,
    own: &'a BTreeMap<String, Connector>,
    pub(crate) campaign: &'a Campaign,
    pub(crate) folder: PathBuf,
    pub(crate) ledger: PathBuf,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) input: Input,
}

impl std::fmt::Debug for Campaigner<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Campaigner")
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl<'a> Campaigner<'a> {
    /// A campaign whose relative paths are those of `folder`, and whose ledger is, or will be, the
    /// file `ledger`. Accounts that have a connector of their `own`, by the account's name, send
    /// through that, the others through `connector`.
    #[must_use]
    pub fn new(
        campaign: &'a Campaign,
        folder: &Path,
        ledger: &Path,
        connector: &'a Connector,
        own: &'a BTreeMap<String, Connector>,
    ) -> Self {
        Self {
            connector,
            own,
            campaign,
            folder: folder.to_owned(),
            ledger: ledger.to_owned(),
            clock: &SystemClock,
            input: || Box::new(io::empty()),
        }
    }

    /// The same with what stands for a list on standard input; it is empty without this.
    #[must_use]
    pub fn with_input(self, input: fn() -> Box<dyn Read>) -> Self {
        Self { input, ..self }
    }

    /// The same with another clock than the system's.
    #[must_use]
    pub fn with_clock(self, clock: &'a dyn Clock) -> Self {
        Self { clock, ..self }
    }

    /// What an account sends through.
    pub(crate) fn connector(&self, account: &str) -> &Connector {
        self.own.get(account).unwrap_or(self.connector)
    }

    /// Lets no call wait any more.
    pub(crate) fn stop(&self) {
        self.connector.stop();
        self.own.values().for_each(Connector::stop);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::try_from(self.clock.now()).unwrap_or_default()
    }

    /// The accounts' names in the order of their numbers.
    pub(crate) fn names(&self) -> Vec<String> {
        self.campaign.all_accounts().into_keys().collect()
    }

    /// A path of the document.
    pub(crate) fn beside(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Where the list is, and how it is written.
    pub(crate) fn list_place(&self) -> (Place, Notation) {
        let list = &self.campaign.recipients;
        let delimiter = list
            .delimiter
            .as_deref()
            .and_then(|text| text.bytes().next());
        let (path, notation) = match (&list.csv, &list.ndjson) {
            (Some(path), _) => (
                path,
                Notation::Csv {
                    delimiter: delimiter.unwrap_or(b','),
                },
            ),
            (None, path) => (
                path.as_ref().unwrap_or(&self.campaign.name),
                Notation::Ndjson,
            ),
        };
        let place = match path.as_str() {
            "-" => Place::StandardInput,
            path => Place::File(self.beside(path)),
        };
        (place, notation)
    }

    /// What was sent to whom before, where the campaign has a cap on it.
    pub(crate) fn history(&self, make: bool) -> Result<Option<History>, Error> {
        let cap = self.campaign.frequency_cap.as_ref();
        let run = self.run_id();
        cap.map(|cap| History::open(&self.beside(&cap.history), cap, &run, make))
            .transpose()
    }

    /// Refuses to go on with what is not what was planned.
    ///
    /// # Errors
    ///
    /// Every difference by name.
    pub(crate) fn compare(&self, run: &RunRow, as_planned: bool) -> Result<(), Error> {
        let before = run.document.get("campaign").cloned().unwrap_or_default();
        let now = serde_json::to_value(self.campaign).unwrap_or_default();
        let mut details: Vec<Detail> = differences(&before, &now);
        let list = run.document.get("list").cloned().unwrap_or_default();
        let (place, _) = self.list_place();
        if let (Place::File(path), false) =
            (&place, self.campaign.recipients.followers || as_planned)
            && let Ok(known) = serde_json::from_value::<Fingerprint>(list)
        {
            let shown = path.display();
            match is_same(path, &known) {
                Ok(true) => {}
                Ok(false) => details.push(Detail {
                    hint: Some(
                        "`--as-planned` goes on with the people who were planned".to_owned(),
                    ),
                    ..Detail::new(
                        "/recipients",
                        format!("{shown} has changed since it was planned"),
                    )
                }),
                Err(error) => details.push(Detail {
                    hint: Some(
                        "`--as-planned` goes on with the people who were planned".to_owned(),
                    ),
                    ..Detail::new("/recipients", error.to_string())
                }),
            }
        }
        if details.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Kind::InvalidDocument,
            "the campaign is not the one that was planned; nothing was sent",
        )
        .with_details(details)
        .with_hint("restore it; or plan it as another `occurrence`"))
    }
}

/// The members that differ, by JSON pointer.
fn differences(before: &Value, now: &Value) -> Vec<Detail> {
    let (Some(old), Some(new)) = (before.as_object(), now.as_object()) else {
        return Vec::new();
    };
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let different = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    different
        .map(|name| {
            let what = match (old.get(name), new.get(name)) {
                (None, _) => "was added since it was planned",
                (_, None) => "was removed since it was planned",
                _ => "has changed since it was planned",
            };
            Detail::new(format!("/{name}"), what)
        })
        .collect()
}

/// A command whose ledger does not do what it should.
impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        let hint = if let Some(hint) = &error.hint {
            hint
        } else if error.path.exists() {
            "`campaign status` shows where a campaign stands; `campaign resume` goes on with it"
        } else {
            "`campaign plan` with the same document makes it; if it is elsewhere, name it in `--ledger`"
        };
        Self::new(Kind::Usage, error.to_string()).with_hint(hint.to_owned())
    }
}
