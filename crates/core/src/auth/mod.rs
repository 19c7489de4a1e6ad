//! Channel access tokens: issued when needed, kept until shortly before they expire, shared by all
//! calls of an identity (and by other processes, where a store is given), renewed once when LINE
//! says 401. The host issues them.

mod issuer;
mod store;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};

use crate::asset::Credentials;
use crate::error::{Error, Kind};
use crate::host::Clock;
use line_connector_http::{Secret, Transport};

pub use issuer::{IssuedToken, TokenIssuer};
pub use store::{Hold, Store};

/// A token is renewed this long before it expires, so that none expires on its way to LINE.
const MARGIN: Duration = Duration::from_mins(1);

/// Beyond so many identities those of documents are forgotten that have no call under way, first those
/// without a token. The operator's stay: a channel has few tokens, and they must not be used up.
const MAX_IDENTITIES: usize = 1024;
/// The longest token, bytes. LINE's have a few hundred.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    expires: SystemTime,
}

impl Token {
    fn new(issued: IssuedToken, now: SystemTime) -> Self {
        let margin = MARGIN.min(issued.lifetime / 10);
        let expires = now.checked_add(issued.lifetime.saturating_sub(margin));
        Self {
            value: issued.value,
            expires: expires.unwrap_or(now),
        }
    }
}

/// How often to look whether another call has issued a token.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The time that getting a token may take.
#[derive(Clone, Copy)]
pub struct Time<'t> {
    /// Tells it.
    pub clock: &'t dyn Clock,
    /// How long one request may take.
    pub timeout: Duration,
    /// What is left of the whole call's.
    pub left: &'t dyn Fn() -> Duration,
}

impl std::fmt::Debug for Time<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Time").finish_non_exhaustive()
    }
}

impl Time<'_> {
    /// How long the next step may take.
    ///
    /// # Errors
    ///
    /// Where the call's time is up.
    fn step(&self) -> Result<Duration, Error> {
        let left = (self.left)();
        if left.is_zero() {
            return Err(Error::new(
                Kind::TokenUnavailable,
                "the time of this call was up before there was a token",
            ));
        }
        Ok(self.timeout.min(left))
    }
}

/// The tokens of this process. Whoever comes while an identity's token is being issued waits for it
/// instead of issuing another.
#[derive(Default)]
pub struct Tokens {
    slots: Mutex<HashMap<Credentials, Arc<Slot>>>,
    store: Option<Box<dyn Store>>,
    trouble: Mutex<Option<String>>,
    issued: AtomicU64,
}

/// One identity.
#[derive(Default)]
struct Slot {
    known: Mutex<Known>,
    /// Held by the one call that issues a token.
    issuing: Mutex<()>,
    is_operators: bool,
}

/// What is known of one identity's token.
#[derive(Default)]
struct Known {
    token: Option<Token>,
    /// The last token that LINE took no more. Other processes may still keep it.
    refused: Option<Secret>,
}

impl Slot {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kept token, while it is good.
    fn token(&self, now: SystemTime) -> Option<Secret> {
        let known = self.known();
        let token = known.token.as_ref().filter(|token| token.expires > now)?;
        Some(token.value.clone())
    }

    /// The right to issue, within the call's time.
    fn issuing(&self, time: Time<'_>) -> Result<MutexGuard<'_, ()>, Error> {
        loop {
            match self.issuing.try_lock() {
                Ok(held) => return Ok(held),
                Err(TryLockError::Poisoned(broken)) => return Ok(broken.into_inner()),
                Err(TryLockError::WouldBlock) => {
                    let most = time.step()?;
                    time.clock.park(Some(LOOK_AGAIN.min(most)));
                }
            }
        }
    }
}

impl Tokens {
    /// Tokens that other processes share through a store.
    #[must_use]
    pub fn shared(store: Option<Box<dyn Store>>) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }

    /// A valid token for these credentials, which are the operator's or a document's: kept, or issued
    /// now.
    ///
    /// # Errors
    ///
    /// As [`TokenIssuer::issue`], and the store's own where it must not be trusted;
    /// [`Kind::TokenUnavailable`] too where the call's time is up.
    pub fn bearer(
        &self,
        credentials: &Credentials,
        is_operators: bool,
        issuer: &dyn TokenIssuer,
        transport: &dyn Transport,
        time: Time<'_>,
    ) -> Result<Secret, Error> {
        if let Credentials::Bearer { token, .. } = credentials {
            return Ok(token.clone());
        }
        let now = time.clock.now();
        let slot = self.slot(credentials, is_operators, now);
        if let Some(token) = slot.token(now) {
            return Ok(token);
        }
        let _issuing = slot.issuing(time)?;
        let now = time.clock.now();
        // Whoever issued before may have brought one.
        if let Some(token) = slot.token(now) {
            return Ok(token);
        }
        let issue = || {
            let fresh = issuer.issue(credentials, transport, now, time.step()?)?;
            if fresh.value.expose().len() > MAX_TOKEN_BYTES {
                let text = format!("the token has more than {MAX_TOKEN_BYTES} bytes");
                return Err(Error::new(Kind::TokenRefused, text));
            }
            self.issued.fetch_add(1, Ordering::Relaxed);
            Ok(Token::new(fresh, now))
        };
        let shared = self.store.as_ref();
        let shared = shared.and_then(|store| Some((store, store::name(credentials)?)));
        let shared = match shared {
            Some((store, name))
                if !is_operators && store.is_full() && store.load(&name)?.is_none() =>
            {
                None
            }
            shared => shared,
        };
        let token = match shared {
            Some((store, name)) => {
                let known = |content: Vec<u8>| {
                    store::read(&content, now)
                        .filter(|token| Some(&token.value) != slot.known().refused.as_ref())
                };
                self.stored(store.as_ref(), &name, time, known, issue)?
            }
            None => issue()?,
        };
        let value = token.value.clone();
        slot.known().token = Some(token);
        Ok(value)
    }

    /// The token that the store has, or one issued now and put there. Of processes that come at
    /// once, one issues while the others wait; where waiting takes too long, each issues its own.
    fn stored(
        &self,
        store: &dyn Store,
        name: &str,
        time: Time<'_>,
        known: impl Fn(Vec<u8>) -> Option<Token>,
        issue: impl FnOnce() -> Result<Token, Error>,
    ) -> Result<Token, Error> {
        if let Some(token) = store.load(name)?.and_then(&known) {
            return Ok(token);
        }
        let hold = store.hold(name, time.step()?);
        // Whoever held the name before may have issued one.
        if let Some(token) = store.load(name)?.and_then(&known) {
            return Ok(token);
        }
        let token = issue()?;
        if let Err(error) = hold.and_then(|hold| hold.replace(&store::write(&token))) {
            let trouble = format!("the token is not kept for other processes: {error}");
            let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(trouble);
        }
        Ok(token)
    }

    /// What went wrong with the store though the call could go on, since this was last asked.
    pub fn trouble(&self) -> Option<String> {
        // Without a store there is none, and a call should not wait for others to know.
        self.store.as_ref()?;
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        last.take()
    }

    /// How many tokens were issued so far.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.issued.load(Ordering::Relaxed)
    }

    /// Forgets a token that LINE no longer takes. One that another call has renewed meanwhile stays.
    pub fn forget(&self, credentials: &Credentials, refused: &Secret) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slots.get(credentials).map(Arc::clone) else {
            return;
        };
        drop(slots);
        let mut known = slot.known();
        if known
            .token
            .as_ref()
            .is_some_and(|token| token.value == *refused)
        {
            known.token = None;
        }
        known.refused = Some(refused.clone());
    }

    fn slot(&self, credentials: &Credentials, is_operators: bool, now: SystemTime) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(credentials) {
            return Arc::clone(slot);
        }
        let stays = |slot: &Arc<Slot>| slot.is_operators || Arc::strong_count(slot) > 1;
        if slots.len() >= MAX_IDENTITIES {
            slots.retain(|_, slot| stays(slot) || slot.token(now).is_some());
        }
        if slots.len() >= MAX_IDENTITIES {
            slots.retain(|_, slot| stays(slot));
        }
        let slot = Arc::new(Slot {
            is_operators,
            ..Slot::default()
        });
        slots.insert(credentials.clone(), Arc::clone(&slot));
        slot
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// Whether a new token can be issued when one is refused.
#[must_use]
pub fn renewable(credentials: &Credentials) -> bool {
    !matches!(credentials, Credentials::Bearer { .. })
}
