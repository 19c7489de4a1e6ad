//! A chunk: parts of one account and one method, a quarter of a second's worth of LINE's rate; and
//! what became of them.

use line_connector_client::Error;
use serde::{Deserialize, Serialize};

use super::Store;
use super::manifest::{CHUNKS_A_PAGE, Lane, Manifest, read, read_fixed};
use crate::ledger::{State, fingerprint};
use crate::part::{Bodies, retry_key};

/// Why a chunk cannot be sent.
#[derive(Debug, Clone)]
pub enum Unusable {
    /// The store has not what was planned, which waiting does not mend.
    Damaged(String),
    /// The store does not answer as it should.
    Store(Error),
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Store(error) => error,
            Unusable::Damaged(reason) => {
                Self::new(line_connector_client::Kind::InvalidDocument, reason)
                    .with_hint("restore the store, or plan another `occurrence`")
            }
        }
    }
}

/// A chunk as it stands in the store. It holds its renderings itself: one object is read for it,
/// whole or not at all, where each person has a text of their own too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkFile {
    pub(super) account: String,
    /// Each rendering once: an array of request bodies, as JSON.
    pub(super) renderings: Vec<String>,
    pub(super) parts: Vec<PartFile>,
}

/// A part as it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartFile {
    /// Its place among the renderings.
    pub(super) rendering: usize,
    pub(super) key: String,
    /// Each person's line of the list, and ID.
    pub(super) people: Vec<(i64, String)>,
}

/// People of a part, and what became of them: all of it, or a piece after LINE refused it as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) part: usize,
    /// The range of the part's people.
    pub(super) from: usize,
    pub(super) people: usize,
    pub(super) key: String,
    pub(super) state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    pub(super) attempts: i64,
    /// The first attempt that may have been carried out, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_attempt_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at_ms: Option<i64>,
    /// The turn in which it was tried last.
    #[serde(default)]
    pub(super) turn: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ends {
    rows: Vec<Row>,
}

/// A chunk and what became of its parts so far.
#[derive(Debug)]
pub struct Chunk {
    pub(super) run: String,
    name: String,
    pub(super) file: ChunkFile,
    pub(super) bodies: Vec<Bodies>,
    pub(super) rows: Vec<Row>,
}

fn ends_name(run: &str, lane: usize, chunk: u64) -> String {
    format!("runs/{run}/ends/{lane}-{chunk}")
}

impl Lane {
    /// The SHA-256 of a chunk.
    fn listed(&self, store: &dyn Store, chunk: u64) -> Result<String, Unusable> {
        let missing = || Unusable::Damaged(format!("the plan has no chunk {chunk}"));
        let place = usize::try_from(chunk).map_err(|_| missing())?;
        let page = self.pages.get(place / CHUNKS_A_PAGE).ok_or_else(missing)?;
        let page: Vec<String> = read_fixed(store, "pages", page)?;
        page.into_iter()
            .nth(place % CHUNKS_A_PAGE)
            .ok_or_else(missing)
    }
}

impl Chunk {
    /// Reads a chunk, and what became of it so far.
    ///
    /// # Errors
    ///
    /// Where it is missing or damaged, or the store does not answer.
    pub fn open(
        store: &dyn Store,
        manifest: &Manifest,
        lane: usize,
        chunk: u64,
    ) -> Result<Self, Unusable> {
        let missing = || Unusable::Damaged(format!("the plan has no lane {lane}"));
        let lane_of_it = manifest.lanes.get(lane).ok_or_else(missing)?;
        let sha256 = lane_of_it.listed(store, chunk)?;
        let file: ChunkFile = read_fixed(store, "chunks", &sha256)?;
        let mut bodies = Vec::with_capacity(file.renderings.len());
        for rendering in &file.renderings {
            bodies.push(serde_json::from_str(rendering).map_err(|error| {
                Unusable::Damaged(format!("a rendering of {sha256} is wrong: {error}"))
            })?);
        }
        let name = ends_name(&manifest.run, lane, chunk);
        let ends: Option<Ends> = read(store, &name)?;
        let planned = || {
            let parts = file.parts.iter().enumerate();
            parts.map(|(place, part)| Row::planned(place, 0, part.people.len(), part.key.clone()))
        };
        let rows = ends.map_or_else(|| planned().collect(), |ends| ends.rows);
        let chunk = Self {
            run: manifest.run.clone(),
            name,
            file,
            bodies,
            rows,
        };
        let is_whole = chunk
            .rows
            .iter()
            .all(|row| chunk.people(row).len() == row.people)
            && (chunk.file.parts.iter()).all(|part| chunk.bodies.get(part.rendering).is_some());
        if !is_whole {
            let reason = format!("what stands in {} does not fit its plan", chunk.name);
            return Err(Unusable::Damaged(reason));
        }
        Ok(chunk)
    }

    /// Writes down what became of it.
    ///
    /// # Errors
    ///
    /// Where the store does not take it.
    pub fn save(&self, store: &dyn Store) -> Result<(), Error> {
        let ends = Ends {
            rows: self.rows.clone(),
        };
        store.put(&self.name, serde_json::to_vec(&ends).unwrap_or_default())
    }

    /// Whom a row is about: line of the list, and ID.
    pub(super) fn people(&self, row: &Row) -> &[(i64, String)] {
        let part = self.file.parts.get(row.part);
        let people = part.and_then(|part| part.people.get(row.from..row.from + row.people));
        people.unwrap_or_default()
    }

    /// The requests of a row.
    pub(super) fn bodies(&self, row: &Row) -> Option<&Bodies> {
        let part = self.file.parts.get(row.part)?;
        self.bodies.get(part.rendering)
    }

    /// The digest of what a row's people get.
    pub(super) fn rendering(&self, row: &Row) -> [u8; 16] {
        let part = self.file.parts.get(row.part);
        let text = part.and_then(|part| self.file.renderings.get(part.rendering));
        fingerprint(text.map(String::as_bytes).unwrap_or_default())
    }

    /// The halves of a row whose people LINE does not take together.
    pub(super) fn halves(&self, row: &Row) -> [Row; 2] {
        let half = row.people / 2;
        let ranges = [(row.from, half), (row.from + half, row.people - half)];
        ranges.map(|(from, people)| {
            let mut piece = Row::planned(row.part, from, people, String::new());
            let ids = self.people(&piece).iter().map(|(_, id)| id.as_str());
            piece.key = retry_key(&self.run, &self.file.account, &self.rendering(row), ids, 0);
            piece
        })
    }
}

impl Row {
    fn planned(part: usize, from: usize, people: usize, key: String) -> Self {
        Self {
            part,
            from,
            people,
            key,
            state: State::Planned,
            status: None,
            request_id: None,
            reason: None,
            attempts: 0,
            first_attempt_ms: None,
            at_ms: None,
            turn: 0,
        }
    }

    /// Whether nothing has become of it yet.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Planned | State::Held | State::Unknown)
    }
}
