//! What a shared run consists of, and which plan of it counts.

use std::collections::BTreeMap;

use line_connector_client::{Error, Kind};
use line_connector_core::digest::sha256;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Store;
use crate::document::Campaign;
use crate::run::confirm;

/// How many chunks stand on a page of their list.
pub(super) const CHUNKS_A_PAGE: usize = 1000;
/// The format of a manifest.
pub(super) const FORMAT: &str = "shared-run/1";

/// How a part is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// To one chat.
    One,
    /// To several users.
    Many,
}

impl Method {
    /// Its name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "many",
        }
    }
}

/// What one account sends by one method: LINE limits the rate of each by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The account's name.
    pub account: String,
    /// The method.
    pub method: Method,
    /// How many chunks there are.
    pub chunks: u64,
    /// How many parts they have together.
    pub parts: u64,
    /// How many people.
    pub people: u64,
    /// How many requests.
    pub requests: u64,
    /// The pages on which the chunks are listed.
    pub(super) pages: Vec<String>,
}

/// A plan in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub(super) format: String,
    /// The run's ID.
    pub run: String,
    /// The digest that `start` asks for.
    pub digest: String,
    /// The document.
    pub campaign: Campaign,
    /// Who gets nothing, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// When it was planned, milliseconds since 1970.
    pub planned_ms: i64,
    /// What is to be sent, in order.
    pub lanes: Vec<Lane>,
    /// The objects that name the people who get nothing.
    pub(super) skipped: Vec<String>,
}

/// Which manifest counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pointer {
    pub(super) manifest: String,
    pub(super) digest: String,
}

/// A shared run that was planned.
#[derive(Debug, Clone)]
pub struct SharedRun {
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest's SHA-256.
    pub sha256: String,
    /// Whether it was started.
    pub is_started: bool,
}

pub(super) fn plan_name(run: &str) -> String {
    format!("runs/{run}/plan")
}

fn started_name(run: &str) -> String {
    format!("runs/{run}/started")
}

/// Reads an object that is JSON.
pub(super) fn read<T: DeserializeOwned>(store: &dyn Store, name: &str) -> Result<Option<T>, Error> {
    let Some(bytes) = store.get(name)? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|error| {
        let message = format!("the object {name} of the campaign's store is damaged: {error}");
        Error::new(Kind::InvalidDocument, message).with_hint("plan another `occurrence`")
    })
}

/// Reads an object by its digest, and checks that it is the one.
pub(super) fn read_fixed<T: DeserializeOwned>(
    store: &dyn Store,
    folder: &str,
    digest: &str,
) -> Result<T, super::Unusable> {
    let name = format!("{folder}/{digest}");
    let bytes = store.get(&name)?;
    let bytes =
        bytes.ok_or_else(|| super::Unusable::Damaged(format!("the object {name} is missing")))?;
    if sha256(&bytes) != digest {
        let reason = format!("the object {name} is not what was planned: its digest differs");
        return Err(super::Unusable::Damaged(reason));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        super::Unusable::Damaged(format!("the object {name} cannot be read: {error}"))
    })
}

impl Manifest {
    /// A manifest by its SHA-256.
    ///
    /// # Errors
    ///
    /// Where it is missing or damaged, or the store does not answer.
    pub fn read(store: &dyn Store, sha256: &str) -> Result<Self, super::Unusable> {
        let manifest: Value = read_fixed(store, "manifests", sha256)?;
        let format = manifest.get("format").and_then(Value::as_str);
        if format != Some(FORMAT) {
            let reason = format!("the plan's format is not {FORMAT}, which this version reads");
            return Err(super::Unusable::Damaged(reason));
        }
        serde_json::from_value(manifest)
            .map_err(|error| super::Unusable::Damaged(format!("the plan cannot be read: {error}")))
    }
}

impl SharedRun {
    /// The run of this ID: what was started, or else what was planned last.
    ///
    /// # Errors
    ///
    /// Where it was not planned, its objects are damaged, or the store does not answer.
    pub fn open(store: &dyn Store, run: &str) -> Result<Self, Error> {
        let started: Option<Pointer> = read(store, &started_name(run))?;
        let is_started = started.is_some();
        let pointer = match started {
            Some(pointer) => Some(pointer),
            None => read(store, &plan_name(run))?,
        };
        let Some(pointer) = pointer else {
            let message = format!("the store has no run {run}");
            let hint = "`campaign plan --to URL` puts one there, and tells its URL";
            return Err(Error::new(Kind::Usage, message).with_hint(hint));
        };
        Ok(Self {
            manifest: Manifest::read(store, &pointer.manifest)?,
            sha256: pointer.manifest,
            is_started,
        })
    }

    /// Refuses this plan where it is not the one that is meant: `confirmed` is its digest, or how that
    /// begins.
    ///
    /// # Errors
    ///
    /// What confirms it.
    pub fn confirm(&self, confirmed: &str) -> Result<(), Error> {
        confirm(&self.manifest.digest, confirmed)
    }

    /// Fixes this plan as the one that is sent. Doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// Where another plan of the run was started before.
    pub fn fix(&self, store: &dyn Store) -> Result<(), Error> {
        let run = &self.manifest.run;
        let pointer = Pointer {
            manifest: self.sha256.clone(),
            digest: self.manifest.digest.clone(),
        };
        let bytes = serde_json::to_vec(&pointer).unwrap_or_default();
        if !store.put_new(&started_name(run), bytes)? {
            return Ok(());
        }
        let before: Option<Pointer> = read(store, &started_name(run))?;
        if before.is_some_and(|before| before.manifest == self.sha256) {
            return Ok(());
        }
        let message = "another plan of this campaign was started; nothing was sent";
        Err(Error::new(Kind::Usage, message)
            .with_hint("`campaign status` shows it; another `occurrence` is another run"))
    }

    /// Refuses to plan anew what was started.
    pub(super) fn refuse_started(store: &dyn Store, run: &str) -> Result<(), Error> {
        let started: Option<Pointer> = read(store, &started_name(run))?;
        let Some(started) = started else {
            return Ok(());
        };
        let digest = started.digest.get(..12).unwrap_or_default();
        let message = format!("the run was started already, with the plan {digest}");
        Err(Error::new(Kind::Usage, message).with_hint("plan another `occurrence`"))
    }
}
