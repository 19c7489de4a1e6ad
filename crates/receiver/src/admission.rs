//! Who may stay where there is no room for all: for connections, and for the bodies in memory. It
//! closes what waits for its client, and never a complete request. It reads and writes no socket.
//!
//! LINE's requests are small and come at once. So whoever holds large bodies or waits for long makes
//! room for them, and a peer that holds more than its share does so first. Behind a reverse proxy all
//! peers have one address: size and age decide alone there.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;

use tokio::task::AbortHandle;

/// The most bytes of bodies that are held in memory at once.
const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;
/// A peer's share of the connections and of the bytes is one of so many.
const SHARES: usize = 4;

/// What a connection is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has no request, or only a part of a head.
    Idle,
    /// Its request's body is still coming.
    ReadingBody,
    /// Its request is complete and waits for its answer.
    Answering,
}

/// There is no room, and nobody who could make some.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// What a peer holds of all.
#[derive(Default)]
struct Holdings {
    connections: Cell<usize>,
    bytes: Cell<usize>,
}

struct Connection {
    phase: Phase,
    /// The tick at which the phase began.
    since: u64,
    /// Bytes of its request's body in memory.
    bytes: usize,
    address: IpAddr,
    peer: Rc<Holdings>,
    task: Option<AbortHandle>,
}

/// The open connections.
pub(crate) struct Connections {
    most: usize,
    ticks: u64,
    bytes: usize,
    open: HashMap<u64, Connection>,
    peers: HashMap<IpAddr, Rc<Holdings>>,
}

impl Connections {
    /// Room for so many.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            ticks: 0,
            bytes: 0,
            open: HashMap::new(),
            peers: HashMap::new(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn are_full(&self) -> bool {
        self.open.len() >= self.most
    }

    /// Whether any has a request.
    pub(crate) fn are_busy(&self) -> bool {
        let mut open = self.open.values();
        open.any(|connection| connection.phase != Phase::Idle)
    }

    /// Takes one in; the answer is its id.
    pub(crate) fn open(&mut self, address: IpAddr) -> u64 {
        let address = network(address);
        let peer = Rc::clone(self.peers.entry(address).or_default());
        peer.connections.set(peer.connections.get() + 1);
        let since = self.tick();
        let connection = Connection {
            phase: Phase::Idle,
            since,
            bytes: 0,
            address,
            peer,
            task: None,
        };
        self.open.insert(since, connection);
        since
    }

    /// Names the task that serves a connection.
    pub(crate) fn run_by(&mut self, id: u64, task: AbortHandle) {
        if let Some(connection) = self.open.get_mut(&id) {
            connection.task = Some(task);
        }
    }

    pub(crate) fn enter(&mut self, id: u64, phase: Phase) {
        let since = self.tick();
        if let Some(connection) = self.open.get_mut(&id) {
            connection.phase = phase;
            connection.since = since;
        }
    }

    /// A connection has ended.
    pub(crate) fn close(&mut self, id: u64) {
        self.release(id);
        let Some(connection) = self.open.remove(&id) else {
            return;
        };
        let left = connection.peer.connections.get() - 1;
        connection.peer.connections.set(left);
        if left == 0 {
            self.peers.remove(&connection.address);
        }
    }

    /// Closes the connection that has waited for its client for longest, of a peer with more than
    /// its share first. `false` where every one has a complete request.
    pub(crate) fn evict(&mut self) -> bool {
        let share = self.most.div_ceil(SHARES);
        let waiting = self
            .open
            .iter()
            .filter(|(_, connection)| connection.phase != Phase::Answering);
        let last = waiting.min_by_key(|(_, connection)| {
            (connection.peer.connections.get() <= share, connection.since)
        });
        let id = last.map(|(id, _)| *id);
        id.is_some_and(|id| {
            self.abort(id);
            true
        })
    }

    /// Makes room for so many more bytes of a connection's body. Where there is none, unfinished
    /// bodies are closed: the largest first, and before them those of a peer with more than its
    /// share. The answer is how many were.
    ///
    /// # Errors
    ///
    /// Where it is this body's turn to go, or every other one is complete.
    pub(crate) fn buffer(&mut self, id: u64, bytes: usize) -> Result<u64, Refused> {
        let mut closed = 0;
        while self.bytes + bytes > MAX_BUFFERED_BYTES {
            let largest = self.largest(id, bytes).ok_or(Refused)?;
            if largest == id {
                return Err(Refused);
            }
            self.abort(largest);
            closed += 1;
        }
        let Some(connection) = self.open.get_mut(&id) else {
            return Err(Refused);
        };
        connection.bytes += bytes;
        let peer = &connection.peer.bytes;
        peer.set(peer.get() + bytes);
        self.bytes += bytes;
        Ok(closed)
    }

    /// The unfinished body that has to go where `id` wants so many more bytes.
    fn largest(&self, id: u64, more: usize) -> Option<u64> {
        let share = MAX_BUFFERED_BYTES / SHARES;
        let unfinished = self
            .open
            .iter()
            .filter(|(_, connection)| connection.phase == Phase::ReadingBody);
        let largest = unfinished.max_by_key(|(other, connection)| {
            let more = if **other == id { more } else { 0 };
            (
                connection.peer.bytes.get() + more > share,
                connection.bytes + more,
                Reverse(connection.since),
            )
        });
        largest.map(|(id, _)| *id)
    }

    /// A connection's body is out of memory.
    pub(crate) fn release(&mut self, id: u64) {
        if let Some(connection) = self.open.get_mut(&id) {
            let bytes = std::mem::take(&mut connection.bytes);
            let peer = &connection.peer.bytes;
            peer.set(peer.get() - bytes);
            self.bytes -= bytes;
        }
    }

    fn abort(&mut self, id: u64) {
        let task = self.open.get_mut(&id).and_then(|open| open.task.take());
        self.close(id);
        if let Some(task) = task {
            task.abort();
        }
    }

    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }
}

/// What counts as one peer: an address, or of IPv6 the network that one subscriber has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: usize = 1024 * 1024;

    fn peer(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    fn reading(connections: &mut Connections, address: IpAddr, bytes: usize) -> u64 {
        let id = connections.open(address);
        connections.enter(id, Phase::ReadingBody);
        connections.buffer(id, bytes).unwrap();
        id
    }

    #[test]
    fn the_largest_unfinished_body_makes_room_for_a_small_one_of_the_same_peer() {
        let mut connections = Connections::new(1_000);
        let large: Vec<u64> = (0..64)
            .map(|_| reading(&mut connections, peer(1), MEBIBYTE))
            .collect();
        let small = connections.open(peer(1));
        connections.enter(small, Phase::ReadingBody);
        assert_eq!(connections.buffer(small, 2_000), Ok(1));
        assert_eq!(connections.count(), 64);
        assert!(
            !connections.open.contains_key(&large[0]),
            "the oldest of equals"
        );
        // One that grows beyond all others goes itself.
        assert_eq!(connections.buffer(large[1], MEBIBYTE), Err(Refused));
        // What is complete stays.
        for id in &large[1..] {
            connections.enter(*id, Phase::Answering);
        }
        assert_eq!(connections.buffer(small, MEBIBYTE), Err(Refused));
        for id in large {
            connections.close(id);
        }
        connections.close(small);
        assert_eq!((connections.bytes, connections.peers.len()), (0, 0));
    }

    #[test]
    fn a_peer_with_more_than_its_share_pays_before_a_larger_body_of_another() {
        let mut connections = Connections::new(1_000);
        let other = reading(&mut connections, peer(2), 2 * MEBIBYTE);
        for _ in 0..62 {
            reading(&mut connections, peer(1), MEBIBYTE);
        }
        assert_eq!(connections.buffer(other, MEBIBYTE), Ok(1));
        assert!(connections.open.contains_key(&other));
    }

    #[test]
    fn connections_go_by_share_and_then_by_age_but_never_with_a_complete_request() {
        let mut connections = Connections::new(8);
        let oldest = connections.open(peer(2));
        let greedy: Vec<u64> = (0..3).map(|_| connections.open(peer(1))).collect();
        assert!(connections.evict());
        assert!(!connections.open.contains_key(&greedy[0]), "over its share");
        assert!(connections.evict());
        assert!(!connections.open.contains_key(&oldest), "the oldest");
        for id in &greedy {
            connections.enter(*id, Phase::Answering);
        }
        assert!(!connections.evict());
    }

    #[test]
    fn addresses_of_one_subscriber_are_one_peer() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:3::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
