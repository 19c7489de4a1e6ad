//! What became of each person, in the order of sending.

use rusqlite::params;

use super::plan::Fingerprint;
use super::{Ledger, LedgerError, State};

/// What a part's people have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PartRow {
    pub(crate) account: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) at_ms: Option<i64>,
    pub(crate) body: String,
}

/// A person and what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) line: i64,
    pub(crate) id: String,
    /// Why they got nothing, where they were left out.
    pub(crate) left_out: Option<String>,
}

/// A part as it was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedPart {
    pub(crate) account: String,
    /// The digest of the requests.
    pub(crate) digest: Fingerprint,
    /// The bodies of its requests, as JSON, and how many there are.
    pub(crate) requests: String,
    pub(crate) count: u64,
    /// Each person's line of the list, and ID.
    pub(crate) people: Vec<(i64, String)>,
}

impl Ledger {
    /// Hands over all parts, in the order of sending.
    pub(crate) fn planned_parts<E: From<LedgerError>>(
        &self,
        mut take: impl FnMut(&PlannedPart) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |failure: rusqlite::Error| E::from(self.error(&failure));
        let mut parts = self
            .connection
            .prepare(
                "SELECT first, people, account.name, body.digest, body.requests, body.count
                 FROM part JOIN account ON account.id = part.account JOIN body ON body.id = part.body
                 ORDER BY first",
            )
            .map_err(failed)?;
        let mut people = self
            .connection
            .prepare("SELECT line, id FROM recipient WHERE n >= ? AND n < ? ORDER BY n")
            .map_err(failed)?;
        let mut parts = parts.query([]).map_err(failed)?;
        while let Some(row) = parts.next().map_err(failed)? {
            let mut read = || -> rusqlite::Result<PlannedPart> {
                let first: i64 = row.get(0)?;
                let end = first + row.get::<_, i64>(1)?;
                let people =
                    people.query_map([first, end], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(PlannedPart {
                    account: row.get(2)?,
                    digest: row.get(3)?,
                    requests: row.get(4)?,
                    count: row.get::<_, i64>(5)?.cast_unsigned(),
                    people: people.collect::<rusqlite::Result<_>>()?,
                })
            };
            take(&read().map_err(failed)?)?;
        }
        Ok(())
    }

    /// Hands everybody to `take`, with the part they belong to.
    pub(crate) fn people<E: From<LedgerError>>(
        &self,
        take: impl FnMut(&Person, Option<&PartRow>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut take = take;
        let failed = |failure: rusqlite::Error| E::from(self.error(&failure));
        // What is sent meanwhile does not change what is read.
        let _snapshot = self.connection.unchecked_transaction().map_err(failed)?;
        let mut parts = self
            .connection
            .prepare(
                "SELECT first, people, account.name, state, reason, status, request_id, key, attempts,
                     ended_at, hex(body.digest)
                 FROM part JOIN account ON account.id = part.account JOIN body ON body.id = part.body
                 WHERE state <> ? ORDER BY first",
            )
            .map_err(failed)?;
        let mut parts = parts.query([State::Split as i64]).map_err(failed)?;
        let mut people = self
            .connection
            .prepare(
                "SELECT n, line, recipient.id, reason.text FROM recipient
                 LEFT JOIN reason ON reason.id = recipient.reason ORDER BY n",
            )
            .map_err(failed)?;
        let mut people = people.query(params![]).map_err(failed)?;
        // From here on, and which part that is.
        let mut part: Option<(i64, PartRow)> = None;
        while let Some(row) = people.next().map_err(failed)? {
            let n: i64 = row.get(0).map_err(failed)?;
            while part.as_ref().is_none_or(|(end, _)| n >= *end) {
                match parts.next().map_err(failed)? {
                    Some(row) => part = Some(part_row(row).map_err(failed)?),
                    None => part = Some((i64::MAX, PartRow::default())),
                }
            }
            let person = Person {
                line: row.get(1).map_err(failed)?,
                id: row.get(2).map_err(failed)?,
                left_out: row.get(3).map_err(failed)?,
            };
            let own = part.as_ref().map(|(_, row)| row);
            take(&person, own.filter(|_| person.left_out.is_none()))?;
        }
        Ok(())
    }

    /// How many people are left out, by reason.
    pub(crate) fn left_out(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        let counts = || {
            let mut counts = self.connection.prepare(
                "SELECT text, count(*) FROM recipient JOIN reason ON reason.id = recipient.reason
                 WHERE recipient.reason IS NOT NULL GROUP BY reason.id ORDER BY text",
            )?;
            let counts = counts.query_map([], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
            })?;
            counts.collect::<rusqlite::Result<Vec<_>>>()
        };
        counts().map_err(|failure| self.error(&failure))
    }

    /// How many people of each account LINE accepted a message for, by day in UTC+9, as LINE counts.
    pub(crate) fn days(&self) -> Result<Vec<(String, String, u64)>, LedgerError> {
        let counts = || {
            let mut counts = self.connection.prepare(
                "SELECT date(ended_at / 1000 + 9 * 3600, 'unixepoch'), account.name, sum(people - left_out)
                 FROM part JOIN account ON account.id = part.account WHERE state = ?
                 GROUP BY 1, 2 ORDER BY 1, 2",
            )?;
            let counts = counts.query_map([State::Accepted as i64], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get::<_, i64>(2)?.cast_unsigned(),
                ))
            })?;
            counts.collect::<rusqlite::Result<Vec<_>>>()
        };
        counts().map_err(|failure| self.error(&failure))
    }
}

fn part_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, PartRow)> {
    let end = row.get::<_, i64>(0)? + row.get::<_, i64>(1)?;
    let part = PartRow {
        account: row.get(2)?,
        state: State::of(row.get(3)?).name().to_owned(),
        reason: row.get(4)?,
        status: row.get(5)?,
        request_id: row.get(6)?,
        key: row.get(7)?,
        attempts: row.get(8)?,
        at_ms: row.get(9)?,
        body: row.get::<_, String>(10)?.to_lowercase(),
    };
    Ok((end, part))
}
