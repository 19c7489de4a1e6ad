//! What campaigns sent to whom, beyond one run: for a cap on how much a person may get.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use line_connector_client::private::{Exposed, own};
use line_connector_client::{Error, Kind};
use rusqlite::{Connection, OpenFlags, params};

use crate::document::FrequencyCap;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS sent (
    id TEXT NOT NULL, tag TEXT NOT NULL, run TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (id, tag, run)
) WITHOUT ROWID;
";
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The file of what was sent, and the cap.
pub(crate) struct History {
    path: PathBuf,
    /// `None` where there is no file yet: nothing was sent.
    connection: Option<Connection>,
    cap: FrequencyCap,
    run: String,
}

impl History {
    /// Opens the file; `make` makes it where there is none.
    pub(crate) fn open(
        path: &Path,
        cap: &FrequencyCap,
        run: &str,
        make: bool,
    ) -> Result<Self, Error> {
        let mut history = Self {
            path: path.to_owned(),
            connection: None,
            cap: cap.clone(),
            run: run.to_owned(),
        };
        if !make && std::fs::symlink_metadata(path).is_err() {
            return Ok(history);
        }
        if let Some(exposed) = Exposed::database(path) {
            let hint = exposed.hint("whoever can write it can say who gets nothing");
            return Err(history.error(&exposed).with_hint(hint));
        }
        own(path).map_err(|error| history.error(&error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.execute_batch(TABLES)?;
            Ok(connection)
        });
        history.connection = Some(opened.map_err(|error| history.error(&error))?);
        Ok(history)
    }

    fn error(&self, failure: &dyn std::fmt::Display) -> Error {
        let message = format!(
            "the history {} cannot be used: {failure}",
            self.path.display()
        );
        Error::new(Kind::Usage, message)
            .with_hint("name a file of campaigns' history in `frequency_cap.history`")
    }

    /// Whether a person has got as much as they may.
    pub(crate) fn is_full(&mut self, id: &str, now: Timestamp) -> Result<bool, Error> {
        let Some(connection) = &self.connection else {
            return Ok(false);
        };
        let since = now.as_millisecond() - i64::from(self.cap.days) * DAY_MS;
        let question = "SELECT count(*) FROM sent WHERE id = ?1 AND at > ?2 AND run <> ?3
             AND (?4 = '' OR tag = ?4)";
        let count = connection
            .prepare_cached(question)
            .and_then(|mut question| {
                question.query_row(params![id, since, self.run, self.cap.tag], |row| {
                    row.get::<_, i64>(0)
                })
            });
        let count = count.map_err(|failure| self.error(&failure))?;
        Ok(count >= i64::from(self.cap.most))
    }

    /// Remembers people who are about to be sent something, and names the places of those who have got
    /// as much as they may. Campaigns that run at once take their turns.
    pub(crate) fn reserve(&mut self, ids: &[&str], now: Timestamp) -> Result<Vec<usize>, Error> {
        self.write(|history| {
            let mut full = Vec::new();
            for (place, id) in ids.iter().enumerate() {
                if history.is_full(id, now)? {
                    full.push(place);
                } else {
                    let insert =
                        "INSERT OR IGNORE INTO sent (id, tag, run, at) VALUES (?, ?, ?, ?)";
                    let values = params![id, history.cap.tag, history.run, now.as_millisecond()];
                    history.execute(insert, values)?;
                }
            }
            Ok(full)
        })
    }

    /// Forgets people who surely got nothing.
    pub(crate) fn release<'a>(&mut self, ids: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        self.write(|history| {
            for id in ids {
                let delete = "DELETE FROM sent WHERE id = ? AND tag = ? AND run = ?";
                history.execute(delete, params![id, history.cap.tag, history.run])?;
            }
            Ok(())
        })
    }

    /// One transaction, begun so that nobody else writes in between.
    fn write<T: Default>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.connection.is_none() {
            return Ok(T::default());
        }
        self.execute("BEGIN IMMEDIATE", [])?;
        let done = work(self);
        self.execute(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }, [])?;
        done
    }

    fn execute(&self, statement: &str, values: impl rusqlite::Params) -> Result<(), Error> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let done = connection
            .prepare_cached(statement)
            .and_then(|mut statement| statement.execute(values));
        done.map(drop).map_err(|failure| self.error(&failure))
    }
}
