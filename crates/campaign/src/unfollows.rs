//! Who unfollowed an account, as a receiver's queue remembers it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use line_connector_client::private::Exposed;
use line_connector_client::{Error, Kind};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

fn error(path: &Path, failure: &dyn std::fmt::Display) -> Error {
    let message = format!(
        "the queue {} cannot be asked who unfollowed: {failure}",
        path.display()
    );
    Error::new(Kind::Usage, message).with_hint(
        "name the file of a receiver (`line-connector listen --queue`) in `suppress.queue`",
    )
}

fn open(path: &Path) -> Result<Connection, Error> {
    if let Some(exposed) = Exposed::database(path) {
        let hint = exposed.hint("whoever can write it can say who gets nothing");
        return Err(error(path, &exposed).with_hint(hint));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        Ok(connection)
    });
    opened.map_err(|failure| error(path, &failure))
}

/// Who unfollowed each account, by the account's number. `bots` are the accounts' user IDs; where
/// there is one account, and LINE was not asked for its ID, every unfollow counts.
pub(crate) fn read<'a>(
    path: &Path,
    bots: impl ExactSizeIterator<Item = Option<&'a str>>,
) -> Result<BTreeMap<usize, HashSet<String>>, Error> {
    let connection = open(path)?;
    let is_alone = bots.len() == 1;
    let mut gone = BTreeMap::new();
    for (place, bot) in bots.enumerate() {
        if bot.is_none() && !is_alone {
            continue;
        }
        let ids = || {
            let question =
                "SELECT user FROM friendship WHERE is_over AND (?1 IS NULL OR channel = ?1)";
            let mut question = connection.prepare(question)?;
            let ids = question.query_map(params![bot], |row| row.get::<_, String>(0))?;
            ids.collect::<rusqlite::Result<HashSet<String>>>()
        };
        gone.insert(place, ids().map_err(|failure| error(path, &failure))?);
    }
    Ok(gone)
}

/// Asks again, just before something is sent.
pub(crate) struct Unfollows {
    path: PathBuf,
    connection: Connection,
    /// The accounts' user IDs, by number.
    bots: Vec<Option<String>>,
}

impl Unfollows {
    pub(crate) fn open(path: &Path, bots: Vec<Option<String>>) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            connection: open(path)?,
            bots,
        })
    }

    /// Whether a person has unfollowed an account.
    pub(crate) fn has_left(&self, account: usize, id: &str) -> Result<bool, Error> {
        let bot = self.bots.get(account).and_then(Option::as_deref);
        if bot.is_none() && self.bots.len() > 1 {
            return Ok(false);
        }
        let question =
            "SELECT 1 FROM friendship WHERE user = ?1 AND is_over AND (?2 IS NULL OR channel = ?2)";
        let found = self
            .connection
            .prepare_cached(question)
            .and_then(|mut question| question.query_row(params![id, bot], |_| Ok(())).optional());
        found
            .map(|found| found.is_some())
            .map_err(|failure| error(&self.path, &failure))
    }
}
