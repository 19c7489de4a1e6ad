//! What campaigns sent to whom, beyond one run: for a cap on how much a person may get.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use line_connector_client::{Error, Kind};
use rusqlite::{Connection, OpenFlags, params};

use crate::document::FrequencyCap;
use crate::ledger::private;

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
        if !path.exists() && !make {
            return Ok(history);
        }
        if !path.exists() {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            private(&mut options);
            options.open(path).map_err(|error| history.error(&error))?;
        }
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

    /// Remembers that people were, or may have been, sent something.
    pub(crate) fn record<'a>(
        &mut self,
        ids: impl Iterator<Item = &'a str>,
        at_ms: i64,
    ) -> Result<(), Error> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let written = connection.transaction().and_then(|transaction| {
            let insert = "INSERT OR IGNORE INTO sent (id, tag, run, at) VALUES (?, ?, ?, ?)";
            for id in ids {
                let mut insert = transaction.prepare_cached(insert)?;
                insert.execute(params![id, self.cap.tag, self.run, at_ms])?;
            }
            transaction.commit()
        });
        written.map_err(|failure| self.error(&failure))
    }
}
