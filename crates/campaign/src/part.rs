//! One part of a campaign, which is one request's people: its retry key, its requests, and what their
//! answers mean. Who takes parts, and where their ends are written down, is another's affair: a ledger
//! on this machine (`run`), or a store that several machines share (`shared`).

use std::time::Duration;

use line_connector_client::{Invocation, Kind, Options, Outcome, Output};
use line_connector_core::backoff::bound;
use line_connector_core::catalog::RETRY_KEY;
use line_connector_core::retry::further_key;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::campaigner::Campaigner;
use crate::ledger::State;

/// How long a retry key is relied on, milliseconds: LINE keeps keys for 24 hours.
const KEY_LIFE_MS: i64 = 23 * 3600 * 1000;
/// How far a clock may be set back without a key's age being in doubt, milliseconds.
const CLOCK_SLACK_MS: i64 = 3600 * 1000;
/// Campaigns' retry keys, as UUIDs of version 5, stand beneath this one.
const KEYS: Uuid = Uuid::from_u128(0x6f0d_3a52_91c4_4b7e_8c15_2d9a_7e60_43b8);

/// How long a part waits after its first failure, and at most.
const BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// How long an account waits after failures in a row, at first and at most.
const HOLD: Duration = Duration::from_millis(250);
const MAX_HOLD: Duration = Duration::from_secs(30);

/// How long a part that failed waits, milliseconds: doubled so often.
#[must_use]
pub fn pause_of_part_ms(doublings: u32) -> i64 {
    pause_ms(BACKOFF, doublings, MAX_BACKOFF)
}

/// How long an account waits after failures in a row, milliseconds: doubled so often.
#[must_use]
pub fn pause_of_account_ms(doublings: u32) -> i64 {
    pause_ms(HOLD, doublings, MAX_HOLD)
}

fn pause_ms(first: Duration, doublings: u32, most: Duration) -> i64 {
    let pause = bound(first, doublings.saturating_add(1), most);
    i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)
}

/// The bodies of a part's requests, without `to`.
pub(crate) type Bodies = Vec<Map<String, Value>>;

/// Whether a key whose first attempt was then is too old to find out what became of it.
pub(crate) fn has_expired(first_attempt_ms: i64, now_ms: i64) -> bool {
    !(-CLOCK_SLACK_MS..KEY_LIFE_MS).contains(&(now_ms - first_attempt_ms))
}

/// The key follows from who gets what from which account in which run, so that a run that was planned
/// again, or is sent from elsewhere, repeats nothing. `rendering` is the digest of what they get;
/// `generation` counts how often they were sent to again knowingly.
pub(crate) fn retry_key<'a>(
    run: &str,
    account: &str,
    rendering: &[u8],
    ids: impl ExactSizeIterator<Item = &'a str>,
    generation: i64,
) -> String {
    let method = if ids.len() == 1 { "one" } else { "many" };
    let mut name = Vec::new();
    let whole = [
        run.as_bytes(),
        account.as_bytes(),
        method.as_bytes(),
        rendering,
    ];
    let mut add = |bytes: &[u8]| {
        name.extend((bytes.len() as u64).to_be_bytes());
        name.extend(bytes);
    };
    whole.into_iter().for_each(&mut add);
    ids.map(str::as_bytes).for_each(add);
    name.extend(generation.to_be_bytes());
    Uuid::new_v5(&KEYS, &name).to_string()
}

/// A part that is to be sent now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) account: &'a str,
    pub(crate) key: &'a str,
    pub(crate) ids: &'a [&'a str],
    pub(crate) bodies: &'a Bodies,
    /// Whether an attempt before this one may have been carried out.
    pub(crate) in_doubt: bool,
}

/// What an answer means for a part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) state: State,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) reason: Option<String>,
    /// Why the account can send nothing more until somebody has mended it.
    pub(crate) stops: Option<String>,
    /// Whether it counts as a failure of the account, to be waited for.
    pub(crate) is_failure: bool,
}

impl Campaigner<'_> {
    /// Makes the requests of a part one after another, up to the first that LINE does not accept. It
    /// returns whatever happens.
    pub(crate) fn send_part(&self, part: &Part<'_>) -> Verdict {
        let requests = std::panic::AssertUnwindSafe(|| self.requests(part));
        std::panic::catch_unwind(requests).unwrap_or_else(|_| Verdict::panicked())
    }

    fn requests(&self, part: &Part<'_>) -> Verdict {
        let mut verdict = Verdict::unsent(part.in_doubt);
        for (number, body) in part.bodies.iter().enumerate() {
            let key = match number {
                0 => part.key.to_owned(),
                number => further_key(part.key, number),
            };
            let output = self.request_to(part, body, &key);
            let in_doubt = part.in_doubt || number > 0;
            verdict = Verdict::of(&output, part.ids.len(), in_doubt);
            if verdict.state != State::Accepted {
                if number > 0 {
                    verdict.after(number, part.bodies.len());
                }
                return verdict;
            }
        }
        verdict
    }

    fn request_to(&self, part: &Part<'_>, body: &Map<String, Value>, key: &str) -> Output {
        let send = &self.connector.catalog().manifest().send;
        let mut inputs = body.clone();
        let (action, to) = match part.ids {
            [one] => (&send.one, Value::from(*one)),
            many => (&send.many, json!(many)),
        };
        inputs.insert("to".to_owned(), to);
        inputs.insert(RETRY_KEY.to_owned(), Value::from(key));
        self.connector(part.account).call(Invocation {
            action: Some(action.clone()),
            inputs,
            options: Options {
                timeout_ms: Some(self.campaign.sending.timeout_ms),
                // Whoever takes parts decides about repeating.
                attempts: Some(1),
                ..Options::default()
            },
            ..Invocation::default()
        })
    }
}

/// Whether an account that fails so needs somebody to mend it.
pub(crate) fn is_for_people(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Unauthorized
            | Kind::Forbidden
            | Kind::NoCredentials
            | Kind::TokenRefused
            | Kind::InvalidAsset
            | Kind::MonthlyLimit
            | Kind::Tls
    )
}

impl Verdict {
    fn new(state: State) -> Self {
        Self {
            state,
            status: None,
            request_id: None,
            reason: None,
            stops: None,
            is_failure: false,
        }
    }

    /// Nothing was sent now.
    pub(crate) fn unsent(in_doubt: bool) -> Self {
        Self::new(if in_doubt {
            State::Unknown
        } else {
            State::Planned
        })
    }

    fn panicked() -> Self {
        Self {
            reason: Some("the call was interrupted by a defect of this program".to_owned()),
            is_failure: true,
            ..Self::new(State::Unknown)
        }
    }

    /// What LINE's answer, or its absence, means. `in_doubt`: something that belongs to the part may
    /// have been accepted before.
    fn of(output: &Output, people: usize, in_doubt: bool) -> Self {
        let request_id = output
            .meta
            .as_ref()
            .and_then(|meta| meta.request_id.clone());
        let Some(error) = &output.error else {
            let meta = output.meta.as_ref();
            let is_again =
                !in_doubt && meta.is_some_and(|meta| meta.already_accepted == Some(true));
            let reason =
                "LINE had accepted this request before, within 24 hours: it sent nothing now";
            return Self {
                status: output.status_code,
                request_id,
                reason: is_again.then(|| reason.to_owned()),
                ..Self::new(State::Accepted)
            };
        };
        let first = error.details.first();
        let reason = match first {
            Some(detail) => format!("{}: {detail}", error.message),
            None => error.message.clone(),
        };
        let waits = if in_doubt {
            State::Unknown
        } else {
            State::Held
        };
        let stops = is_for_people(error.kind).then(|| reason.clone());
        let (state, is_failure) = match (error.outcome, error.kind) {
            _ if stops.is_some() && error.outcome == Outcome::NotDone => (waits, false),
            (_, Kind::ShuttingDown) => (Self::unsent(in_doubt).state, false),
            (Outcome::Unknown | Outcome::Partial, _) | (_, Kind::Internal) => {
                (State::Unknown, true)
            }
            (
                Outcome::NotDone,
                Kind::RateLimit
                | Kind::ConcurrentOperations
                | Kind::Locked
                | Kind::RateBudget
                | Kind::TokenUnavailable
                | Kind::ConnectionFailed
                | Kind::Unavailable
                | Kind::Timeout
                | Kind::ConnectionBroken,
            ) => (waits, true),
            (Outcome::NotDone, Kind::BadRequest) if people > 1 && !is_about_messages(error) => {
                (State::Split, false)
            }
            (Outcome::NotDone, _) => (State::Rejected, false),
        };
        Self {
            state,
            status: output.status_code,
            request_id,
            reason: Some(reason),
            stops,
            is_failure,
        }
    }

    /// The same for a request that others of the part came before.
    fn after(&mut self, number: usize, of: usize) {
        if self.state == State::Split {
            self.state = State::Rejected;
        }
        let reason = self.reason.take().unwrap_or_default();
        self.reason = Some(format!("request {} of {of}: {reason}", number + 1));
    }
}

/// Whether LINE names the messages as what is wrong, which halving the people does not mend.
fn is_about_messages(error: &line_connector_core::documents::ErrorReport) -> bool {
    error
        .details
        .iter()
        .any(|detail| detail.path.contains("messages"))
}
