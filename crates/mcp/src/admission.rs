//! Who may stay over HTTP where there is no room for all: connections, and sessions of the older protocol.
//! What has been idle for longest goes, so that nobody keeps others out by being there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rmcp::transport::streamable_http_server::SessionManager as _;
use rmcp::transport::streamable_http_server::session::SessionId;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio::task::AbortHandle;

/// The most connections.
const CONNECTIONS: usize = 256;
/// The most sessions of clients of the older generation.
const SESSIONS: usize = 64;

struct Connection {
    /// Whether its client has shown the secret.
    is_known: bool,
    /// Since when it waits for a request; nothing while one is answered.
    waits: Option<Instant>,
    task: Option<AbortHandle>,
}

/// The open connections.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Numbered>);

#[derive(Default)]
struct Numbered {
    next: u64,
    open: HashMap<u64, Connection>,
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one in, and closes another where there are too many: the one that has waited for a request
    /// for longest, of clients that have not shown the secret first. Nothing where all are being
    /// answered.
    pub(crate) fn open(self: &Arc<Self>) -> Option<Place> {
        let mut connections = self.lock();
        if connections.open.len() >= CONNECTIONS {
            let waiting = connections.open.iter();
            let waiting = waiting.filter_map(|(id, connection)| {
                Some(((connection.is_known, connection.waits?), *id))
            });
            let (_, last) = waiting.min()?;
            let task = connections.open.remove(&last).and_then(|last| last.task);
            if let Some(task) = task {
                task.abort();
            }
        }
        let id = connections.next;
        connections.next += 1;
        let connection = Connection {
            is_known: false,
            waits: Some(Instant::now()),
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
        self.connections.change(self.id, |connection| {
            connection.is_known = true;
            connection.waits = Some(Instant::now());
        });
    }

    /// The request has come whole. It is answered until what is given here is dropped.
    pub(crate) fn answering(&self) -> Answering {
        self.connections
            .change(self.id, |connection| connection.waits = None);
        Answering {
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

/// A request that is being answered. Its connection may end before.
pub(crate) struct Answering {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for Answering {
    fn drop(&mut self) {
        let waits = Some(Instant::now());
        self.connections
            .change(self.id, |connection| connection.waits = waits);
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
