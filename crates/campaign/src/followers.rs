//! Everybody who follows an account of the campaign, with the accounts that they follow: gathered on
//! the disk, since there may be millions.

use std::collections::HashSet;

use line_connector_client::{Error, Kind};
use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use crate::attributes::Row;
use crate::campaigner::Campaigner;
use crate::list::{Entry, Unreadable};

/// The attribute that names the accounts of a follower.
pub(crate) const FOLLOWS: &str = "accounts";

fn database(failure: &rusqlite::Error) -> Error {
    let message = format!("the followers cannot be gathered: {failure}");
    Error::new(Kind::Usage, message)
        .with_hint("make room where temporary files go (`SQLITE_TMPDIR`, `TMPDIR`)")
}

/// The followers of all accounts.
pub(crate) struct Followers {
    /// Nobody else sees it, and it goes with this process.
    connection: Connection,
    /// The last one that was handed out.
    last: String,
    line: u64,
}

impl Followers {
    /// Asks each account for its followers, page by page.
    pub(crate) fn gather(campaigner: &Campaigner<'_>, accounts: &[&str]) -> Result<Self, Error> {
        let connection = Connection::open("").and_then(|connection| {
            connection.pragma_update(None, "synchronous", "OFF")?;
            connection.pragma_update(None, "journal_mode", "OFF")?;
            connection.execute_batch(
                "CREATE TABLE follower (id TEXT, account TEXT, PRIMARY KEY (id, account)) WITHOUT ROWID;
                 BEGIN",
            )?;
            Ok(connection)
        });
        let connection = connection.map_err(|failure| database(&failure))?;
        let catalog = campaigner.connector.catalog();
        let name = &catalog.manifest().campaign.followers;
        let pages = catalog.action(name).and_then(|action| action.meta.pages);
        let Some(pages) = pages else {
            let message = format!("the action `{name}` has no pages");
            return Err(Error::new(Kind::InvalidCatalog, message));
        };
        for account in accounts {
            let mut start: Option<String> = None;
            // Each continuation token leads on once: a listing that goes in a circle has no end.
            let mut tokens = HashSet::new();
            loop {
                let inputs = start.map(|start| (pages.parameter.clone(), Value::from(start)));
                let output = campaigner.call(account, name, inputs.into_iter().collect());
                if let Some(error) = output.error {
                    let error = Error::from(error);
                    let message = format!(
                        "the followers of {account} cannot be had: {}",
                        error.message
                    );
                    return Err(Error { message, ..error });
                }
                let body = output.json().unwrap_or_default();
                let ids = body.get(&pages.items).and_then(Value::as_array);
                for id in ids.into_iter().flatten().filter_map(Value::as_str) {
                    let insert = "INSERT OR IGNORE INTO follower (id, account) VALUES (?, ?)";
                    let insert = connection.prepare_cached(insert);
                    insert
                        .and_then(|mut insert| insert.execute(params![id, account]))
                        .map_err(|failure| database(&failure))?;
                }
                let next = body.get(&pages.next).and_then(Value::as_str);
                match next {
                    Some(next) if tokens.insert(next.to_owned()) => start = Some(next.to_owned()),
                    Some(_) => {
                        let message =
                            format!("the list of the followers of {account} goes in a circle");
                        return Err(Error::new(Kind::UnexpectedStatus, message)
                            .with_hint("try again later; nothing was planned"));
                    }
                    // LINE ends a listing by leaving the token out.
                    None => break,
                }
            }
        }
        Ok(Self {
            connection,
            last: String::new(),
            line: 0,
        })
    }

    /// The next follower; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Unreadable> {
        let question = "SELECT id, group_concat(account, ' ') FROM follower
             WHERE id = (SELECT min(id) FROM follower WHERE id > ?) GROUP BY id";
        let next = self
            .connection
            .prepare_cached(question)
            .and_then(|mut question| {
                let mut rows = question.query([&self.last])?;
                rows.next()?
                    .map(|row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
                    .transpose()
            });
        let next = next.map_err(|failure| Unreadable::from(failure.to_string()))?;
        let Some((id, accounts)) = next else {
            return Ok(None);
        };
        self.line += 1;
        self.last.clone_from(&id);
        let members = [("line_id", id), (FOLLOWS, accounts)];
        let members = members.map(|(name, text)| (name.to_owned(), Value::from(text)));
        Ok(Some(Entry {
            line: self.line,
            row: Ok(Row::Members(Map::from_iter(members))),
        }))
    }
}
