//! The durable queue: one `SQLite` file that holds the events that wait, the dead letters, and the ids
//! of all that came lately. It knows no clock and hands nothing to anybody; the
//! `coordinator` decides when to write, and what follows a delivery.

mod changes;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use line_connector_core::webhook::Type;

pub use changes::Changes;

/// Marks the file as ours (`PRAGMA application_id`): "LINE".
const APPLICATION: i64 = 0x4c49_4e45;
/// The version of the tables (`PRAGMA user_version`).
const VERSION: i64 = 1;
/// How many remembered ids one step of forgetting looks at.
const MAX_FORGET_STEP: i64 = 500;

/// Where an event stands (`event.place`). Per chat, at most one event is next or in
/// flight.
mod place {
    /// Waits behind another event of its chat.
    pub(super) const BEHIND: i64 = 0;
    /// Is its chat's next.
    pub(super) const NEXT: i64 = 1;
    /// Has been handed out and is not settled.
    pub(super) const IN_FLIGHT: i64 = 2;
    /// Is a dead letter: kept until somebody replays or drops it.
    pub(super) const DEAD: i64 = 3;
}

/// `seen` remembers ids; its `seq` numbers the events in the order in which they were accepted.
/// `friendship` remembers who added or left an account last, after the events about it are gone:
/// campaigns ask it. `state` holds what is about the file as a whole.
/// The partial indexes keep the unbounded part of the queue out of every question but "which event
/// of this chat follows".
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS seen (
    seq INTEGER PRIMARY KEY, channel TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    UNIQUE (channel, id)
);
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY, channel TEXT NOT NULL, id TEXT NOT NULL, chat TEXT NOT NULL,
    time INTEGER NOT NULL, accepted INTEGER NOT NULL, place INTEGER NOT NULL, due INTEGER NOT NULL,
    attempts INTEGER NOT NULL, failures INTEGER NOT NULL, reason TEXT, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS friendship (
    channel TEXT NOT NULL, user TEXT NOT NULL, time INTEGER NOT NULL, is_over INTEGER NOT NULL,
    PRIMARY KEY (channel, user)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS front ON event (channel, chat) WHERE place BETWEEN 1 AND 2;
CREATE INDEX IF NOT EXISTS turn ON event (place, due) WHERE place BETWEEN 1 AND 2;
CREATE INDEX IF NOT EXISTS behind ON event (channel, chat, time, seq) WHERE place = 0;
CREATE INDEX IF NOT EXISTS dead ON event (place) WHERE place = 3;
";

/// Why the queue could not do something: the database's words, which quote no content.
#[derive(Debug, Clone)]
pub struct QueueError(String);

impl From<rusqlite::Error> for QueueError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for QueueError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for QueueError {}

/// An event as it is taken in.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// What makes it the same event when it comes again: LINE's webhookEventId.
    pub id: String,
    /// The chat within which order is kept; `event:` and the id where it belongs to none.
    pub chat: String,
    /// LINE's timestamp, milliseconds since 1970; 0 where there was none.
    pub time: i64,
    /// What happened.
    pub kind: Type,
    /// The normalised event, JSON.
    pub body: String,
    /// Who added the account as a friend with it, or left it.
    pub(crate) friendship: Option<Friendship>,
}

impl NewEvent {
    /// The chat that it belongs to, if any.
    #[must_use]
    pub fn chat(&self) -> Option<&str> {
        (!self.chat.starts_with(CHATLESS)).then_some(&*self.chat)
    }
}

/// What stands before the id of an event that belongs to no chat, in the place of one.
pub(crate) const CHATLESS: &str = "event:";

/// A user who became a friend of an account, or is one no more.
#[derive(Debug, Clone)]
pub(crate) struct Friendship {
    /// The user's ID.
    pub(crate) user: String,
    /// Whether it is over.
    pub(crate) is_over: bool,
}

/// An event of the queue.
#[derive(Debug, Clone)]
pub struct QueuedEvent {
    /// Its number in the order of acceptance.
    pub sequence: i64,
    /// The destination that LINE named: the bot's user ID.
    pub channel: String,
    /// Its id.
    pub id: String,
    /// Its chat.
    pub chat: String,
    /// How often it has been handed out; of one that is handed out, this time included.
    pub attempt: i64,
    /// How many of those attempts count against it.
    pub failures: i64,
    /// When it was accepted, or replayed, milliseconds since 1970.
    pub accepted: i64,
    /// When it first came, milliseconds since 1970.
    pub first_accepted: i64,
    /// LINE's timestamp, milliseconds since 1970; 0 where there was none.
    pub time: i64,
    /// The normalised event, JSON.
    pub body: String,
}

/// What a process wants of a queue that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read it.
    Read,
    /// To change its dead letters.
    Change,
}

/// Which events a listing is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// Not yet acknowledged: next, behind another one, or in flight.
    Waiting,
    /// A dead letter.
    Dead,
}

/// One event of a listing.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The event.
    pub event: QueuedEvent,
    /// Whether it waits.
    pub state: EventState,
    /// Why its last attempt failed, where it did.
    pub reason: Option<String>,
}

/// How many events the queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Not yet acknowledged.
    pub(crate) waiting: i64,
    /// Dead letters.
    pub(crate) dead: i64,
}

/// The queue's file, open.
#[derive(Debug)]
pub struct Queue {
    connection: Connection,
    /// Up to where forgetting has come.
    forgotten: i64,
    /// Whether the journal was there when the file was opened.
    had_journal: bool,
    /// Whether this is the receiver's, between its start and its end.
    in_use: bool,
}

impl Drop for Queue {
    fn drop(&mut self) {
        // A journal that is deleted in order is not missed. Where that cannot be noted it stays.
        if self.in_use && self.note_use(false).is_err() {
            let _ = keep_journal(&self.connection);
        }
    }
}

/// The path with every link in its folders followed, but not one in its last place.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
    Ok(path
        .file_name()
        .map_or(folder.clone(), |name| folder.join(name)))
}

/// Opens the file, and does not follow a link.
fn connect(path: &Path, access: OpenFlags) -> Result<Connection, QueueError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    Ok(connection)
}

/// Leaves the journal where it is when the connection is closed.
fn keep_journal(connection: &Connection) -> Result<(), QueueError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Whether the file is a queue: `false` where it is empty.
fn is_queue(connection: &Connection) -> Result<bool, QueueError> {
    let number = |name: &str| {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && tables > 0 {
        return Err(QueueError("it is a database of another program".to_owned()));
    }
    if version > VERSION {
        return Err(QueueError(
            "a newer version of the connector made it".to_owned(),
        ));
    }
    Ok(application == APPLICATION)
}

impl Queue {
    /// Opens a receiver's queue, or makes one where there is none.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened, is a link, is not a queue, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self, QueueError> {
        let path = resolved(path).map_err(|error| QueueError(error.to_string()))?;
        let had_journal = journal(&path).exists();
        let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(&path, access)?;
        let known = is_queue(&connection)?;
        // FULL: a commit returns when its bytes are on the disk, which is what the answer to LINE
        // promises.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16000;
             PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;",
        )?;
        if !known {
            connection.pragma_update(None, "application_id", APPLICATION)?;
            connection.pragma_update(None, "user_version", VERSION)?;
        }
        connection.execute_batch(TABLES)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self {
            connection,
            forgotten: 0,
            had_journal,
            in_use: false,
        })
    }

    /// Opens a queue beside its receiver. It makes none, and leaves the journal alone.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened, is a link, is not a queue, or was made by a newer version.
    pub fn open_existing(path: &Path, access: Access) -> Result<Self, QueueError> {
        let path = resolved(path).map_err(|error| QueueError(error.to_string()))?;
        let connection = connect(
            &path,
            match access {
                Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
                Access::Change => OpenFlags::SQLITE_OPEN_READ_WRITE,
            },
        )?;
        if !is_queue(&connection)? {
            return Err(QueueError("it is empty, and not a queue".to_owned()));
        }
        keep_journal(&connection)?;
        Ok(Self {
            connection,
            forgotten: 0,
            had_journal: true,
            in_use: false,
        })
    }

    /// Notes in the file itself that a receiver begins. The answer is whether the one before it
    /// ended without a word and its journal is gone since: what only stood there is lost.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub(crate) fn begin(&mut self) -> Result<bool, QueueError> {
        let was_in_use = self
            .connection
            .query_row("SELECT value FROM state WHERE name = 'in_use'", [], |row| {
                row.get(0)
            })
            .optional()?
            .unwrap_or(false);
        self.note_use(true)?;
        self.in_use = true;
        // From the journal to the file: it must outlast the journal.
        self.connection
            .query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))?;
        Ok(was_in_use && !self.had_journal)
    }

    fn note_use(&self, in_use: bool) -> Result<(), QueueError> {
        self.connection.execute(
            "INSERT INTO state (name, value) VALUES ('in_use', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [in_use],
        )?;
        Ok(())
    }

    /// One transaction: several changes of which all are kept, durably, or none, also where `work`
    /// panics.
    ///
    /// # Errors
    ///
    /// Where any of them or the commit failed.
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&Changes<'_>) -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&Changes(&transaction))?;
        transaction.commit()?;
        Ok(result)
    }

    /// Makes what was in flight when the process before this one ended the next of its chat again.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub(crate) fn requeue_in_flight(&mut self) -> Result<(), QueueError> {
        let back = "UPDATE event SET place = 1 WHERE place BETWEEN 1 AND 2 AND place = 2";
        self.connection.execute(back, [])?;
        Ok(())
    }

    /// When the next event is due, milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub(crate) fn next_due(&self) -> Result<Option<i64>, QueueError> {
        let due = "SELECT min(due) FROM event WHERE place BETWEEN 1 AND 2 AND place = 1";
        let mut statement = self.connection.prepare_cached(due)?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Events whose turn is due later than `latest` got that from another clock, which was ahead:
    /// their turn is now.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub(crate) fn clamp_due(&mut self, now: i64, latest: i64) -> Result<(), QueueError> {
        self.connection
            .prepare_cached(
                "UPDATE event SET due = ?1 WHERE place BETWEEN 1 AND 2 AND place = 1 AND due > ?2",
            )?
            .execute(params![now, latest])?;
        Ok(())
    }

    /// How many events the queue holds, counted.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub(crate) fn counts(&self) -> Result<Counts, QueueError> {
        let count = |condition: &str| {
            let question = format!("SELECT count(*) FROM event WHERE {condition}");
            self.connection
                .query_row(&question, [], |row| row.get::<_, i64>(0))
        };
        Ok(Counts {
            waiting: count("place BETWEEN 1 AND 2")? + count("place = 0")?,
            dead: count("place = 3")?,
        })
    }

    /// A number that changes when another process has written to the file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub(crate) fn data_version(&self) -> Result<i64, QueueError> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// When the newest of the remembered ids came, milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub(crate) fn newest_id(&self) -> Result<Option<i64>, QueueError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT at FROM seen ORDER BY seq DESC LIMIT 1")?;
        let at = statement.query_row([], |row| row.get_ref(0).map(number));
        Ok(at.optional()?)
    }

    /// Forgets some of the ids that came before `before` and whose event is gone: one small step,
    /// which goes on where the last one ended.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub(crate) fn forget(&mut self, before: i64) -> Result<(), QueueError> {
        let end: Option<(i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT max(seq), min(at < ?1) FROM
                 (SELECT seq, at FROM seen WHERE seq > ?2 ORDER BY seq LIMIT ?3)",
            )?
            .query_row(params![before, self.forgotten, MAX_FORGET_STEP], |row| {
                Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?))
            })?;
        // The last one stays, so that no number is given twice.
        self.connection
            .prepare_cached(
                "DELETE FROM seen WHERE seq > ?1 AND seq <= ?2 AND at < ?3
                 AND seq < (SELECT max(seq) FROM seen)
                 AND NOT EXISTS (SELECT 1 FROM event WHERE event.seq = seen.seq)",
            )?
            .execute(params![
                self.forgotten,
                end.map_or(0, |(seq, _)| seq),
                before
            ])?;
        self.forgotten = match end {
            Some((seq, 1)) => seq,
            _ => 0,
        };
        Ok(())
    }

    /// Events in the order of acceptance, from after `sequence`.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub fn list(
        &self,
        state: EventState,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Listed>, QueueError> {
        let condition = match state {
            EventState::Waiting => "place < 3",
            EventState::Dead => "place = 3",
        };
        let mut statement = self.connection.prepare(&format!(
            "SELECT {COLUMNS}, reason FROM event
             WHERE {condition} AND seq > ?1 ORDER BY seq LIMIT ?2"
        ))?;
        let rows = statement.query_map(params![after, limit], |row| {
            let reason = match row.get_ref(10)? {
                ValueRef::Null => None,
                value => Some(text(value)),
            };
            Ok(Listed {
                event: queued_event(row)?,
                state,
                reason,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The columns that [`queued_event`] reads.
const COLUMNS: &str = "seq, channel, id, chat, attempts, failures, accepted, time,
     coalesce((SELECT at FROM seen WHERE seen.seq = event.seq), accepted), body";

/// An event, whatever its row holds: one that is damaged must not keep all others from being read.
fn queued_event(row: &rusqlite::Row<'_>) -> rusqlite::Result<QueuedEvent> {
    Ok(QueuedEvent {
        sequence: row.get(0)?,
        channel: text(row.get_ref(1)?),
        id: text(row.get_ref(2)?),
        chat: text(row.get_ref(3)?),
        attempt: number(row.get_ref(4)?),
        failures: number(row.get_ref(5)?),
        accepted: number(row.get_ref(6)?),
        time: number(row.get_ref(7)?),
        first_accepted: number(row.get_ref(8)?),
        body: match row.get_ref(9)? {
            ValueRef::Text(bytes) => str::from_utf8(bytes).unwrap_or_default().to_owned(),
            // Not what was written, and no JSON: its delivery says so.
            _ => String::new(),
        },
    })
}

/// A column of text; what stands there instead, as text.
fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null => String::new(),
    }
}

/// A column of counts or times; 0 where it holds no such number.
fn number(value: ValueRef<'_>) -> i64 {
    match value {
        ValueRef::Integer(number) => number.max(0),
        _ => 0,
    }
}

/// The journal that `SQLite` keeps beside a file.
fn journal(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    PathBuf::from(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, chat: &str, time: i64) -> NewEvent {
        NewEvent {
            id: id.to_owned(),
            chat: chat.to_owned(),
            time,
            kind: Type::MessageText,
            friendship: None,
            body: format!("{{\"id\":\"{id}\"}}"),
        }
    }

    fn queue() -> (tempfile::TempDir, Queue) {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open(&folder.path().join("queue")).unwrap();
        (folder, queue)
    }

    fn add(queue: &mut Queue, events: &[(&str, &str, i64)]) -> Vec<bool> {
        let added = queue.write(|changes| {
            let each = events
                .iter()
                .map(|(id, chat, time)| changes.add("U1", &event(id, chat, *time), (0, 0), 0));
            each.collect::<Result<Vec<bool>, _>>()
        });
        added.unwrap()
    }

    fn hand_out(queue: &mut Queue, limit: i64) -> Vec<QueuedEvent> {
        queue.write(|changes| changes.hand_out(10, limit)).unwrap()
    }

    /// Hands out and acknowledges one at a time until nothing waits; the ids in that order.
    fn drain(queue: &mut Queue) -> Vec<String> {
        let mut order = Vec::new();
        while let Some(event) = hand_out(queue, 1).pop() {
            assert!(
                queue
                    .write(|changes| changes.acknowledge(event.sequence))
                    .unwrap()
            );
            order.push(event.id);
        }
        order
    }

    #[test]
    fn what_comes_again_is_not_taken_again_even_after_it_is_gone() {
        let (_folder, mut queue) = queue();
        assert_eq!(
            add(&mut queue, &[("a", "c", 1), ("a", "c", 1)]),
            [true, false]
        );
        assert_eq!(drain(&mut queue), ["a"]);
        assert_eq!(add(&mut queue, &[("a", "c", 1)]), [false]);
        assert_eq!(queue.counts().unwrap(), Counts::default());
    }

    #[test]
    fn a_chat_has_one_event_out_and_keeps_the_order_of_timestamps() {
        let (_folder, mut queue) = queue();
        add(
            &mut queue,
            &[
                ("c3", "c", 3),
                ("d1", "d", 9),
                ("c1", "c", 1),
                ("c2", "c", 2),
            ],
        );
        let out: Vec<String> = hand_out(&mut queue, 9)
            .into_iter()
            .map(|event| event.id)
            .collect();
        assert_eq!(out, ["d1", "c1"]);
        assert!(
            hand_out(&mut queue, 9).is_empty(),
            "both chats wait for their answer"
        );
        queue.requeue_in_flight().unwrap();
        assert_eq!(drain(&mut queue), ["d1", "c1", "c2", "c3"]);
    }

    #[test]
    fn what_was_handed_out_once_stays_first_whatever_comes_later() {
        let (_folder, mut queue) = queue();
        add(&mut queue, &[("late", "c", 5)]);
        assert_eq!(hand_out(&mut queue, 1)[0].attempt, 1);
        add(&mut queue, &[("early", "c", 1)]);
        queue.requeue_in_flight().unwrap();
        let again = hand_out(&mut queue, 1).remove(0);
        assert_eq!((again.id.as_str(), again.attempt), ("late", 2));
    }

    #[test]
    fn a_dead_event_lets_its_chat_go_on_and_can_come_back() {
        let (_folder, mut queue) = queue();
        add(
            &mut queue,
            &[("bad", "c", 1), ("good", "c", 2), ("next", "c", 3)],
        );
        let bad = hand_out(&mut queue, 1).remove(0);
        assert!(
            queue
                .write(|changes| changes.dead_letter(bad.sequence, 1, "refused"))
                .unwrap()
        );
        assert_eq!(
            queue.counts().unwrap(),
            Counts {
                waiting: 2,
                dead: 1
            }
        );
        let listed = queue.list(EventState::Dead, 0, 10).unwrap();
        assert_eq!(listed[0].reason.as_deref(), Some("refused"));
        assert_eq!(hand_out(&mut queue, 9)[0].id, "good");
        assert!(
            queue
                .write(|changes| changes.replay(bad.sequence, 5))
                .unwrap()
        );
        assert!(
            !queue
                .write(|changes| changes.replay(bad.sequence, 5))
                .unwrap()
        );
        queue.requeue_in_flight().unwrap();
        assert_eq!(drain(&mut queue), ["good", "bad", "next"]);
    }

    #[test]
    fn ids_are_forgotten_in_time_but_never_of_an_event_that_is_still_there() {
        let (_folder, mut queue) = queue();
        let ids: Vec<String> = (0..1_200).map(|number| format!("e{number}")).collect();
        let events: Vec<(&str, &str, i64)> =
            ids.iter().map(|id| (id.as_str(), id.as_str(), 0)).collect();
        add(&mut queue, &events);
        let kept = hand_out(&mut queue, 1).remove(0);
        queue
            .write(|changes| changes.dead_letter(kept.sequence, 0, "kept"))
            .unwrap();
        drain(&mut queue);
        for _ in 0..4 {
            queue.forget(1).unwrap();
        }
        assert_eq!(add(&mut queue, &[(kept.id.as_str(), "c", 0)]), [false]);
        assert_eq!(add(&mut queue, &[("e700", "c", 0)]), [true]);
        assert!(
            hand_out(&mut queue, 1)[0].sequence > 1_200,
            "no number is given twice"
        );
    }

    #[test]
    fn a_trial_really_writes() {
        let (folder, mut queue) = queue();
        let other = Queue::open(&folder.path().join("queue")).unwrap();
        for _ in 0..2 {
            let before = other.data_version().unwrap();
            queue.write(|changes| changes.trial(100)).unwrap();
            assert_ne!(other.data_version().unwrap(), before);
        }
    }

    #[test]
    fn a_journal_that_is_gone_is_missed_unless_it_was_closed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let open = || Queue::open(&path).unwrap();
        let mut first = open();
        assert!(!first.begin().unwrap(), "it is new");
        drop(first);
        let mut second = open();
        assert!(!second.begin().unwrap(), "it was closed in order");
        add(&mut second, &[("a", "c", 1)]);
        // What a kill leaves, without its journal.
        let left = folder.path().join("left");
        fs::copy(&path, &left).unwrap();
        assert!(Queue::open(&left).unwrap().begin().unwrap());
        // And with it, also after somebody else has used it.
        let whole = folder.path().join("whole");
        fs::copy(&path, &whole).unwrap();
        fs::copy(journal(&path), journal(&whole)).unwrap();
        let beside = Queue::open_existing(&whole, Access::Change).unwrap();
        assert_eq!(beside.list(EventState::Waiting, 0, 9).unwrap().len(), 1);
        drop(beside);
        assert!(!Queue::open(&whole).unwrap().begin().unwrap());
    }

    #[test]
    fn what_is_due_beyond_any_pause_is_due_now() {
        let (_folder, mut queue) = queue();
        queue
            .write(|changes| {
                changes.add("U1", &event("far", "c", 1), (9_000, 9_000), 9_000)?;
                changes.add("U1", &event("soon", "d", 1), (9_000, 9_000), 60)
            })
            .unwrap();
        queue.clamp_due(10, 100).unwrap();
        let out = hand_out(&mut queue, 9).remove(0);
        assert_eq!(out.id, "far");
        assert_eq!(out.accepted, 10, "nothing was accepted in the future");
        assert_eq!(queue.next_due().unwrap(), Some(60));
    }

    #[test]
    fn what_was_not_tried_goes_back_as_if_it_had_not_been_out() {
        let (_folder, mut queue) = queue();
        add(&mut queue, &[("a", "c", 1)]);
        let out = hand_out(&mut queue, 1).remove(0);
        queue
            .write(|changes| changes.give_back(out.sequence))
            .unwrap();
        assert_eq!(hand_out(&mut queue, 1)[0].attempt, 1);
    }

    #[test]
    fn a_transaction_that_fails_leaves_nothing() {
        let (_folder, mut queue) = queue();
        let failed = queue.write(|changes| {
            changes.add("U1", &event("a", "c", 1), (0, 0), 0)?;
            Err::<(), _>(QueueError("no".to_owned()))
        });
        assert!(failed.is_err());
        assert_eq!(add(&mut queue, &[("a", "c", 1)]), [true]);
    }

    #[test]
    fn every_question_of_the_hot_path_is_answered_by_an_index() {
        let (_folder, queue) = queue();
        for question in [
            "SELECT seq, time, attempts FROM event WHERE channel = ?1 AND chat = ?2 AND place BETWEEN 1 AND 2",
            "SELECT seq FROM event WHERE place BETWEEN 1 AND 2 AND place = 1 AND due <= ?1 ORDER BY due LIMIT ?2",
            "SELECT seq FROM event WHERE channel = ?1 AND chat = ?2 AND place = 0 ORDER BY time, seq LIMIT 1",
            "SELECT min(due) FROM event WHERE place BETWEEN 1 AND 2 AND place = 1",
            "UPDATE event SET place = 1 WHERE place BETWEEN 1 AND 2 AND place = 2",
            "UPDATE event SET due = ?1 WHERE place BETWEEN 1 AND 2 AND place = 1 AND due > ?2",
        ] {
            let plan = format!("EXPLAIN QUERY PLAN {question}");
            let mut statement = queue.connection.prepare(&plan).unwrap();
            let names: Vec<String> = (1..=statement.parameter_count())
                .map(|_| "1".to_owned())
                .collect();
            let rows = statement
                .query_map(rusqlite::params_from_iter(names), |row| {
                    row.get::<_, String>(3)
                })
                .unwrap();
            let steps: Vec<String> = rows.collect::<Result<_, _>>().unwrap();
            let steps = steps.join("; ");
            assert!(
                steps.contains("INDEX") && !steps.contains("SCAN") && !steps.contains("B-TREE"),
                "{question}: {steps}"
            );
        }
    }
}
