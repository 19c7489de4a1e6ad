//! Making a ledger. Rows are gathered in a file beside it, in the order of the list, and put into the
//! order of sending by `SQLite`'s sorting on the disk, so that memory does not grow with the list. The
//! ledger takes its name when it is whole.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use line_connector_client::private::{beside, own};
use line_connector_core::digest::Sha256;
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use sha2::Digest as _;

use super::{APPLICATION, INDEXES, Ledger, LedgerError, RunState, State, TABLES, VERSION};

/// How many people LINE takes in one request.
pub(crate) const MAX_PEOPLE: usize = 500;
/// How many renderings are remembered, to store equal ones once. Beyond that they are found by
/// sorting.
const MAX_REMEMBERED: usize = 200_000;
/// The most different reasons that are told apart.
const MAX_REASONS: usize = 1000;
/// What is said of a person who stands in the list again.
const DUPLICATE: &str = "duplicate";

/// The first bytes of a SHA-256 digest.
pub(crate) type Fingerprint = [u8; 16];

/// What a person gets: the requests, as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rendering {
    pub(crate) digest: Fingerprint,
    /// An array of request bodies without `to`.
    pub(crate) requests: String,
    /// How many there are.
    pub(crate) count: usize,
}

impl Rendering {
    pub(crate) fn new(requests: Vec<Value>) -> Self {
        let count = requests.len();
        let requests = Value::Array(requests).to_string();
        Self {
            digest: fingerprint(requests.as_bytes()),
            requests,
            count,
        }
    }
}

/// What becomes of a row.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is sent by the account of this number.
    Sent(usize, Arc<Rendering>),
    /// The person gets nothing.
    LeftOut(String),
}

/// A row of the list.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) line: u64,
    pub(crate) id: String,
    pub(crate) fate: Fate,
}

/// What an account is to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) people: u64,
    /// Requests to one person, and to several.
    pub(crate) one: u64,
    pub(crate) many: u64,
    /// What LINE bills if everybody can be reached.
    pub(crate) billed: u64,
}

/// A person of the plan and what they get, as an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) line: u64,
    pub(crate) id: String,
    pub(crate) account: usize,
    pub(crate) requests: String,
}

/// What was planned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) digest: String,
    pub(crate) shares: Vec<Share>,
    pub(crate) left_out: BTreeMap<String, u64>,
    pub(crate) renderings: u64,
    pub(crate) samples: Vec<Sample>,
    /// Of each account's users the first ones, by the account's number.
    pub(crate) users: Vec<Vec<String>>,
}

/// How much of a plan is kept to look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excerpt {
    /// Different renderings.
    pub(crate) samples: usize,
    /// Users of each account.
    pub(crate) users: usize,
}

/// A ledger that is being made.
pub(crate) struct Draft {
    path: PathBuf,
    new: PathBuf,
    staging: PathBuf,
    connection: Connection,
    /// Keeps others from planning the same.
    _lock: File,
    /// The plan that this one replaces.
    before: Option<Ledger>,
    accounts: Vec<String>,
    reasons: HashMap<String, i64>,
    bodies: HashMap<Fingerprint, i64>,
    bodies_repeat: bool,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Draft")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The first bytes of a digest.
pub(crate) fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let mut first = Fingerprint::default();
    let digest = sha2::Sha256::digest(bytes);
    first.copy_from_slice(digest.get(..16).unwrap_or_default());
    first
}

impl Draft {
    /// Begins a ledger. One that was planned before, and of which nothing was sent, is replaced when
    /// the new one is whole.
    pub(crate) fn begin(path: &Path, accounts: &[String]) -> Result<Self, LedgerError> {
        let error = |reason: String| LedgerError::new(path, reason);
        // Nobody starts the plan that this one replaces.
        let mut before = None;
        if fs::symlink_metadata(path).is_ok() {
            let ledger = Ledger::open(path, super::Access::Send)?;
            let state = ledger.run()?.state;
            if state != RunState::Planned {
                let way = match state {
                    RunState::Scheduled | RunState::Running | RunState::Paused => {
                        "go on with `campaign resume`, or plan another `occurrence`"
                    }
                    _ => "plan another `occurrence`",
                };
                return Err(error(format!("has a run that is {}: {way}", state.name())));
            }
            before = Some(ledger);
        }
        let (new, staging) = (beside(path, ".new"), beside(path, ".staging"));
        for file in [&new, &staging] {
            super::guard(file)?;
        }
        let lock = super::lock(&new)
            .map_err(|_| error("is being planned by another process".to_owned()))?;
        for file in [&new, &staging] {
            own(file)
                .and_then(|file| file.set_len(0))
                .map_err(|failure| error(format!("cannot be made: {failure}")))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&new, flags)
            .map_err(|failure| error(format!("cannot be made: {failure}")))?;
        let mut draft = Self {
            path: path.to_owned(),
            new,
            staging,
            connection,
            _lock: lock,
            before,
            accounts: accounts.to_vec(),
            reasons: HashMap::new(),
            bodies: HashMap::new(),
            bodies_repeat: false,
        };
        draft.prepare().map_err(|failure| draft.error(&failure))?;
        Ok(draft)
    }

    fn error(&self, failure: &rusqlite::Error) -> LedgerError {
        let reason = match failure.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => {
                "cannot be written: the disk is full; nothing was planned".to_owned()
            }
            _ => format!("cannot be written: {failure}; nothing was planned"),
        };
        LedgerError::new(&self.path, reason)
    }

    fn prepare(&mut self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        // Nobody sees this file before it is whole.
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        connection.execute_batch(TABLES)?;
        let staging = self.staging.to_string_lossy();
        connection.execute("ATTACH ? AS staging", [staging.as_ref()])?;
        connection.execute_batch(
            "PRAGMA staging.journal_mode = OFF; PRAGMA staging.synchronous = OFF;
             PRAGMA staging.cache_size = -16384;
             CREATE TABLE staging.person (
                 row INTEGER PRIMARY KEY, line INTEGER NOT NULL, id TEXT NOT NULL,
                 account INTEGER, body INTEGER, reason INTEGER
             );",
        )?;
        for (number, name) in self.accounts.iter().enumerate() {
            connection.execute(
                "INSERT INTO account (id, name) VALUES (?, ?)",
                params![number, name],
            )?;
        }
        connection.execute_batch("BEGIN")
    }

    /// Adds rows, in the order of the list.
    pub(crate) fn add(&mut self, rows: Vec<Staged>) -> Result<(), LedgerError> {
        for row in rows {
            self.add_one(row).map_err(|failure| self.error(&failure))?;
        }
        Ok(())
    }

    fn add_one(&mut self, row: Staged) -> rusqlite::Result<()> {
        let (account, body, reason) = match row.fate {
            Fate::Sent(account, rendering) => (Some(account), Some(self.body(&rendering)?), None),
            Fate::LeftOut(reason) => (None, None, Some(self.reason(reason)?)),
        };
        let insert =
            "INSERT INTO staging.person (line, id, account, body, reason) VALUES (?, ?, ?, ?, ?)";
        let mut insert = self.connection.prepare_cached(insert)?;
        insert.execute(params![
            row.line.cast_signed(),
            row.id,
            account,
            body,
            reason
        ])?;
        Ok(())
    }

    fn body(&mut self, rendering: &Rendering) -> rusqlite::Result<i64> {
        if let Some(known) = self.bodies.get(&rendering.digest) {
            return Ok(*known);
        }
        let insert = "INSERT INTO body (digest, requests, count) VALUES (?, ?, ?)";
        let mut insert = self.connection.prepare_cached(insert)?;
        insert.execute(params![
            rendering.digest,
            rendering.requests,
            rendering.count
        ])?;
        let number = self.connection.last_insert_rowid();
        if self.bodies.len() < MAX_REMEMBERED {
            self.bodies.insert(rendering.digest, number);
        } else {
            self.bodies_repeat = true;
        }
        Ok(number)
    }

    fn reason(&mut self, reason: String) -> rusqlite::Result<i64> {
        if let Some(known) = self.reasons.get(&reason) {
            return Ok(*known);
        }
        if self.reasons.len() >= MAX_REASONS {
            // Such reasons come from templates, which may make one up for each person.
            let class = reason.split(':').next().unwrap_or_default();
            let class = format!("{class}: (others)");
            if class != reason {
                return self.reason(class);
            }
        }
        self.connection
            .execute("INSERT INTO reason (text) VALUES (?)", [&reason])?;
        let number = self.connection.last_insert_rowid();
        self.reasons.insert(reason, number);
        Ok(number)
    }

    /// Puts everybody into the order of sending, and makes the parts. `run` is the run's ID.
    pub(crate) fn arrange(&mut self, run: &str, excerpt: Excerpt) -> Result<Planned, LedgerError> {
        self.mark_duplicates()
            .and_then(|()| self.merge_bodies())
            .and_then(|()| self.distribute(run, excerpt))
            .map_err(|failure| self.error(&failure))
    }

    /// Makes what was arranged the ledger. `document` is what was planned from, `plan` what is told of
    /// it.
    pub(crate) fn keep(
        mut self,
        run: &str,
        digest: &str,
        document: &Value,
        plan: &Value,
        at_ms: i64,
    ) -> Result<(), LedgerError> {
        let insert = "INSERT INTO run (id, digest, document, plan, state, planned_at) VALUES (?, ?, ?, ?, ?, ?)";
        let state = RunState::Planned.name();
        let (document, plan) = (document.to_string(), plan.to_string());
        self.connection
            .execute(insert, params![run, digest, document, plan, state, at_ms])
            .and_then(|_| self.connection.execute_batch(INDEXES))
            .and_then(|()| self.connection.execute_batch("COMMIT; DETACH staging"))
            .map_err(|failure| self.error(&failure))?;
        self.publish()
    }

    fn publish(&mut self) -> Result<(), LedgerError> {
        let before = self.before.take();
        let publish = || {
            File::open(&self.new)?.sync_all()?;
            // What is left of a journal belongs to the ledger that is replaced.
            let _locked = before.and_then(Ledger::keep_locked);
            for ending in ["-wal", "-shm"] {
                let _ = fs::remove_file(beside(&self.path, ending));
            }
            fs::rename(&self.new, &self.path)?;
            let folder = self
                .path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        publish().map_err(|failure: std::io::Error| {
            let reason = format!("cannot be written: {failure}; nothing was planned");
            LedgerError::new(&self.path, reason)
        })
    }

    /// Of people who stand in the list several times, the first row counts.
    fn mark_duplicates(&mut self) -> rusqlite::Result<()> {
        let reason = self.reason(DUPLICATE.to_owned())?;
        self.connection
            .execute_batch("CREATE INDEX staging.by_id ON person (id) WHERE reason IS NULL")?;
        self.connection.execute(
            "UPDATE staging.person SET reason = ? WHERE row IN (
                 SELECT row FROM (
                     SELECT row, id = lag(id) OVER (ORDER BY id, row) AS again
                     FROM staging.person WHERE reason IS NULL
                 ) WHERE again
             )",
            [reason],
        )?;
        Ok(())
    }

    /// Renderings that were stored more than once become one.
    fn merge_bodies(&self) -> rusqlite::Result<()> {
        if !self.bodies_repeat {
            return Ok(());
        }
        self.connection.execute_batch(
            "CREATE TABLE staging.merged (id INTEGER PRIMARY KEY, into_id INTEGER NOT NULL);
             INSERT INTO staging.merged SELECT id, first FROM (
                 SELECT id, min(id) OVER (PARTITION BY digest) AS first FROM body
             ) WHERE id <> first;
             UPDATE staging.person SET body = (SELECT into_id FROM staging.merged WHERE id = body)
                 WHERE body IN (SELECT id FROM staging.merged);
             DELETE FROM body WHERE id IN (SELECT id FROM staging.merged);",
        )
    }

    /// Numbers people in the order of sending, and makes the parts: the same ones in whatever order the
    /// list has the same people, so that their retry keys are the same.
    fn distribute(&self, run: &str, excerpt: Excerpt) -> rusqlite::Result<Planned> {
        let connection = &self.connection;
        let mut people = connection.prepare(
            "SELECT line, id, account, body, reason FROM staging.person
             ORDER BY reason IS NOT NULL, account, body, id GLOB 'U*' DESC, id, row",
        )?;
        let mut add_person = connection
            .prepare("INSERT INTO recipient (n, line, id, reason) VALUES (?, ?, ?, ?)")?;
        let mut parts = Parts {
            add: connection.prepare(
                "INSERT INTO part (account, body, first, people, state) VALUES (?, ?, ?, ?, ?)",
            )?,
            body: connection.prepare("SELECT digest, count, requests FROM body WHERE id = ?")?,
            accounts: &self.accounts,
            known: None,
            digest: PlanDigest::new(run),
            planned: Planned {
                shares: vec![Share::default(); self.accounts.len()],
                users: vec![Vec::new(); self.accounts.len()],
                ..Planned::default()
            },
            samples: excerpt.samples,
        };
        let mut open: Option<Open> = None;
        let mut number = 0i64;
        let mut rows = people.query([])?;
        while let Some(row) = rows.next()? {
            let line: i64 = row.get(0)?;
            let id = row.get_ref(1)?.as_str()?;
            let reason: Option<i64> = row.get(4)?;
            add_person.execute(params![number, line, id, reason])?;
            let place = match reason {
                None => Some((row.get(2)?, row.get(3)?)),
                Some(_) => None,
            };
            let alone = !id.starts_with('U');
            let fits = open.as_ref().is_some_and(|open| {
                Some(open.place) == place && open.people < MAX_PEOPLE && !alone
            });
            if !fits && let Some(full) = open.take() {
                parts.close(&full)?;
            }
            if let Some(place) = place {
                let account = usize::try_from(place.0).unwrap_or_default();
                if let Some(users) = parts.planned.users.get_mut(account)
                    && users.len() < excerpt.users
                    && !alone
                {
                    users.push(id.to_owned());
                }
                let part = open.get_or_insert_with(|| Open {
                    place,
                    first: number,
                    people: 0,
                    line: line.cast_unsigned(),
                    id: id.to_owned(),
                    ids: Sha256::default(),
                });
                part.people += 1;
                part.ids.update(id.as_bytes());
            }
            number += 1;
        }
        if let Some(last) = open {
            parts.close(&last)?;
        }
        let mut planned = parts.planned;
        planned.digest = parts.digest.hex();
        let mut reasons = connection.prepare(
            "SELECT text, count(*) FROM staging.person JOIN reason ON reason.id = person.reason
             GROUP BY reason.id",
        )?;
        let reasons = reasons.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        planned.left_out = reasons.collect::<rusqlite::Result<_>>()?;
        planned.renderings =
            connection.query_row("SELECT count(DISTINCT body) FROM part", [], |row| {
                row.get::<_, i64>(0).map(i64::cast_unsigned)
            })?;
        Ok(planned)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.staging);
        let _ = fs::remove_file(&self.new);
    }
}

/// A part that still takes people: its account and rendering, and who is in it.
struct Open {
    place: (i64, i64),
    first: i64,
    people: usize,
    /// The first person.
    line: u64,
    id: String,
    ids: Sha256,
}

/// What `start` asks for: who gets what from which account in which run.
struct PlanDigest(Sha256);

impl PlanDigest {
    fn new(run: &str) -> Self {
        let mut digest = Sha256::default();
        digest.update(run.as_bytes());
        Self(digest)
    }

    /// Adds a part: its account, the digest of its rendering, and its people.
    fn add(&mut self, account: &str, rendering: &Fingerprint, ids: Sha256) {
        self.0.update(&(account.len() as u64).to_be_bytes());
        self.0.update(account.as_bytes());
        self.0.update(rendering);
        self.0.update(ids.hex().as_bytes());
    }

    fn hex(self) -> String {
        self.0.hex()
    }
}

impl Ledger {
    /// The digest of what stands in the ledger now, of which nothing was sent yet.
    pub(crate) fn digest(&self, run: &str) -> Result<String, LedgerError> {
        let accounts = self.accounts()?;
        self.digest_of(run, &accounts)
            .map_err(|failure| self.error(&failure))
    }

    fn digest_of(&self, run: &str, accounts: &[String]) -> rusqlite::Result<String> {
        let connection = &self.connection;
        let mut parts =
            connection.prepare("SELECT account, body, first, people FROM part ORDER BY id")?;
        let mut body = connection.prepare("SELECT requests FROM body WHERE id = ?")?;
        let mut people = connection.prepare(
            "SELECT id FROM recipient WHERE n >= ? AND n < ? AND reason IS NULL ORDER BY n",
        )?;
        let mut digest = PlanDigest::new(run);
        let mut known = None;
        let mut parts = parts.query([])?;
        while let Some(part) = parts.next()? {
            let (place, number): (usize, i64) = (part.get(0)?, part.get(1)?);
            let (first, count): (i64, i64) = (part.get(2)?, part.get(3)?);
            let rendering = match known {
                Some((same, rendering)) if same == number => rendering,
                _ => {
                    body.query_row([number], |row| Ok(fingerprint(row.get_ref(0)?.as_bytes()?)))?
                }
            };
            known = Some((number, rendering));
            let mut ids = Sha256::default();
            let mut rows = people.query([first, first.saturating_add(count)])?;
            while let Some(row) = rows.next()? {
                ids.update(row.get_ref(0)?.as_bytes()?);
            }
            let account = accounts.get(place).map(String::as_str).unwrap_or_default();
            digest.add(account, &rendering, ids);
        }
        Ok(digest.hex())
    }
}

/// The parts that were made so far.
struct Parts<'a> {
    add: rusqlite::Statement<'a>,
    body: rusqlite::Statement<'a>,
    accounts: &'a [String],
    /// The rendering that was looked up last: many parts in a row have the same.
    known: Option<(i64, Fingerprint, u64)>,
    digest: PlanDigest,
    planned: Planned,
    samples: usize,
}

impl Parts<'_> {
    fn close(&mut self, part: &Open) -> rusqlite::Result<()> {
        let (account, body) = part.place;
        let people = part.people as u64;
        let values = params![
            account,
            body,
            part.first,
            people.cast_signed(),
            State::Planned as i64
        ];
        self.add.execute(values)?;
        let place = usize::try_from(account).unwrap_or_default();
        if self.known.as_ref().is_none_or(|known| known.0 != body) {
            let mut rows = self.body.query([body])?;
            let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            self.known = Some((body, row.get(0)?, row.get(1)?));
            if self.planned.samples.len() < self.samples {
                self.planned.samples.push(Sample {
                    line: part.line,
                    id: part.id.clone(),
                    account: place,
                    requests: row.get(2)?,
                });
            }
        }
        let (_, digest, count) = self.known.unwrap_or_default();
        let name = self
            .accounts
            .get(place)
            .map(String::as_str)
            .unwrap_or_default();
        self.digest.add(name, &digest, part.ids.clone());
        if let Some(share) = self.planned.shares.get_mut(place) {
            share.people += people;
            share.billed += people * count;
            *(if people == 1 {
                &mut share.one
            } else {
                &mut share.many
            }) += count;
        }
        Ok(())
    }
}
