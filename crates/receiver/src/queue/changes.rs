//! What one transaction may do to the queue: take events in, hand them out, settle them, bring dead
//! letters back. Each change keeps the rule that a chat has at most one event next or in
//! flight.

use rusqlite::types::Value;
use rusqlite::{CachedStatement, OptionalExtension as _, Row, ToSql, params};

use super::{COLUMNS, Friendship, NewEvent, QueueError, QueuedEvent, number, place, queued_event};

/// A channel and a chat of it, as the file has them.
type Chat = (Value, Value);

/// A column as it stands; a text that is damaged is like no other.
fn as_stored(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    Ok(row.get_ref(column)?.try_into().unwrap_or(Value::Null))
}

/// The changes of one transaction.
#[derive(Debug)]
pub struct Changes<'t>(pub(super) &'t rusqlite::Transaction<'t>);

impl Changes<'_> {
    fn statement(&self, text: &str) -> Result<CachedStatement<'_>, QueueError> {
        Ok(self.0.prepare_cached(text)?)
    }

    /// Writes as many bytes as a webhook may have, over those of the last trial, to see whether the
    /// disk takes them.
    ///
    /// # Errors
    ///
    /// Where it does not.
    pub(crate) fn trial(&self, bytes: i64) -> Result<(), QueueError> {
        // SQLite writes nothing where nothing differs.
        self.statement(
            "INSERT INTO state (name, value) VALUES ('trial', randomblob(?1))
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute([bytes])?;
        Ok(())
    }

    /// Takes an event in, `due` to be handed out from then on, its id remembered by a time that may not
    /// be the one at which it is accepted. `false` where it came before.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn add(
        &self,
        channel: &str,
        event: &NewEvent,
        (remembered, accepted): (i64, i64),
        due: i64,
    ) -> Result<bool, QueueError> {
        let new = self
            .statement("INSERT OR IGNORE INTO seen (channel, id, at) VALUES (?1, ?2, ?3)")?
            .execute(params![channel, event.id, remembered])?;
        if new == 0 {
            return Ok(false);
        }
        let sequence = self.0.last_insert_rowid();
        let place = self.place_of(&channel, &event.chat, event.time, sequence)?;
        self.statement(
            "INSERT INTO event (seq, channel, id, chat, time, accepted, place, due, attempts, failures, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9)",
        )?
        .execute(params![
            sequence, channel, event.id, event.chat, event.time, accepted, place, due, event.body
        ])?;
        if let Some(Friendship { user, is_over }) = &event.friendship {
            // LINE may deliver the earlier of two after the later.
            self.statement(
                "INSERT INTO friendship (channel, user, time, is_over) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (channel, user) DO UPDATE
                 SET time = excluded.time, is_over = excluded.is_over
                 WHERE excluded.time >= friendship.time",
            )?
            .execute(params![channel, user, event.time, is_over])?;
        }
        Ok(true)
    }

    /// The place of an event that joins its chat. It goes before the one that is next where LINE's
    /// timestamp says so and that one has never been handed out.
    fn place_of(
        &self,
        channel: &dyn ToSql,
        chat: &dyn ToSql,
        time: i64,
        sequence: i64,
    ) -> Result<i64, QueueError> {
        let front: Option<(i64, i64, i64)> = self
            .statement(
                "SELECT seq, time, attempts FROM event
                 WHERE channel = ?1 AND chat = ?2 AND place BETWEEN 1 AND 2",
            )?
            .query_row(params![channel, chat], |row| {
                Ok((
                    row.get(0)?,
                    number(row.get_ref(1)?),
                    number(row.get_ref(2)?),
                ))
            })
            .optional()?;
        let Some((front, front_time, attempts)) = front else {
            return Ok(place::NEXT);
        };
        if attempts > 0 || (front_time, front) <= (time, sequence) {
            return Ok(place::BEHIND);
        }
        self.move_to(front, place::BEHIND)?;
        Ok(place::NEXT)
    }

    fn move_to(&self, sequence: i64, place: i64) -> Result<(), QueueError> {
        self.statement("UPDATE event SET place = ?2 WHERE seq = ?1")?
            .execute(params![sequence, place])?;
        Ok(())
    }

    /// Hands out up to `limit` events that are due at `now`, no two of one chat. That each has been
    /// handed out is written before anybody sees it: an attempt numbered 1 is surely the first.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn hand_out(&self, now: i64, limit: i64) -> Result<Vec<QueuedEvent>, QueueError> {
        let mut statement = self.statement(&format!(
            "SELECT {COLUMNS} FROM event
             WHERE place BETWEEN 1 AND 2 AND place = 1 AND due <= ?1 ORDER BY due LIMIT ?2"
        ))?;
        let rows = statement.query_map(params![now, limit], queued_event)?;
        let mut events: Vec<QueuedEvent> = rows.collect::<Result<_, _>>()?;
        for event in &mut events {
            event.attempt = event.attempt.saturating_add(1);
            // Where the clock has gone back, its age counts from now.
            event.accepted = event.accepted.min(now);
            self.statement(
                "UPDATE event SET place = ?2, attempts = ?3, accepted = ?4 WHERE seq = ?1",
            )?
            .execute(params![
                event.sequence,
                place::IN_FLIGHT,
                event.attempt,
                event.accepted
            ])?;
        }
        Ok(events)
    }

    /// An event that was handed out was not tried, and waits as before.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn give_back(&self, sequence: i64) -> Result<(), QueueError> {
        self.statement(
            "UPDATE event SET place = 1, attempts = attempts - 1
             WHERE seq = ?1 AND place BETWEEN 1 AND 2 AND place = 2",
        )?
        .execute([sequence])?;
        Ok(())
    }

    /// An event was acknowledged: it goes, and its chat's next one may follow. `false` where it was
    /// not waiting for that.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn acknowledge(&self, sequence: i64) -> Result<bool, QueueError> {
        let chat = self
            .statement(
                "DELETE FROM event WHERE seq = ?1 AND place BETWEEN 1 AND 2 AND attempts > 0
                 RETURNING channel, chat",
            )?
            .query_row([sequence], |row| {
                Ok((as_stored(row, 0)?, as_stored(row, 1)?))
            })
            .optional()?;
        self.follow(chat)
    }

    /// An event is to be handed out again, from `due` on.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn postpone(
        &self,
        sequence: i64,
        due: i64,
        failures: i64,
        reason: &str,
    ) -> Result<(), QueueError> {
        self.statement(
            "UPDATE event SET place = 1, due = ?2, failures = ?3, reason = ?4
             WHERE seq = ?1 AND place BETWEEN 1 AND 2",
        )?
        .execute(params![sequence, due, failures, reason])?;
        Ok(())
    }

    /// An event becomes a dead letter, and its chat's next one may follow.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn dead_letter(
        &self,
        sequence: i64,
        failures: i64,
        reason: &str,
    ) -> Result<bool, QueueError> {
        let chat = self
            .statement(
                "UPDATE event SET place = 3, failures = ?2, reason = ?3
                 WHERE seq = ?1 AND place BETWEEN 1 AND 2 RETURNING channel, chat",
            )?
            .query_row(params![sequence, failures, reason], |row| {
                Ok((as_stored(row, 0)?, as_stored(row, 1)?))
            })
            .optional()?;
        self.follow(chat)
    }

    /// Makes the earliest event of a chat its next one.
    fn follow(&self, chat: Option<Chat>) -> Result<bool, QueueError> {
        let Some((channel, chat)) = chat else {
            return Ok(false);
        };
        self.statement(
            "UPDATE event SET place = 1 WHERE seq = (SELECT seq FROM event
             WHERE channel = ?1 AND chat = ?2 AND place = 0 ORDER BY time, seq LIMIT 1)",
        )?
        .execute(params![channel, chat])?;
        Ok(true)
    }

    /// A dead letter waits again as if it had just been accepted, but for its place in its chat, which
    /// LINE's timestamp decides. `false` where there is no such dead letter.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn replay(&self, sequence: i64, now: i64) -> Result<bool, QueueError> {
        let found: Option<(Value, Value, i64)> = self
            .statement("SELECT channel, chat, time FROM event WHERE seq = ?1 AND place = 3")?
            .query_row([sequence], |row| {
                Ok((
                    as_stored(row, 0)?,
                    as_stored(row, 1)?,
                    number(row.get_ref(2)?),
                ))
            })
            .optional()?;
        let Some((channel, chat, time)) = found else {
            return Ok(false);
        };
        let place = self.place_of(&channel, &chat, time, sequence)?;
        self.statement(
            "UPDATE event SET place = ?2, accepted = ?3, due = ?3, failures = 0, reason = NULL
             WHERE seq = ?1",
        )?
        .execute(params![sequence, place, now])?;
        Ok(true)
    }

    /// A dead letter goes for good; its id stays remembered. `false` where there is no such dead
    /// letter.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn drop_dead(&self, sequence: i64) -> Result<bool, QueueError> {
        let gone = self
            .statement("DELETE FROM event WHERE seq = ?1 AND place = ?2")?
            .execute(params![sequence, place::DEAD])?;
        Ok(gone == 1)
    }
}
