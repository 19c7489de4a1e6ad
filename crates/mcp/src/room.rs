//! Room for the bytes of requests over HTTP, of all clients together. What is still coming makes way for
//! what is smaller or has come whole, so that nobody keeps others out by bodies that do not end; and large
//! requests leave some to small ones.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::bounded::{BYTES, MEBIBYTE};

/// The most bytes of a small request, and what each holds at least: what answers it.
const SMALL: usize = 64 * 1024;
/// Bytes beside the others that only small requests may hold.
const RESERVE: usize = 4 * MEBIBYTE;

/// There is no room, and nothing that makes way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// The room, and what holds it.
#[derive(Default)]
pub(crate) struct Room(Mutex<Held>);

#[derive(Default)]
struct Held {
    bytes: usize,
    next: u64,
    coming: BTreeMap<u64, Body>,
}

/// A body that is still coming.
struct Body {
    bytes: usize,
    /// Tells who reads it, when it is dropped, that it has to go.
    _stays: oneshot::Sender<()>,
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body begins. The second of what is given ends where it has to make way.
    pub(crate) fn begin(self: &Arc<Self>) -> (Coming, oneshot::Receiver<()>) {
        let (stays, goes) = oneshot::channel();
        let mut held = self.lock();
        let id = held.next;
        held.next += 1;
        let body = Body {
            bytes: 0,
            _stays: stays,
        };
        held.coming.insert(id, body);
        let room = Arc::clone(self);
        (Coming { room, id }, goes)
    }
}

impl Held {
    /// Takes so many bytes more for a request that is then so large. Where there is no room, the largest
    /// bodies that are still coming and have `least` bytes make way; none does where all would not do.
    fn take(&mut self, more: usize, size: usize, least: usize) -> Result<(), NoRoom> {
        let reserve = if size <= SMALL { RESERVE } else { 0 };
        let mut lacking = (self.bytes + more).saturating_sub(BYTES + reserve);
        if lacking > 0 {
            let others = self.coming.iter();
            let others = others.filter(|(_, other)| other.bytes >= least);
            let mut others: Vec<_> = others
                .map(|(id, other)| (Reverse(other.bytes), *id))
                .collect();
            if others.iter().map(|(other, _)| other.0).sum::<usize>() < lacking {
                return Err(NoRoom);
            }
            others.sort_unstable();
            for (_, id) in others {
                if lacking == 0 {
                    break;
                }
                lacking = lacking.saturating_sub(self.end(id));
            }
        }
        self.bytes += more;
        Ok(())
    }

    /// Ends a body that is still coming; the answer is what it held.
    fn end(&mut self, id: u64) -> usize {
        let bytes = self.coming.remove(&id).map_or(0, |body| body.bytes);
        self.bytes -= bytes;
        bytes
    }
}

/// The room of a body that is still coming.
pub(crate) struct Coming {
    room: Arc<Room>,
    id: u64,
}

impl Coming {
    /// Takes so many bytes more. Bodies that are as large make way, the oldest first.
    pub(crate) fn grow(&self, more: usize) -> Result<(), NoRoom> {
        let mut held = self.room.lock();
        let own = held.coming.get(&self.id).ok_or(NoRoom)?;
        // Its own bytes are fewer: it does not make way for itself.
        let size = own.bytes + more;
        held.take(more, size, size)?;
        if let Some(own) = held.coming.get_mut(&self.id) {
            own.bytes = size;
        }
        Ok(())
    }

    /// The body has come whole, and its request weighs so much. Every large body that is still coming
    /// makes way.
    pub(crate) fn whole(self, weight: usize) -> Result<Share, NoRoom> {
        // What weighs more takes all that can be counted on beside small requests.
        let weight = weight.clamp(SMALL, BYTES - RESERVE);
        let mut held = self.room.lock();
        let own = held.coming.remove(&self.id).ok_or(NoRoom)?;
        held.bytes -= own.bytes;
        held.take(weight, weight, own.bytes.min(SMALL))?;
        Ok(Share {
            room: Arc::clone(&self.room),
            bytes: weight,
        })
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.room.lock().end(self.id);
    }
}

/// The room of a request that has come whole.
pub(crate) struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.lock().bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coming(room: &Arc<Room>, bytes: usize) -> (Coming, oneshot::Receiver<()>) {
        let (body, goes) = room.begin();
        body.grow(bytes).unwrap();
        (body, goes)
    }

    fn has_gone(goes: &mut oneshot::Receiver<()>) -> bool {
        goes.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn the_largest_body_that_is_still_coming_makes_way() {
        let room = Arc::new(Room::default());
        let (_larger, mut larger) = coming(&room, 16 * MEBIBYTE);
        let (smaller, mut smaller_goes) = coming(&room, 15 * MEBIBYTE);
        let (new, mut new_goes) = coming(&room, MEBIBYTE);
        assert!(!has_gone(&mut larger));
        new.grow(1).unwrap();
        assert!(has_gone(&mut larger));
        // One that would be the largest goes itself.
        assert_eq!(smaller.grow(17 * MEBIBYTE), Err(NoRoom));
        assert!(!has_gone(&mut smaller_goes));
        // What has come whole makes no way, and small as it is it is let in before a larger one.
        let whole = new.whole(20 * MEBIBYTE).ok().unwrap();
        assert!(has_gone(&mut smaller_goes) && has_gone(&mut new_goes));
        let (late, _goes) = coming(&room, 12 * MEBIBYTE);
        assert_eq!(late.grow(1), Err(NoRoom));
        drop((whole, late));
        assert_eq!(room.lock().bytes, 0);
    }

    #[test]
    fn nothing_makes_way_in_vain() {
        let room = Arc::new(Room::default());
        let whole = coming(&room, MEBIBYTE).0.whole(20 * MEBIBYTE);
        let (_body, mut goes) = coming(&room, 8 * MEBIBYTE);
        let heavy = coming(&room, MEBIBYTE).0.whole(BYTES);
        assert!(heavy.is_err() && whole.is_ok());
        assert!(!has_gone(&mut goes));
    }

    #[test]
    fn large_requests_leave_room_to_small_ones() {
        let room = Arc::new(Room::default());
        let mut whole: Vec<_> = (0..2)
            .map(|_| coming(&room, MEBIBYTE).0.whole(16 * MEBIBYTE))
            .collect();
        assert!(coming(&room, 1000).0.whole(SMALL + 1).is_err());
        for _ in 0..RESERVE / SMALL {
            whole.push(coming(&room, 1000).0.whole(1000));
        }
        assert!(whole.iter().all(Result::is_ok));
        assert_eq!(room.begin().0.grow(1), Err(NoRoom));
        // The heaviest is let in beside small ones.
        drop(whole);
        let small = coming(&room, 1000).0.whole(1000);
        assert!(small.is_ok() && coming(&room, MEBIBYTE).0.whole(2 * BYTES).is_ok());
    }
}
