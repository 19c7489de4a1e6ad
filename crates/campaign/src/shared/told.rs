//! What is told of a shared run: the same documents as of a ledger.

use std::collections::BTreeMap;
use std::io::Write;
use std::thread;

use line_connector_client::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chunk::Row;
use super::manifest::{Manifest, read, read_fixed};
use super::{Chunk, Counts, SharedRun, Store, Unusable};
use crate::ledger::{PartRow, Person, RunState, State};
use crate::status::{Form, told, write_results};

/// How many chunks are fetched at once.
const FETCHES: u64 = 8;

/// Where a run stands, as whoever hands out its chunks tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The run's state.
    pub state: RunState,
    /// Why it paused by itself, or what it waits for.
    pub reason: Option<String>,
    /// When it was started, milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// People of chunks that were sent at least once, by what became of them.
    pub people: Counts,
    /// Chunks that cannot be sent, and why: the first ones.
    pub parked: Vec<String>,
    /// When this was told.
    pub at_ms: i64,
}

fn standing_name(run: &str) -> String {
    format!("runs/{run}/standing")
}

impl Standing {
    /// Writes it into the store.
    ///
    /// # Errors
    ///
    /// Where the store does not take it.
    pub fn save(&self, store: &dyn Store, run: &str) -> Result<(), Error> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        store.put(&standing_name(run), bytes)
    }
}

impl SharedRun {
    /// Where the run stands; `url` is what people call it.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    pub fn status(&self, store: &dyn Store, url: &str) -> Result<Value, Error> {
        let standing = self.standing(store)?;
        Ok(self.told(url, standing.as_ref()))
    }

    fn standing(&self, store: &dyn Store) -> Result<Option<Standing>, Error> {
        read(store, &standing_name(&self.manifest.run))
    }

    /// The same with a standing that is known.
    #[must_use]
    pub fn told(&self, url: &str, standing: Option<&Standing>) -> Value {
        let manifest = &self.manifest;
        let state = standing.map_or(RunState::Planned, |standing| standing.state);
        let counts = standing.map(|standing| standing.people).unwrap_or_default();
        let total: u64 = manifest.lanes.iter().map(|lane| lane.people).sum();
        let parts: u64 = manifest.lanes.iter().map(|lane| lane.parts).sum();
        let known = counts.accepted + counts.rejected + counts.expired_unknown + counts.cancelled;
        let waiting = counts.unknown + counts.held;
        let rest = total.saturating_sub(known + waiting);
        let mut people = BTreeMap::from([
            (State::Accepted, counts.accepted),
            (State::Rejected, counts.rejected),
            (State::ExpiredUnknown, counts.expired_unknown),
            (State::Unknown, counts.unknown),
            (State::Held, counts.held),
        ]);
        if state == RunState::Cancelled {
            people.insert(State::Cancelled, counts.cancelled + rest + counts.held);
            people.remove(&State::Held);
        } else {
            people.insert(State::Cancelled, counts.cancelled);
            people.insert(State::Planned, rest);
        }
        let people = people.into_iter().filter(|(_, count)| *count > 0);
        let people = people.map(|(state, count)| (state.name().to_owned(), json!(count)));
        let parked = standing.map(|standing| &standing.parked);
        json!({
            "campaign": manifest.campaign.name,
            "occurrence": manifest.campaign.occurrence,
            "run": manifest.run,
            "digest": manifest.digest,
            "ledger": url,
            "state": state.name(),
            "reason": standing.and_then(|standing| standing.reason.as_deref()),
            "holder": null,
            "people": people.collect::<serde_json::Map<String, Value>>(),
            "left_out": manifest.left_out,
            "parts": parts,
            "parked": parked.filter(|parked| !parked.is_empty()),
            "planned_at": told(Some(manifest.planned_ms)),
            "started_at": told(standing.and_then(|standing| standing.started_ms)),
            "ended_at": told(standing.and_then(|standing| standing.ended_ms)),
            "as_of": told(standing.map(|standing| standing.at_ms)),
        })
    }

    /// Writes what became of each person, account by account in the order of sending; then those who
    /// get nothing. `states` keeps to those; all without any.
    ///
    /// # Errors
    ///
    /// Where the store does not answer or is damaged, or the results cannot be written.
    pub fn results(
        &self,
        store: &dyn Store,
        form: Form,
        states: &[String],
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        let standing = self.standing(store)?;
        let is_cancelled = standing.is_some_and(|standing| standing.state == RunState::Cancelled);
        let manifest = &self.manifest;
        write_results(form, states, to, |take| {
            for (place, lane) in manifest.lanes.iter().enumerate() {
                let mut next = 0;
                while next < lane.chunks {
                    let end = (next + FETCHES).min(lane.chunks);
                    for chunk in fetch(store, manifest, place, next..end)? {
                        for row in &chunk.rows {
                            let part = row.told(&chunk, is_cancelled);
                            for (line, id) in chunk.people(row) {
                                take(&person(*line, id, None), Some(&part))?;
                            }
                        }
                    }
                    next = end;
                }
            }
            for page in &manifest.skipped {
                let page: Vec<(i64, String, String)> =
                    read_fixed(store, "skipped", page).map_err(Error::from)?;
                for (line, id, reason) in page {
                    take(&person(line, &id, Some(reason)), None)?;
                }
            }
            Ok(())
        })
    }
}

fn person(line: i64, id: &str, left_out: Option<String>) -> Person {
    Person {
        line,
        id: id.to_owned(),
        left_out,
    }
}

/// Chunks in order, fetched at once.
fn fetch(
    store: &dyn Store,
    manifest: &Manifest,
    lane: usize,
    chunks: std::ops::Range<u64>,
) -> Result<Vec<Chunk>, Error> {
    thread::scope(|scope| {
        let threads =
            chunks.map(|chunk| scope.spawn(move || Chunk::open(store, manifest, lane, chunk)));
        let threads: Vec<_> = threads.collect();
        let chunks = threads.into_iter().map(|thread| {
            let broken = |_| Err(Unusable::Damaged("a chunk could not be read".to_owned()));
            thread.join().unwrap_or_else(broken).map_err(Error::from)
        });
        chunks.collect()
    })
}

impl Row {
    fn told(&self, chunk: &Chunk, is_cancelled: bool) -> PartRow {
        let is_given_up = is_cancelled && matches!(self.state, State::Planned | State::Held);
        let state = if is_given_up {
            State::Cancelled
        } else {
            self.state
        };
        let rendering = u128::from_be_bytes(chunk.rendering(self));
        PartRow {
            account: chunk.file.account.clone(),
            state: state.name().to_owned(),
            reason: self.reason.clone(),
            status: self.status,
            request_id: self.request_id.clone(),
            key: (self.attempts > 0).then(|| self.key.clone()),
            attempts: self.attempts,
            at_ms: self.at_ms,
            body: format!("{rendering:032x}"),
        }
    }
}
