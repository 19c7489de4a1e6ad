//! The way of the answers to standard output: whole lines, at once when nothing else is ready,
//! together when much is, and in the order of the questions where that is wanted. It renders
//! nothing.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who has finished a call waits while so much is still to be written.
const MAX_PENDING: usize = 1024 * 1024;
/// In order: how many answers, and how many bytes of them, may wait for an earlier one.
const MAX_EARLY: u64 = 1024;
const MAX_EARLY_BYTES: usize = 64 * 1024 * 1024;

#[derive(Default)]
struct State {
    /// Lines that wait for whoever writes.
    pending: Vec<u8>,
    /// How many answers were added to them so far, and how many of these are written.
    added: u64,
    written: u64,
    /// Room for what is being written.
    batch: Vec<u8>,
    /// Whether someone writes.
    writing: bool,
    /// Why nothing more can be written.
    ended: Option<io::ErrorKind>,
    /// In order: the place of the answer that is written next.
    next: u64,
    /// In order: answers that wait for an earlier one.
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
    /// How many wait for room, or until all is written.
    crowded: usize,
}

impl State {
    /// Adds an answer to those that can be written, and those that waited for it alone.
    fn add(&mut self, sequence: Option<u64>, line: &[u8]) {
        let Some(sequence) = sequence else {
            return self.append(line);
        };
        if sequence != self.next {
            self.early_bytes += line.len();
            self.early.insert(sequence, line.to_vec());
            return;
        }
        self.append(line);
        self.next += 1;
        while let Some(line) = self.early.remove(&self.next) {
            self.early_bytes -= line.len();
            self.append(&line);
            self.next += 1;
        }
    }

    fn append(&mut self, line: &[u8]) {
        self.pending.extend_from_slice(line);
        self.added += 1;
    }

    /// Whether there is room for an answer. For the one that all others wait for there always is.
    fn has_room(&self, sequence: Option<u64>) -> bool {
        let early = match sequence {
            Some(sequence) if sequence != self.next => {
                sequence - self.next < MAX_EARLY && self.early_bytes < MAX_EARLY_BYTES
            }
            _ => true,
        };
        early && self.pending.len() < MAX_PENDING
    }
}

/// Where answers are given to be written. Whoever comes while nobody writes does it himself, and
/// for all who come meanwhile.
pub(super) struct Answers {
    ordered: bool,
    state: Mutex<State>,
    room: Condvar,
}

impl Answers {
    /// No answers yet.
    pub(super) fn new(ordered: bool) -> Self {
        Self {
            ordered,
            state: Mutex::default(),
            room: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, at most so long, until so many answers are written or none can be any more; says whether
    /// that has come.
    pub(super) fn wait(&self, count: u64, most: Duration) -> bool {
        let mut state = self.state();
        state.crowded += 1;
        let unwritten = |state: &mut State| state.ended.is_none() && state.written < count;
        let (mut state, time) = self
            .room
            .wait_timeout_while(state, most, unwritten)
            .unwrap_or_else(PoisonError::into_inner);
        state.crowded -= 1;
        !time.timed_out()
    }

    /// Writes an answer, or leaves it to whoever writes.
    ///
    /// # Errors
    ///
    /// Why nothing can be written any more, with the lines that were not.
    pub(super) fn give(
        &self,
        sequence: u64,
        line: &[u8],
        to: &mut impl Write,
    ) -> Result<(), (io::Error, Vec<u8>)> {
        let sequence = self.ordered.then_some(sequence);
        let mut state = self.state();
        state.crowded += 1;
        state = self
            .room
            .wait_while(state, |state| {
                state.ended.is_none() && !state.has_room(sequence)
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.crowded -= 1;
        if let Some(ended) = state.ended {
            return Err((ended.into(), line.to_vec()));
        }
        state.add(sequence, line);
        if state.writing {
            return Ok(());
        }
        state.writing = true;
        let mut batch = std::mem::take(&mut state.batch);
        while !state.pending.is_empty() {
            std::mem::swap(&mut batch, &mut state.pending);
            let added = state.added;
            drop(state);
            let written = to.write_all(&batch).and_then(|()| to.flush());
            state = self.state();
            if let Err(error) = written {
                state.ended = Some(error.kind());
                batch.append(&mut state.pending);
                state.early.values_mut().for_each(|line| batch.append(line));
                self.room.notify_all();
                return Err((error, batch));
            }
            batch.clear();
            state.written = added;
            if state.crowded > 0 {
                self.room.notify_all();
            }
        }
        state.writing = false;
        if batch.capacity() <= MAX_PENDING {
            state.batch = batch;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_order_wait_for_the_earlier_ones() {
        let answers = Answers::new(true);
        let mut written = Vec::new();
        for (sequence, line) in [(2, "c"), (1, "b"), (0, "a"), (3, "d")] {
            answers
                .give(sequence, line.as_bytes(), &mut written)
                .unwrap();
        }
        assert_eq!(written, b"abcd");
    }

    #[test]
    fn answers_out_of_order_come_as_they_are_given() {
        let answers = Answers::new(false);
        let mut written = Vec::new();
        for (sequence, line) in [(2, "c"), (0, "a")] {
            answers
                .give(sequence, line.as_bytes(), &mut written)
                .unwrap();
        }
        assert_eq!(written, b"ca");
    }

    #[test]
    fn nothing_is_written_to_one_who_has_gone() {
        struct Gone(u32);
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (answers, mut gone) = (Answers::new(false), Gone(0));
        for line in [b"a", b"b"] {
            let (error, lines) = answers.give(0, line, &mut gone).unwrap_err();
            assert_eq!(
                (error.kind(), lines.as_slice()),
                (io::ErrorKind::BrokenPipe, &line[..])
            );
        }
        assert_eq!(gone.0, 1);
    }

    #[test]
    fn few_answers_wait_for_a_late_one() {
        let answers = Answers::new(true);
        std::thread::scope(|scope| {
            for sequence in 1..=MAX_EARLY {
                let answers = &answers;
                if sequence < MAX_EARLY {
                    answers.give(sequence, b"x", &mut io::sink()).unwrap();
                } else {
                    scope.spawn(move || answers.give(sequence, b"x", &mut io::sink()).unwrap());
                }
            }
            assert!(answers.state().early.len() < usize::try_from(MAX_EARLY).unwrap());
            answers.give(0, b"x", &mut io::sink()).unwrap();
        });
        assert_eq!(answers.state().next, MAX_EARLY + 1);
    }
}
