//! The ledger while its run is sent: parts are taken, and their ends written down, a transaction for
//! all that waits.

use line_connector_client::Error;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{Ledger, LedgerError, State};
use crate::part;

/// A person of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// The place in the order of sending.
    pub(crate) n: i64,
    /// LINE's ID of the user, group chat or multi-person chat.
    pub(crate) id: String,
}

/// A part that was taken: on the disk it stands as being sent.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) part: i64,
    pub(crate) body: i64,
    pub(crate) key: String,
    pub(crate) members: Vec<Member>,
    /// Whether an attempt before this one may have been carried out.
    pub(crate) in_doubt: bool,
}

/// What became of a part.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) part: i64,
    pub(crate) state: State,
    pub(crate) at_ms: i64,
    /// When it may be tried again, milliseconds since 1970.
    pub(crate) due_ms: i64,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) reason: Option<String>,
}

/// What the runner asks of the ledger when parts are taken.
pub(crate) trait Gate {
    /// Why these people get nothing after all: their place among `ids`, and the reason.
    ///
    /// # Errors
    ///
    /// Where that cannot be found out.
    fn left_out(&mut self, account: usize, ids: &[&str]) -> Result<Vec<(usize, String)>, Error>;
}

/// How many parts of an account are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub(crate) account: usize,
    pub(crate) parts: usize,
}

/// How many parts, and people, are in a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) parts: u64,
    pub(crate) people: u64,
}

/// A part that waits.
struct Waiting {
    id: i64,
    body: i64,
    first: i64,
    people: i64,
    state: State,
    generation: i64,
    key: Option<String>,
    first_attempt: Option<i64>,
}

impl Ledger {
    /// What a process that ended in the middle left as being sent may have been sent, or not.
    pub(crate) fn recover(&self) -> Result<(), LedgerError> {
        let (from, to) = (State::Sending as i64, State::Unknown as i64);
        self.write(
            "UPDATE part SET state = ?, due = 0 WHERE state = ?",
            params![to, from],
        )
    }

    /// Writes ends down and takes parts, in one transaction. The parts that are taken are on the disk
    /// as being sent when this returns.
    pub(crate) fn turn(
        &mut self,
        run: &str,
        ends: &[End],
        wants: &[Want],
        now_ms: i64,
        gate: &mut dyn Gate,
    ) -> Result<Vec<(usize, Claimed)>, Error> {
        let turn = turn(&mut self.connection, run, ends, wants, now_ms, gate);
        turn.map_err(|failure| match failure {
            Failure::Database(failure) => self.error(&failure).into(),
            Failure::Gate(error) => error,
        })
    }

    /// The bodies of a part's requests, as JSON.
    pub(crate) fn requests(&self, body: i64) -> Result<String, LedgerError> {
        let question = "SELECT requests FROM body WHERE id = ?";
        let requests = self.connection.prepare_cached(question);
        requests
            .and_then(|mut requests| requests.query_row([body], |row| row.get(0)))
            .map_err(|failure| self.error(&failure))
    }

    /// When a part of an account may be tried next, milliseconds since 1970; `None` where none waits.
    pub(crate) fn next_due(&self, account: usize) -> Result<Option<i64>, LedgerError> {
        let question = "SELECT min(due) FROM part WHERE account = ? AND state IN (0, 4, 8)";
        let due = self.connection.prepare_cached(question);
        due.and_then(|mut due| due.query_row(params![account], |row| row.get(0)))
            .map_err(|failure| self.error(&failure))
    }

    /// Gives up what was not sent.
    pub(crate) fn cancel(&self) -> Result<(), LedgerError> {
        let [to, planned, held] =
            [State::Cancelled, State::Planned, State::Held].map(|state| state as i64);
        self.write(
            "UPDATE part SET state = ? WHERE state IN (?, ?)",
            params![to, planned, held],
        )
    }

    /// Sends again to people whose retry keys are too old, with new ones.
    pub(crate) fn resend_unknown(&self) -> Result<(), LedgerError> {
        self.write(
            "UPDATE part SET state = ?, due = 0, generation = generation + 1, key = NULL,
                 first_attempt = NULL WHERE state = ?",
            params![State::Planned as i64, State::ExpiredUnknown as i64],
        )
    }

    /// Lets parts that wait go at once, as after the reason of a pause was mended.
    pub(crate) fn release(&self) -> Result<(), LedgerError> {
        self.write(
            "UPDATE part SET due = 0 WHERE state IN (0, 4, 8) AND due > 0",
            [],
        )
    }

    /// Parts, and the people in them, by state.
    pub(crate) fn counts(&self) -> Result<Vec<(State, Count)>, LedgerError> {
        let counts = || {
            let question =
                "SELECT state, count(*), sum(people - left_out) FROM part GROUP BY state";
            let mut counts = self.connection.prepare(question)?;
            let counts = counts.query_map([], |row| {
                let number = |place| row.get::<_, i64>(place).map(i64::cast_unsigned);
                let count = Count {
                    parts: number(1)?,
                    people: number(2)?,
                };
                Ok((State::of(row.get(0)?), count))
            })?;
            counts.collect::<rusqlite::Result<Vec<_>>>()
        };
        counts().map_err(|failure| self.error(&failure))
    }
}

enum Failure {
    Database(rusqlite::Error),
    Gate(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(failure: rusqlite::Error) -> Self {
        Self::Database(failure)
    }
}

fn turn(
    connection: &mut Connection,
    run: &str,
    ends: &[End],
    wants: &[Want],
    now_ms: i64,
    gate: &mut dyn Gate,
) -> Result<Vec<(usize, Claimed)>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for end in ends {
        write_end(&transaction, end)?;
    }
    let mut taken = Vec::new();
    for want in wants {
        for claimed in claim(&transaction, run, *want, now_ms, gate)? {
            taken.push((want.account, claimed));
        }
    }
    transaction.commit()?;
    Ok(taken)
}

fn write_end(transaction: &Transaction<'_>, end: &End) -> rusqlite::Result<()> {
    if end.state == State::Split {
        return split(transaction, end);
    }
    let mut write = transaction.prepare_cached(
        // A retry key lives from the first attempt that may have been carried out; one that LINE
        // surely refused is none. What is planned again was taken and not sent.
        "UPDATE part SET state = ?2, due = ?3, ended_at = ?4, status = ?5, request_id = ?6,
             reason = ?7, first_attempt = CASE WHEN ?2 IN (0, 8) THEN NULL ELSE first_attempt END,
             attempts = attempts - (?2 = 0)
         WHERE id = ?1",
    )?;
    let values = params![
        end.part,
        end.state as i64,
        end.due_ms,
        end.at_ms,
        end.status,
        end.request_id,
        end.reason
    ];
    write.execute(values).map(drop)
}

/// A part whose people LINE does not take together becomes two.
fn split(transaction: &Transaction<'_>, end: &End) -> rusqlite::Result<()> {
    let range = transaction.query_row(
        "SELECT account, body, first, people FROM part WHERE id = ?",
        [end.part],
        |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, i64>(3)?,
            ))
        },
    );
    let (account, body, first, people) = range?;
    let half = people / 2;
    for (first, people) in [(first, half), (first + half, people - half)] {
        let left_out: i64 = transaction.query_row(
            "SELECT count(*) FROM recipient WHERE n >= ? AND n < ? AND reason IS NOT NULL",
            params![first, first + people],
            |row| row.get(0),
        )?;
        transaction.execute(
            "INSERT INTO part (account, body, first, people, left_out, state) VALUES (?, ?, ?, ?, ?, ?)",
            params![account, body, first, people, left_out, State::Planned as i64],
        )?;
    }
    transaction.execute(
        "UPDATE part SET state = ?, ended_at = ?, status = ?, request_id = ?, reason = ? WHERE id = ?",
        params![State::Split as i64, end.at_ms, end.status, end.request_id, end.reason, end.part],
    )?;
    Ok(())
}

fn claim(
    transaction: &Transaction<'_>,
    run: &str,
    want: Want,
    now_ms: i64,
    gate: &mut dyn Gate,
) -> Result<Vec<Claimed>, Failure> {
    let mut taken = Vec::new();
    while taken.len() < want.parts {
        let waiting = waiting(transaction, want, want.parts - taken.len(), now_ms)?;
        if waiting.is_empty() {
            break;
        }
        for part in waiting {
            taken.extend(take(transaction, run, want.account, &part, now_ms, gate)?);
        }
    }
    Ok(taken)
}

fn waiting(
    transaction: &Transaction<'_>,
    want: Want,
    parts: usize,
    now_ms: i64,
) -> rusqlite::Result<Vec<Waiting>> {
    let mut question = transaction.prepare_cached(
        "SELECT id, body, first, people, state, generation, key, first_attempt FROM part
         WHERE account = ?1 AND due <= ?2 AND state IN (0, 4, 8)
         ORDER BY due, id LIMIT ?3",
    )?;
    let rows = question.query_map(params![want.account, now_ms, parts], |row| {
        Ok(Waiting {
            id: row.get(0)?,
            body: row.get(1)?,
            first: row.get(2)?,
            people: row.get(3)?,
            state: State::of(row.get(4)?),
            generation: row.get(5)?,
            key: row.get(6)?,
            first_attempt: row.get(7)?,
        })
    })?;
    rows.collect()
}

fn take(
    transaction: &Transaction<'_>,
    run: &str,
    account: usize,
    part: &Waiting,
    now_ms: i64,
    gate: &mut dyn Gate,
) -> Result<Option<Claimed>, Failure> {
    let in_doubt = part.state == State::Unknown;
    let first_attempt = part.first_attempt.unwrap_or(now_ms);
    if in_doubt && part::has_expired(first_attempt, now_ms) {
        set_state(transaction, part.id, State::ExpiredUnknown)?;
        return Ok(None);
    }
    let mut members = members(transaction, part)?;
    // Whom a request names is fixed by its first attempt.
    if !in_doubt {
        let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let left_out = gate.left_out(account, &ids).map_err(Failure::Gate)?;
        if !left_out.is_empty() {
            leave_out(transaction, part.id, &mut members, &left_out)?;
        }
    }
    if members.is_empty() {
        set_state(transaction, part.id, State::Cancelled)?;
        return Ok(None);
    }
    let key = match &part.key {
        Some(key) if in_doubt => key.clone(),
        _ => retry_key(transaction, run, account, part, &members)?,
    };
    let mut write = transaction.prepare_cached(
        "UPDATE part SET state = ?, key = ?, first_attempt = coalesce(first_attempt, ?),
             attempts = attempts + 1 WHERE id = ?",
    )?;
    write.execute(params![State::Sending as i64, key, now_ms, part.id])?;
    Ok(Some(Claimed {
        part: part.id,
        body: part.body,
        key,
        members,
        in_doubt,
    }))
}

fn members(transaction: &Transaction<'_>, part: &Waiting) -> rusqlite::Result<Vec<Member>> {
    let mut question = transaction.prepare_cached(
        "SELECT n, id FROM recipient WHERE n >= ? AND n < ? AND reason IS NULL ORDER BY n",
    )?;
    let rows = question.query_map(params![part.first, part.first + part.people], |row| {
        Ok(Member {
            n: row.get(0)?,
            id: row.get(1)?,
        })
    })?;
    rows.collect()
}

fn leave_out(
    transaction: &Transaction<'_>,
    part: i64,
    members: &mut Vec<Member>,
    left_out: &[(usize, String)],
) -> rusqlite::Result<()> {
    for (place, reason) in left_out {
        let Some(member) = members.get(*place) else {
            continue;
        };
        transaction.execute("INSERT OR IGNORE INTO reason (text) VALUES (?)", [reason])?;
        transaction.execute(
            "UPDATE recipient SET reason = (SELECT id FROM reason WHERE text = ?) WHERE n = ?",
            params![reason, member.n],
        )?;
    }
    let mut place = 0;
    members.retain(|_| {
        place += 1;
        !left_out.iter().any(|(gone, _)| gone + 1 == place)
    });
    let update = "UPDATE part SET left_out = left_out + ? WHERE id = ?";
    transaction.execute(update, params![left_out.len(), part])?;
    Ok(())
}

fn set_state(transaction: &Transaction<'_>, part: i64, state: State) -> rusqlite::Result<()> {
    let mut write = transaction.prepare_cached("UPDATE part SET state = ? WHERE id = ?")?;
    write.execute(params![state as i64, part]).map(drop)
}

fn retry_key(
    transaction: &Transaction<'_>,
    run: &str,
    account: usize,
    part: &Waiting,
    members: &[Member],
) -> rusqlite::Result<String> {
    let mut name = transaction.prepare_cached("SELECT name FROM account WHERE id = ?")?;
    let account: Option<String> = name
        .query_row(params![account], |row| row.get(0))
        .optional()?;
    let mut digest = transaction.prepare_cached("SELECT digest FROM body WHERE id = ?")?;
    let digest: Vec<u8> = digest.query_row([part.body], |row| row.get(0))?;
    let account = account.unwrap_or_default();
    let ids = members.iter().map(|member| member.id.as_str());
    Ok(part::retry_key(
        run,
        &account,
        &digest,
        ids,
        part.generation,
    ))
}
