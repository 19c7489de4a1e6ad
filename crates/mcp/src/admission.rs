//! Who may stay over HTTP where there is no room for all: connections, and sessions of the older protocol.
//! What has waited for its client for longest goes, so that nobody keeps others out by being there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rmcp::transport::streamable_http_server::SessionManager as _;
use rmcp::transport::streamable_http_server::session::SessionId;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio::task::AbortHandle;

/// The most connections.
const CONNECTIONS: usize = 256;
/// The most streams of a session on which a client listens: one, and one in whose place it came.
const STREAMS: usize = 2;
/// The most sessions of clients of the older generation.
const SESSIONS: usize = 64;

/// What a connection is for while nothing works on its request, in the order in which they are closed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Waits {
    /// Its client has not shown the secret.
    Unknown,
    /// Its client may ask, or hear something on a stream: it can come again.
    Idle,
    /// Its client has to take its answer, or to say something before there is one.
    Owed,
}

struct Connection {
    waits: Waits,
    since: Instant,
    /// How many requests of it are worked on. It is not closed meanwhile.
    working: usize,
    /// The session on which it listens.
    stream: Option<String>,
    task: Option<AbortHandle>,
}

impl Connection {
    fn wait(&mut self, waits: Waits) {
        self.waits = waits;
        self.since = Instant::now();
    }
}

/// The open connections.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Numbered>);

#[derive(Default)]
struct Numbered {
    next: u64,
    open: HashMap<u64, Connection>,
}

impl Numbered {
    fn close(&mut self, id: u64) {
        let task = self.open.remove(&id).and_then(|closed| closed.task);
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one in, and closes another where there are too many: the one that has waited for its client
    /// for longest, of clients that have not shown the secret first, and last of those that are owed an
    /// answer. Nothing where all are being worked on.
    pub(crate) fn open(self: &Arc<Self>) -> Option<Place> {
        let mut connections = self.lock();
        if connections.open.len() >= CONNECTIONS {
            let open = connections.open.iter();
            let waiting = open.filter(|(_, connection)| connection.working == 0);
            let waiting = waiting.map(|(id, waiting)| (waiting.waits, waiting.since, *id));
            let (_, _, last) = waiting.min()?;
            connections.close(last);
        }
        let id = connections.next;
        connections.next += 1;
        let connection = Connection {
            waits: Waits::Unknown,
            since: Instant::now(),
            working: 0,
            stream: None,
            task: None,
        };
        connections.open.insert(id, connection);
        Some(Place {
            connections: Arc::clone(self),
            id,
        })
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.lock().open.get_mut(&id) {
            change(connection);
        }
    }

    /// Names the task that serves a connection: it is ended where the connection has to go.
    pub(crate) fn is_served_by(&self, id: u64, task: AbortHandle) {
        self.change(id, |connection| connection.task = Some(task));
    }
}

/// A connection's place among the others, as long as it is open.
pub(crate) struct Place {
    connections: Arc<Connections>,
    pub(crate) id: u64,
}

impl Place {
    /// The head of a request has come, of a client that may make it. Its body is still waited for.
    pub(crate) fn is_asked(&self) {
        self.connections
            .change(self.id, |connection| connection.wait(Waits::Idle));
    }

    /// The request has come whole, and is worked on until the first is dropped. Its answer is on its way
    /// until the second is.
    pub(crate) fn working(&self) -> (Working, Answer) {
        self.connections.change(self.id, |connection| {
            connection.wait(Waits::Owed);
            connection.working += 1;
        });
        let working = Working {
            connections: Arc::clone(&self.connections),
            id: self.id,
        };
        (working, self.answer())
    }

    /// The answer will be a stream of whatever comes in a session, which works on nothing. Where the
    /// session has too many, its oldest is closed.
    pub(crate) fn listening(&self, session: &str) -> Answer {
        let mut connections = self.connections.lock();
        let streams = connections.open.iter();
        let streams = streams.filter(|(_, other)| other.stream.as_deref() == Some(session));
        let mut streams: Vec<_> = streams.map(|(id, other)| (other.since, *id)).collect();
        streams.sort_unstable();
        let excess = (streams.len() + 1).saturating_sub(STREAMS);
        for (_, id) in streams.into_iter().take(excess) {
            connections.close(id);
        }
        if let Some(connection) = connections.open.get_mut(&self.id) {
            connection.stream = Some(session.to_owned());
        }
        drop(connections);
        self.answer()
    }

    fn answer(&self) -> Answer {
        Answer {
            connections: Arc::clone(&self.connections),
            id: self.id,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().open.remove(&self.id);
    }
}

/// Work on a request. Its connection may end before.
pub(crate) struct Working {
    connections: Arc<Connections>,
    id: u64,
}

impl Working {
    /// Nothing can be done until the client has said something, or what is given here is dropped.
    pub(crate) fn pause(&self) -> Pause<'_> {
        self.stop();
        Pause(self)
    }

    fn stop(&self) {
        self.connections.change(self.id, |connection| {
            connection.working -= 1;
            connection.since = Instant::now();
        });
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A pause in the work on a request.
pub(crate) struct Pause<'a>(&'a Working);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        let Working { connections, id } = self.0;
        connections.change(*id, |connection| connection.working += 1);
    }
}

/// An answer on its way to its client.
pub(crate) struct Answer {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connections.change(self.id, |connection| {
            connection.wait(Waits::Idle);
            connection.stream = None;
        });
    }
}

/// The sessions, and when each was used last.
pub(crate) struct Sessions {
    manager: Arc<LocalSessionManager>,
    used: Mutex<HashMap<SessionId, Instant>>,
}

impl Sessions {
    pub(crate) fn new(manager: Arc<LocalSessionManager>) -> Self {
        Self {
            manager,
            used: Mutex::default(),
        }
    }

    /// A request came in a session.
    pub(crate) fn is_used(&self, id: &str) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = used.get_mut(id) {
            *last = Instant::now();
        }
    }

    /// A session has begun. Where there are too many, those that were used least recently end.
    pub(crate) async fn begin(&self, id: &str) {
        let mut open: Vec<SessionId> = self.manager.sessions.read().await.keys().cloned().collect();
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.retain(|known, _| open.contains(known));
            used.insert(id.into(), Instant::now());
            // One whose beginning nobody waited for has no time, and is the first to go.
            open.sort_by_key(|session| used.get(session).copied());
        }
        let excess = open.len().saturating_sub(SESSIONS);
        for session in open.iter().take(excess) {
            // It may have ended meanwhile.
            let _ = self.manager.close_session(session).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_owed_an_answer_goes_last_and_nobody_during_the_work() {
        let connections = Arc::new(Connections::default());
        let is_open = |place: &Place| connections.lock().open.contains_key(&place.id);
        let open = || connections.open();
        let mut places: Vec<Place> = (0..CONNECTIONS).filter_map(|_| open()).collect();
        let (work, _untaken) = places[0].working();
        drop(work);
        places[1].is_asked();
        let mut under_way: Vec<_> = places[3..].iter().map(Place::working).collect();
        for (gone, left) in [(2, &[0, 1][..]), (1, &[0]), (0, &[])] {
            let new = open().unwrap();
            under_way.push(new.working());
            places.push(new);
            assert!(!is_open(&places[gone]));
            assert!(left.iter().all(|left| is_open(&places[*left])));
        }
        assert!(open().is_none());
    }
}
