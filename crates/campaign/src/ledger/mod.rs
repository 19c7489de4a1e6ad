//! The ledger of a run: one `SQLite` file that holds who gets what from which account, and what
//! became of it. It knows no clock and sends nothing.
//!
//! People stand in the order in which they are sent to, so that a part, which is one request's
//! people, is a range of them. What happens to a part happens to its people; only who was left out
//! has a reason of their own.

mod plan;
mod read;
mod run;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use line_connector_client::private::{Exposed, no_link, own};
use line_connector_client::{Clock as _, SystemClock};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use plan::{
    Draft, Excerpt, Fate, Fingerprint, Planned, Rendering, Share, Staged, fingerprint,
};
pub(crate) use read::{PartRow, Person, PlannedPart};
pub(crate) use run::{Claimed, Count, End, Gate, Member, Want};

/// Marks the file as ours (`PRAGMA application_id`): "LINC".
const APPLICATION: i64 = 0x4c49_4e43;
/// The version of the tables (`PRAGMA user_version`).
const VERSION: i64 = 1;
/// How long a process waits for another one's write.
const BUSY: Duration = Duration::from_secs(10);

/// `run` has one row. `wanted` is what another process asks the running one for. A `recipient` who gets
/// nothing has a `reason`; the others belong to the part whose range holds their number: `people` from
/// `first` on, but for those who were `left_out` since.
const TABLES: &str = "
CREATE TABLE run (
    id TEXT NOT NULL, digest TEXT NOT NULL, document TEXT NOT NULL, plan TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT, wanted TEXT, holder TEXT,
    planned_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER
);
CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE reason (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE body (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL, requests TEXT NOT NULL, count INTEGER NOT NULL
);
CREATE TABLE recipient (
    n INTEGER PRIMARY KEY, line INTEGER NOT NULL, id TEXT NOT NULL, reason INTEGER
);
CREATE TABLE part (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, body INTEGER NOT NULL,
    first INTEGER NOT NULL, people INTEGER NOT NULL, left_out INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL,
    due INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0, key TEXT,
    first_attempt INTEGER, attempts INTEGER NOT NULL DEFAULT 0, ended_at INTEGER,
    status INTEGER, request_id TEXT, reason TEXT
);
";

/// Made when all rows are there, which is faster.
const INDEXES: &str = "
CREATE INDEX turn ON part (account, due, id) WHERE state IN (0, 4, 8);
";

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing was sent.
    Planned = 0,
    /// A request may be under way.
    Sending = 1,
    /// LINE accepted it.
    Accepted = 2,
    /// LINE refused it: nobody got it.
    Rejected = 3,
    /// LINE may have accepted it: the answer is missing. It is repeated with the same retry key.
    Unknown = 4,
    /// It may have been accepted, and its retry key is too old to find out.
    ExpiredUnknown = 5,
    /// It was not sent, and will not be.
    Cancelled = 6,
    /// It became two smaller parts.
    Split = 7,
    /// It waits: for LINE's rate limit, the month's quota, its account.
    Held = 8,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [Self; 9] = [
        Self::Planned,
        Self::Sending,
        Self::Accepted,
        Self::Rejected,
        Self::Unknown,
        Self::ExpiredUnknown,
        Self::Cancelled,
        Self::Split,
        Self::Held,
    ];

    fn of(number: i64) -> Self {
        let found = Self::ALL.into_iter().find(|state| *state as i64 == number);
        found.unwrap_or(Self::Unknown)
    }

    /// Its name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::ExpiredUnknown => "expired_unknown",
            Self::Cancelled => "cancelled",
            Self::Split => "split",
            Self::Held => "held",
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It is planned; nothing was sent.
    Planned,
    /// It waits for its time.
    Scheduled,
    /// It is being sent.
    Running,
    /// It was stopped, by somebody or by itself, and can go on.
    Paused,
    /// It was given up.
    Cancelled,
    /// Everybody was sent to, or left out for a reason.
    Finished,
    /// The same, but for people of whom it is not known, and cannot be found out by repeating.
    FinishedWithUnknown,
}

impl RunState {
    /// Its name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
            Self::FinishedWithUnknown => "finished_with_unknown",
        }
    }

    fn of(name: &str) -> Self {
        let all = [
            Self::Planned,
            Self::Scheduled,
            Self::Running,
            Self::Paused,
            Self::Cancelled,
            Self::Finished,
        ];
        let found = all.into_iter().find(|state| state.name() == name);
        found.unwrap_or(Self::FinishedWithUnknown)
    }
}

/// What is asked of a process that sends a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// To finish what is under way and stop.
    Pause,
    /// The same, and to send nothing more ever.
    Cancel,
}

impl Wanted {
    fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Cancel => "cancel",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Pause, Self::Cancel]
            .into_iter()
            .find(|wanted| wanted.name() == name)
    }
}

/// Why the ledger could not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerError {
    /// The file.
    pub(crate) path: PathBuf,
    /// A fragment for people.
    pub(crate) reason: String,
    /// What to do, where that is not to look at the campaign.
    pub(crate) hint: Option<String>,
}

impl LedgerError {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into(),
            hint: None,
        }
    }
}

impl std::fmt::Display for LedgerError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "the ledger {} {}",
            self.path.display(),
            self.reason
        )
    }
}

impl std::error::Error for LedgerError {}

/// What a process wants of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To read it.
    Read,
    /// To ask the process that sends for something, or to settle what nobody sends.
    Ask,
    /// To send: one process at a time.
    Send,
}

/// What stands in the ledger of the run as a whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunRow {
    pub(crate) id: String,
    pub(crate) digest: String,
    /// What was planned from, see `plan`.
    pub(crate) document: Value,
    /// The plan as it was told.
    pub(crate) plan: Value,
    pub(crate) state: RunState,
    pub(crate) reason: Option<String>,
    pub(crate) holder: Option<String>,
    pub(crate) planned_ms: i64,
    pub(crate) started_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
}

/// An open ledger.
pub(crate) struct Ledger {
    path: PathBuf,
    connection: Connection,
    /// Keeps other senders out.
    lock: Option<File>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Ledger")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger of a run that was planned.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, LedgerError> {
        let error = |reason: String| LedgerError::new(path, reason);
        if let Err(failure) = fs::symlink_metadata(path) {
            return Err(error(match failure.kind() {
                io::ErrorKind::NotFound => "is not there: plan the campaign first".to_owned(),
                _ => format!("cannot be opened: {failure}"),
            }));
        }
        guard(path)?;
        let lock = match access {
            Access::Send => Some(lock(path)?),
            Access::Read | Access::Ask => None,
        };
        let flags = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Ask | Access::Send => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags);
        let connection = opened.map_err(|failure| error(format!("cannot be opened: {failure}")))?;
        let ledger = Self {
            path: path.to_owned(),
            connection,
            lock,
        };
        let of_ours = ledger
            .settle(access)
            .map_err(|failure| ledger.error(&failure))?;
        if !of_ours {
            return Err(error(
                "is no ledger of this version of the program".to_owned(),
            ));
        }
        Ok(ledger)
    }

    fn settle(&self, access: Access) -> rusqlite::Result<bool> {
        let connection = &self.connection;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        let number =
            |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let of_ours =
            number("application_id")? == APPLICATION && number("user_version")? == VERSION;
        if access != Access::Read && of_ours {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // A request is made only after its row is on the disk.
            connection.pragma_update(None, "synchronous", "FULL")?;
        }
        Ok(of_ours)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, failure: &rusqlite::Error) -> LedgerError {
        let reason = match failure.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => {
                "cannot be written: the disk is full; make room, and go on with `campaign resume`"
                    .to_owned()
            }
            Some(rusqlite::ErrorCode::ReadOnly) => "cannot be written: it is read-only".to_owned(),
            _ => format!("cannot be used: {failure}"),
        };
        LedgerError::new(&self.path, reason)
    }

    /// The run.
    pub(crate) fn run(&self) -> Result<RunRow, LedgerError> {
        let question = "SELECT id, digest, document, plan, state, reason, holder, planned_at, started_at, ended_at FROM run";
        let row = self.connection.query_row(question, [], |row| {
            let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
            Ok(RunRow {
                id: row.get(0)?,
                digest: row.get(1)?,
                document: json(row.get(2)?),
                plan: json(row.get(3)?),
                state: RunState::of(&row.get::<_, String>(4)?),
                reason: row.get(5)?,
                holder: row.get(6)?,
                planned_ms: row.get(7)?,
                started_ms: row.get(8)?,
                ended_ms: row.get(9)?,
            })
        });
        row.map_err(|failure| self.error(&failure))
    }

    /// What is asked of the process that sends.
    pub(crate) fn wanted(&self) -> Result<Option<Wanted>, LedgerError> {
        let wanted = self
            .connection
            .query_row("SELECT wanted FROM run", [], |row| {
                row.get::<_, Option<String>>(0)
            });
        let wanted = wanted.map_err(|failure| self.error(&failure))?;
        Ok(wanted.as_deref().and_then(Wanted::of))
    }

    /// Asks the process that sends for something; `None` takes it back.
    pub(crate) fn ask(&self, wanted: Option<Wanted>) -> Result<(), LedgerError> {
        let wanted = wanted.map(Wanted::name);
        self.write("UPDATE run SET wanted = ?", params![wanted])
    }

    /// Moves the run on. `reason` says why it paused by itself.
    pub(crate) fn moved(
        &self,
        state: RunState,
        reason: Option<&str>,
        at_ms: i64,
    ) -> Result<(), LedgerError> {
        let ended = !matches!(
            state,
            RunState::Planned | RunState::Scheduled | RunState::Running
        );
        self.write(
            "UPDATE run SET state = ?1, reason = ?2,
                started_at = CASE WHEN ?1 = 'running' THEN coalesce(started_at, ?3) ELSE started_at END,
                ended_at = CASE WHEN ?4 THEN ?3 END",
            params![state.name(), reason, at_ms, ended],
        )
    }

    /// Says who sends.
    pub(crate) fn hold(&self, holder: Option<&str>) -> Result<(), LedgerError> {
        self.write("UPDATE run SET holder = ?", params![holder])
    }

    /// The accounts, in the order of their numbers from 0.
    pub(crate) fn accounts(&self) -> Result<Vec<String>, LedgerError> {
        let names = || {
            let mut names = self
                .connection
                .prepare("SELECT name FROM account ORDER BY id")?;
            let names = names.query_map([], |row| row.get(0))?;
            names.collect::<rusqlite::Result<Vec<String>>>()
        };
        names().map_err(|failure| self.error(&failure))
    }

    fn write(&self, statement: &str, values: impl rusqlite::Params) -> Result<(), LedgerError> {
        let written = self.connection.execute(statement, values);
        written.map(drop).map_err(|failure| self.error(&failure))
    }

    /// Closes the ledger, and keeps others from sending it for as long as the answer is kept.
    fn keep_locked(self) -> Option<File> {
        self.lock
    }

    /// Makes the ledger one file again, which can be read wherever it is copied to.
    pub(crate) fn close(self) {
        let _ = self
            .connection
            .pragma_update(None, "journal_mode", "DELETE");
    }

    /// Whether somebody sends at this moment.
    pub(crate) fn is_held(path: &Path) -> bool {
        let mut options = OpenOptions::new();
        no_link(options.read(true));
        let file = options.open(lock_path(path));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Refuses a ledger that others can read or write: it says who is a customer, and who gets what.
fn guard(path: &Path) -> Result<(), LedgerError> {
    match Exposed::database(path) {
        Some(exposed) => Err(LedgerError {
            hint: Some(exposed.hint("whoever can write it can say who gets what")),
            ..LedgerError::new(path, format!("cannot be used: {exposed}"))
        }),
        None => Ok(()),
    }
}

/// The file that the sender locks: the ledger itself, since on Linux such a lock has nothing to do
/// with those of `SQLite`. The system frees it when the process ends, however it ends.
#[cfg(target_os = "linux")]
fn lock_path(ledger: &Path) -> PathBuf {
    ledger.to_owned()
}

/// Elsewhere it would keep `SQLite` out, so that a file beside it is locked.
#[cfg(not(target_os = "linux"))]
fn lock_path(ledger: &Path) -> PathBuf {
    line_connector_client::private::beside(ledger, "-lock")
}

/// How often a lock is tried, and how long it is waited between: whoever looks whether a campaign is
/// being sent has it for a moment.
const TRIES: u32 = 8;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);

fn lock(path: &Path) -> Result<File, LedgerError> {
    let error = |reason: String| LedgerError::new(path, reason);
    let file =
        own(&lock_path(path)).map_err(|failure| error(format!("cannot be locked: {failure}")))?;
    for _ in 0..TRIES {
        match file.try_lock() {
            // Another plan may have taken the name meanwhile.
            Ok(()) if is_at(&file, &lock_path(path)) => return Ok(file),
            Ok(()) => return Err(error("was planned anew at this moment".to_owned())),
            Err(TryLockError::WouldBlock) => SystemClock.sleep(BETWEEN_TRIES),
            Err(TryLockError::Error(failure)) => {
                return Err(error(format!("cannot be locked: {failure}")));
            }
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let holder = Connection::open_with_flags(path, flags).and_then(|connection| {
        let holder = "SELECT holder FROM run";
        connection
            .query_row(holder, [], |row| row.get::<_, Option<String>>(0))
            .optional()
    });
    let holder = holder.ok().flatten().flatten();
    let holder = holder.unwrap_or_else(|| "another process".to_owned());
    Err(error(format!("is in use: {holder} sends this campaign")))
}

/// Whether a file that was opened is still the one of this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    let opened = file.metadata().ok().map(place);
    opened.is_some() && opened == fs::metadata(path).ok().map(place)
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
