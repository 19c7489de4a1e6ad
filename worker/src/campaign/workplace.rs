//! What a worker does between two entries of a journal: it reads the store, asks LINE, sends.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use line_connector::campaign::Accounts;
use line_connector::{AssetFile, catalog};
use line_connector_campaign::{
    AssetSource, Campaign, Campaigner, Channel, Chunk, Manifest, Permit, Round, SharedRun,
    Standing, Turn, Unusable,
};
use line_connector_client::{Clock as _, Error, Kind, SystemClock};
use restate_sdk::prelude::{HandlerError, HandlerResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rate::Back;
use super::run::{Look, Order, Plan};
use super::services::LATE_MS;
use super::store::Objects;

/// How many senders may have begun at once. When they are more, all begin again.
const BEGUN: usize = 10_000;
/// How many plans are kept at hand.
const PLANS: usize = 64;
/// How long a turn without a rate limit goes on, milliseconds, before it writes down how far it is.
const ROUND_MS: i64 = 30_000;
/// How long after a death its requests may still be under way, milliseconds.
const LAST_WORDS_MS: i64 = 500;
/// How often the end of a chunk is written before it is taken for lost.
const TRIES: u32 = 3;

/// A worker's surroundings.
pub(super) struct Workplace {
    pub(super) store: Objects,
    /// Where the assets are that documents name.
    pub(super) assets: PathBuf,
    pub(super) asset: AssetFile,
    pub(super) actions: Option<PathBuf>,
    plans: Mutex<HashMap<String, Arc<Known>>>,
    /// Senders that have begun in this process, and not sent yet.
    begun: Mutex<HashSet<String>>,
}

/// A plan, and what its accounts send through.
struct Known {
    manifest: Manifest,
    accounts: Result<Accounts, Error>,
}

/// That a sender begins, as the journal has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begun {
    id: String,
    pub(super) at_ms: i64,
}

/// What came of sending.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Parts were sent, or tried to be.
    Sent(Round),
    /// Whoever began did not end: it may have sent anything. Nothing was sent now.
    Late { at_ms: i64 },
    /// The chunk cannot be sent.
    Parked(String),
}

impl Step {
    /// What becomes of a lease after it.
    pub(super) fn back(&self, lease: String, permits: Vec<Permit>) -> Back {
        let (used, unused, is_refused) = match self {
            Self::Sent(round) => (round.used.clone(), round.unused.clone(), round.is_refused),
            Self::Parked(_) => (Vec::new(), permits, false),
            // Those whose time had come may have been used until now.
            Self::Late { at_ms } => {
                let (used, unused): (Vec<Permit>, Vec<Permit>) = permits
                    .into_iter()
                    .partition(|permit| permit.at_ms <= *at_ms);
                let used = used.into_iter().map(|permit| Permit {
                    at_ms: at_ms + LAST_WORDS_MS,
                    ..permit
                });
                (used.collect(), unused, false)
            }
        };
        Back {
            lease,
            used,
            unused,
            is_refused,
        }
    }
}

/// Lets senders begin nothing more when nobody waits for them any longer.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemClock.now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// Runs what waits for disks and networks beside what may not.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> HandlerResult<T> + Send + 'static,
) -> HandlerResult<T> {
    tokio::task::spawn_blocking(work).await?
}

impl Workplace {
    pub(super) fn new(
        store: Objects,
        assets: PathBuf,
        asset: AssetFile,
        actions: Option<PathBuf>,
    ) -> Self {
        Self {
            store,
            assets,
            asset,
            actions,
            plans: Mutex::default(),
            begun: Mutex::default(),
        }
    }

    /// Fixes the plan of a run as the one that is sent, if it is the one that is meant. The inner error
    /// is for people.
    pub(super) async fn plan(
        self: Arc<Self>,
        run: String,
        confirm: String,
    ) -> HandlerResult<Result<Plan, String>> {
        aside(move || {
            let opened = match SharedRun::open(&self.store, &run) {
                Ok(opened) => opened,
                Err(error) if error.kind == Kind::Unavailable => return Err(error.into()),
                Err(error) => return Ok(Err(error.message)),
            };
            let manifest = &opened.manifest;
            if let Err(error) = opened.confirm(&confirm) {
                let hint = error.hint.unwrap_or_default();
                return Ok(Err(format!("{}: {hint}", error.message)));
            }
            match opened.fix(&self.store) {
                Err(error) if error.kind == Kind::Unavailable => return Err(error.into()),
                Err(error) => return Ok(Err(error.message)),
                Ok(()) => {}
            }
            let sending = &manifest.campaign.sending;
            Ok(Ok(Plan {
                lanes: manifest.lanes.clone(),
                begins_ms: manifest.campaign.begins_ms(),
                concurrency: u32::from(sending.concurrency),
                max_failures: sending.max_failures,
                timeout_ms: sending.timeout_ms,
                manifest: opened.sha256.clone(),
            }))
        })
        .await
    }

    /// Looks what time it is, which accounts may send, and who the strangers are.
    pub(super) async fn look(
        self: Arc<Self>,
        manifest: String,
        accounts: Vec<String>,
        strangers: Vec<String>,
    ) -> HandlerResult<Look> {
        aside(move || {
            let known = match self.known(&manifest) {
                Ok(known) => known,
                Err(Unusable::Store(error)) => return Err(error.into()),
                Err(Unusable::Damaged(reason)) => return Ok(fault(&strangers, &reason)),
            };
            let own = match &known.accounts {
                Ok(own) => own,
                Err(error) => return Ok(fault(&strangers, &error.message)),
            };
            let campaigner = self.campaigner(&known, own);
            let opens = accounts.iter().map(|account| campaigner.opens_ms(account));
            let channels = strangers.into_iter().map(|account| {
                let channel = campaigner.channel(&account).ok();
                (account, channel)
            });
            Ok(Look {
                opens_ms: opens.collect(),
                channels: channels.collect(),
                now_ms: now_ms(),
            })
        })
        .await
    }

    /// Writes where a run stands.
    pub(super) async fn tell(
        self: Arc<Self>,
        run: String,
        standing: Standing,
    ) -> HandlerResult<()> {
        aside(move || Ok(standing.save(&self.store, &run)?)).await
    }

    /// That a sender begins. What it goes on to send is sent by this process and once, or not at all.
    pub(super) fn begin(&self) -> Begun {
        let begun = Begun {
            id: Uuid::new_v4().to_string(),
            at_ms: now_ms(),
        };
        let mut all = locked(&self.begun);
        // Those that were begun and gone on with elsewhere.
        if all.len() >= BEGUN {
            all.clear();
        }
        all.insert(begun.id.clone());
        begun
    }

    /// Sends parts of a chunk within these permits.
    pub(super) async fn send(
        self: Arc<Self>,
        order: Order,
        begun: Begun,
        since_ms: i64,
        in_doubt: bool,
        permits: Option<Vec<Permit>>,
    ) -> HandlerResult<Step> {
        let stop = Arc::new(AtomicBool::new(false));
        let _guard = StopOnDrop(Arc::clone(&stop));
        aside(move || {
            if !locked(&self.begun).remove(&begun.id) {
                return Ok(Step::Late { at_ms: now_ms() });
            }
            let until_ms = match &permits {
                Some(permits) => {
                    let last = permits.iter().map(|permit| permit.at_ms).max();
                    last.unwrap_or_default().max(begun.at_ms) + LATE_MS
                }
                None => begun.at_ms + ROUND_MS,
            };
            let turn = Turn {
                number: order.turn,
                began_ms: since_ms,
                in_doubt,
                only_in_doubt: order.only_in_doubt,
                permits,
                until_ms,
                stop: &stop,
            };
            match self.send_now(&order, &turn) {
                Ok(round) => Ok(Step::Sent(round)),
                Err(Unusable::Damaged(reason)) => Ok(Step::Parked(reason)),
                Err(Unusable::Store(error)) => Err(HandlerError::from(error)),
            }
        })
        .await
    }

    fn send_now(&self, order: &Order, turn: &Turn<'_>) -> Result<Round, Unusable> {
        let known = self.known(&order.manifest)?;
        let accounts = match &known.accounts {
            Ok(accounts) => accounts,
            Err(error) => {
                return Ok(Round {
                    stops: Some(error.message.clone()),
                    left: order.requests.max(1),
                    unused: turn.permits.clone().unwrap_or_default(),
                    ..Round::default()
                });
            }
        };
        let campaigner = self.campaigner(&known, accounts);
        let mut chunk = Chunk::open(&self.store, &known.manifest, order.lane, order.chunk)?;
        let round = chunk.send(&campaigner, turn);
        let mut tries = 0;
        loop {
            match chunk.save(&self.store) {
                Ok(()) => return Ok(round),
                Err(error) if tries >= TRIES => return Err(Unusable::Store(error)),
                Err(_) => tries += 1,
            }
        }
    }

    /// A run has no ledger.
    fn campaigner<'a>(&self, known: &'a Known, accounts: &'a Accounts) -> Campaigner<'a> {
        accounts.campaigner(&known.manifest.campaign, &self.assets, Path::new(""))
    }

    /// A plan, and what its accounts send through.
    fn known(&self, manifest: &str) -> Result<Arc<Known>, Unusable> {
        if let Some(known) = locked(&self.plans).get(manifest) {
            return Ok(Arc::clone(known));
        }
        let read = Manifest::read(&self.store, manifest)?;
        let known = Arc::new(Known {
            accounts: self.accounts(&read.campaign),
            manifest: read,
        });
        let mut plans = locked(&self.plans);
        if plans.len() >= PLANS {
            plans.clear();
        }
        // Credentials that are missing may be there the next time.
        if known.accounts.is_ok() {
            plans.insert(manifest.to_owned(), Arc::clone(&known));
        }
        Ok(known)
    }

    /// The accounts of a document, with this worker's own credentials.
    fn accounts(&self, campaign: &Campaign) -> Result<Accounts, Error> {
        for (name, account) in &campaign.accounts {
            if let Some(AssetSource::File(file)) = &account.asset
                && !is_beneath(Path::new(file))
            {
                let message =
                    format!("the asset file {file} of {name} is not in this worker's folder");
                return Err(Error::new(Kind::InvalidAsset, message).with_hint(
                    "name it relative to the document; `--assets DIR` is where workers look",
                ));
            }
        }
        let catalog = || catalog(self.actions.as_deref());
        Accounts::new(&catalog, campaign, &self.assets, &self.asset, false)
    }
}

/// Whether a path leads out of no folder.
pub(super) fn is_beneath(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// No account of these can send.
fn fault(strangers: &[String], reason: &str) -> Look {
    let channels = strangers.iter().map(|account| {
        let channel = Channel {
            fault: Some(reason.to_owned()),
            ..Channel::default()
        };
        (account.clone(), Some(channel))
    });
    Look {
        now_ms: now_ms(),
        opens_ms: Vec::new(),
        channels: channels.collect(),
    }
}
