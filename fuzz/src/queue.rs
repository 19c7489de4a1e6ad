//! Rows of the receiver's queue, as a failing disk may give them back.

use std::cell::RefCell;

use line_connector_receiver::document::document;
use line_connector_receiver::queue::{EventState, Queue};
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::de::IgnoredAny;
use tempfile::TempDir;

/// A queue, and another way into its file.
struct Place {
    _folder: TempDir,
    queue: Queue,
    disk: Connection,
}

impl Place {
    fn new() -> Self {
        let folder = super::folder();
        let path = folder.path().join("queue");
        let queue = Queue::open(&path).expect("a queue");
        let disk = Connection::open(&path).expect("its file");
        disk.execute_batch("PRAGMA synchronous = OFF")
            .expect("no waiting");
        Self {
            _folder: folder,
            queue,
            disk,
        }
    }
}

thread_local!(static PLACE: RefCell<Place> = RefCell::new(Place::new()));

/// The next value that bytes stand for: a byte that says which kind, then what it is.
fn value<'a>(bytes: &mut &'a [u8]) -> ToSqlOutput<'a> {
    let mut take = |most: usize| {
        let (taken, rest) = bytes.split_at(most.min(bytes.len()));
        *bytes = rest;
        taken
    };
    let [kind, length] = *take(2) else {
        return ToSqlOutput::Borrowed(ValueRef::Integer(1));
    };
    let eight = |bytes: &[u8]| {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        eight
    };
    ToSqlOutput::Borrowed(match kind % 5 {
        0 => ValueRef::Integer(i64::from_be_bytes(eight(take(8)))),
        1 => ValueRef::Real(f64::from_be_bytes(eight(take(8)))),
        2 => ValueRef::Blob(take(length.into())),
        _ => ValueRef::Text(take(length.into())),
    })
}

/// Bytes as the columns of one row: it is delivered or told to be damaged, and the row beside it is
/// delivered in any case.
pub(crate) fn queue(mut bytes: &[u8]) {
    PLACE.with_borrow_mut(|Place { queue, disk, .. }| {
        disk.execute_batch(
            "BEGIN IMMEDIATE;
             DELETE FROM event;
             INSERT INTO event VALUES (2, 'U1', 'b', 'c2', 1, 1, 1, 1, 0, 0, NULL, '{}');",
        )
        .expect("a row");
        let columns = [(); 9].map(|()| value(&mut bytes));
        let place = columns[0].clone();
        let columns = rusqlite::params_from_iter(columns.iter().skip(1).chain([&place]));
        let insert = "INSERT OR IGNORE INTO event
                 (seq, place, channel, id, chat, time, accepted, due, attempts, failures, body)
             VALUES (1, 1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let mut insert = disk.prepare_cached(insert).expect("a statement");
        // What a column cannot hold stands in none.
        let _ = insert.execute(columns);
        disk.execute_batch("COMMIT").expect("a row");
        let waiting = queue.list(EventState::Waiting, 0, 9).expect("a listing");
        queue
            .write(|changes| {
                let out = changes.hand_out(i64::MAX, 9)?;
                assert!(out.iter().any(|event| event.sequence == 2));
                assert!(out.len() <= waiting.len());
                for event in &out {
                    if let Ok(line) = document(event, false) {
                        assert!(!line.contains(['\n', '\r']));
                        assert!(serde_json::from_str::<IgnoredAny>(&line).is_ok(), "{line}");
                    }
                    changes.postpone(event.sequence, 1, event.failures, "later")?;
                    if event.sequence == 1 {
                        assert!(changes.dead_letter(1, event.failures, "damaged")?);
                        assert!(changes.replay(1, 1)?);
                    } else {
                        assert!(changes.acknowledge(event.sequence)?);
                    }
                }
                Ok(())
            })
            .expect("a transaction");
    });
}
