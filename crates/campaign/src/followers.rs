//! Everybody who follows an account of the campaign, with the accounts that they follow: gathered on
//! the disk, since there may be millions.

use line_connector_client::{Error, Kind, Output};
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
        for account in accounts {
            let mut start: Option<String> = None;
            loop {
                let output = page(campaigner, account, start.as_deref());
                if let Some(error) = output.error {
                    let error = Error::from(error);
                    let message = format!(
                        "the followers of {account} cannot be had: {}",
                        error.message
                    );
                    return Err(Error { message, ..error });
                }
                let (ids, next) = read(campaigner, &output);
                for id in ids {
                    let insert = "INSERT OR IGNORE INTO follower (id, account) VALUES (?, ?)";
                    let insert = connection.prepare_cached(insert);
                    insert
                        .and_then(|mut insert| insert.execute(params![id, account]))
                        .map_err(|failure| database(&failure))?;
                }
                // LINE ends a listing by leaving the token out.
                if next.is_none() || next == start {
                    break;
                }
                start = next;
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

fn page(campaigner: &Campaigner<'_>, account: &str, start: Option<&str>) -> Output {
    let catalog = campaigner.connector.catalog();
    let name = &catalog.manifest().campaign.followers;
    let pages = catalog.action(name).and_then(|action| action.meta.pages);
    let inputs = start
        .zip(pages)
        .map(|(start, pages)| (pages.parameter, Value::from(start)));
    campaigner.call(account, name, inputs.into_iter().collect())
}

/// The IDs of a page, and what asks for the next.
fn read(campaigner: &Campaigner<'_>, output: &Output) -> (Vec<String>, Option<String>) {
    let catalog = campaigner.connector.catalog();
    let name = &catalog.manifest().campaign.followers;
    let pages = catalog.action(name).and_then(|action| action.meta.pages);
    let (Some(pages), Some(body)) = (pages, output.json()) else {
        return (Vec::new(), None);
    };
    let ids = body.get(&pages.items).and_then(Value::as_array);
    let ids = ids.into_iter().flatten().filter_map(Value::as_str);
    let next = body.get(&pages.next).and_then(Value::as_str);
    (ids.map(str::to_owned).collect(), next.map(str::to_owned))
}
