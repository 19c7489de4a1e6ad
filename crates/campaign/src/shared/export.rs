//! From a ledger to the store. What is there already is left alone: each object's name is its digest,
//! and the plan is named last, so that one that ended halfway is no plan.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use line_connector_client::{Error, Kind};
use line_connector_core::digest::sha256;
use serde::Serialize;
use serde_json::{Value, json};

use super::chunk::{ChunkFile, PartFile};
use super::manifest::{CHUNKS_A_PAGE, FORMAT, Lane, Manifest, Method, Pointer, plan_name};
use super::{SharedRun, Store};
use crate::campaigner::Campaigner;
use crate::ledger::{Access, Ledger, PlannedPart};
use crate::part::retry_key;
use crate::plan::PlanOptions;

/// How many objects are on their way to the store at once.
const UPLOADS: usize = 8;
/// Into how many chunks a second of LINE's rate is cut: what a death undoes, and what is asked of the
/// engine, stay small.
const CHUNKS_A_SECOND: u32 = 4;
/// How many people who get nothing stand in an object.
const SKIPPED: usize = 10_000;

impl Campaigner<'_> {
    /// Plans the campaign as [`Campaigner::plan`] does, and puts it into a store, from which several
    /// machines send it. The ledger is of no use afterwards. `url` is what people call the store.
    ///
    /// # Errors
    ///
    /// As [`Campaigner::plan`]; where the run was started already; where the campaign needs a file that
    /// only one machine has.
    pub fn plan_shared(
        &self,
        options: &PlanOptions,
        store: &dyn Store,
        url: &str,
    ) -> Result<Value, Error> {
        if self.campaign.frequency_cap.is_some() {
            let message = "a shared run has no `frequency_cap`: its history is a file of one machine; nothing was planned";
            let hint = "leave people out in the list, or send it from one machine";
            return Err(Error::new(Kind::InvalidDocument, message).with_hint(hint));
        }
        let run = self.run_id();
        SharedRun::refuse_started(store, &run)?;
        let mut plan = self.plan(options)?;
        let ledger = Ledger::open(&self.ledger, Access::Read)?;
        self.export(&ledger, store)?;
        let url = url.trim_end_matches('/');
        plan["ledger"] = json!(format!("{url}/runs/{run}"));
        let asks = (self.campaign.suppress.as_ref()).is_some_and(|list| list.queue.is_some());
        if asks && let Some(warnings) = plan["warnings"].as_array_mut() {
            let warning = "who left an account was asked now; it is not asked again before each request, as it is with a ledger";
            warnings.push(json!(warning));
        }
        Ok(plan)
    }

    fn export(&self, ledger: &Ledger, store: &dyn Store) -> Result<(), Error> {
        let run = ledger.run()?;
        let uploads = |objects: &SyncSender<Object>| {
            let mut lanes = Lanes {
                run: &run.id,
                most: [Method::One, Method::Many].map(|method| self.requests_a_chunk(method)),
                open: Vec::new(),
                objects,
            };
            ledger.planned_parts(|part| lanes.add(part))?;
            let skipped = skipped(ledger, objects)?;
            Ok((lanes.close()?, skipped))
        };
        let (lanes, skipped) = upload(store, uploads)?;
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            run: run.id.clone(),
            digest: run.digest.clone(),
            campaign: self.campaign.clone(),
            left_out: ledger.left_out()?.into_iter().collect(),
            planned_ms: run.planned_ms,
            lanes,
            skipped,
        };
        let manifest = Object::of("manifests", &manifest);
        store.put_new(&manifest.name(), manifest.bytes)?;
        let pointer = Pointer {
            manifest: manifest.sha256,
            digest: run.digest,
        };
        let pointer = serde_json::to_vec(&pointer).unwrap_or_default();
        store.put(&plan_name(&run.id), pointer)
    }

    /// How many requests make a chunk.
    fn requests_a_chunk(&self, method: Method) -> u64 {
        let send = &self.connector.catalog().manifest().send;
        let action = match method {
            Method::One => &send.one,
            Method::Many => &send.many,
        };
        let (calls, seconds) = self.lines_rate(action).unwrap_or((200, 1));
        u64::from((calls / seconds.max(1) / CHUNKS_A_SECOND).clamp(1, 1000))
    }
}

/// Something for the store.
struct Object {
    folder: &'static str,
    sha256: String,
    bytes: Vec<u8>,
}

impl Object {
    fn of(folder: &'static str, value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        Self {
            folder,
            sha256: sha256(&bytes),
            bytes,
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.folder, self.sha256)
    }
}

/// Puts what `make` makes into the store, several objects at once. All are there when it returns.
fn upload<T>(
    store: &dyn Store,
    make: impl FnOnce(&SyncSender<Object>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (objects, queue) = sync_channel::<Object>(UPLOADS);
    let queue = Mutex::new(queue);
    let next = |queue: &Mutex<Receiver<Object>>| {
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.recv().ok()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..UPLOADS)
            .map(|_| {
                scope.spawn(|| -> Result<(), Error> {
                    let mut failed = Ok(());
                    // After a failure the rest is only taken away, so that nobody waits for room.
                    while let Some(object) = next(&queue) {
                        if failed.is_ok() {
                            failed = store.put_new(&object.name(), object.bytes).map(drop);
                        }
                    }
                    failed
                })
            })
            .collect();
        let outcome = make(&objects);
        drop(objects);
        for thread in threads {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "an upload broke off")))?;
        }
        outcome
    })
}

fn hand_over(objects: &SyncSender<Object>, object: Object) -> Result<(), Error> {
    let gone = |_| Error::new(Kind::Internal, "nobody writes to the store any more");
    objects.send(object).map_err(gone)
}

/// Lanes that take parts, in the order in which they came up.
struct Lanes<'a> {
    run: &'a str,
    /// How many requests make a chunk to one, and to many.
    most: [u64; 2],
    open: Vec<Open>,
    objects: &'a SyncSender<Object>,
}

/// A lane, and its chunk that is not full yet.
struct Open {
    lane: Lane,
    chunk: ChunkFile,
    /// The places of the chunk's renderings.
    known: HashMap<[u8; 16], usize>,
    requests: u64,
    page: Vec<String>,
}

impl Lanes<'_> {
    fn add(&mut self, part: &PlannedPart) -> Result<(), Error> {
        let method = match part.people.len() {
            1 => Method::One,
            _ => Method::Many,
        };
        let is_own = |open: &Open| open.lane.account == part.account && open.lane.method == method;
        let place = self.open.iter().position(is_own).unwrap_or_else(|| {
            self.open.push(Open::new(&part.account, method));
            self.open.len() - 1
        });
        let [one, many] = self.most;
        let most = if method == Method::One { one } else { many };
        if let Some(open) = self.open.get_mut(place) {
            if open.requests > 0 && open.requests + part.count > most {
                open.close_chunk(self.objects)?;
            }
            open.add(self.run, part);
        }
        Ok(())
    }

    fn close(self) -> Result<Vec<Lane>, Error> {
        let mut lanes = Vec::new();
        for mut open in self.open {
            open.close_chunk(self.objects)?;
            open.close_page(self.objects)?;
            lanes.push(open.lane);
        }
        lanes.sort_by(|one, other| (&one.account, one.method).cmp(&(&other.account, other.method)));
        Ok(lanes)
    }
}

impl Open {
    fn new(account: &str, method: Method) -> Self {
        Self {
            lane: Lane {
                account: account.to_owned(),
                method,
                chunks: 0,
                parts: 0,
                people: 0,
                requests: 0,
                pages: Vec::new(),
            },
            chunk: ChunkFile {
                account: account.to_owned(),
                renderings: Vec::new(),
                parts: Vec::new(),
            },
            known: HashMap::new(),
            requests: 0,
            page: Vec::new(),
        }
    }

    fn add(&mut self, run: &str, part: &PlannedPart) {
        let renderings = &mut self.chunk.renderings;
        let rendering = *self.known.entry(part.digest).or_insert_with(|| {
            renderings.push(part.requests.clone());
            renderings.len() - 1
        });
        let ids = part.people.iter().map(|(_, id)| id.as_str());
        self.chunk.parts.push(PartFile {
            rendering,
            key: retry_key(run, &part.account, &part.digest, ids, 0),
            people: part.people.clone(),
        });
        self.requests += part.count;
        self.lane.parts += 1;
        self.lane.people += part.people.len() as u64;
        self.lane.requests += part.count;
    }

    fn close_chunk(&mut self, objects: &SyncSender<Object>) -> Result<(), Error> {
        if self.chunk.parts.is_empty() {
            return Ok(());
        }
        let object = Object::of("chunks", &self.chunk);
        self.page.push(object.sha256.clone());
        self.lane.chunks += 1;
        self.chunk.parts.clear();
        self.chunk.renderings.clear();
        self.known.clear();
        self.requests = 0;
        hand_over(objects, object)?;
        if self.page.len() == CHUNKS_A_PAGE {
            self.close_page(objects)?;
        }
        Ok(())
    }

    fn close_page(&mut self, objects: &SyncSender<Object>) -> Result<(), Error> {
        if self.page.is_empty() {
            return Ok(());
        }
        let object = Object::of("pages", &std::mem::take(&mut self.page));
        self.lane.pages.push(object.sha256.clone());
        hand_over(objects, object)
    }
}

/// Names those who get nothing, with the line of the list and the reason.
fn skipped(ledger: &Ledger, objects: &SyncSender<Object>) -> Result<Vec<String>, Error> {
    let mut digests = Vec::new();
    let mut page: Vec<(i64, String, String)> = Vec::new();
    let mut close = |page: &mut Vec<_>| {
        let object = Object::of("skipped", &std::mem::take(page));
        digests.push(object.sha256.clone());
        hand_over(objects, object)
    };
    ledger.people(|person, _| -> Result<(), Error> {
        if let Some(reason) = &person.left_out {
            page.push((person.line, person.id.clone(), reason.clone()));
        }
        if page.len() == SKIPPED {
            close(&mut page)?;
        }
        Ok(())
    })?;
    if !page.is_empty() {
        close(&mut page)?;
    }
    Ok(digests)
}

impl SharedRun {
    /// Takes a run's URL apart, as [`Campaigner::plan_shared`] tells it: the store's, and the run's ID.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn place(url: &str) -> Result<(String, String), Error> {
        let place = url.trim_end_matches('/').rsplit_once("/runs/");
        match place {
            Some((store, run)) if !run.is_empty() && !run.contains('/') => {
                Ok((store.to_owned(), run.to_owned()))
            }
            _ => {
                let message = format!("{url} is not the URL of a shared run");
                let hint =
                    "it ends in /runs/ and the run's ID, as `campaign plan --to URL` tells it";
                Err(Error::new(Kind::Usage, message).with_hint(hint))
            }
        }
    }
}
