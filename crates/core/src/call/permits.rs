//! A call's turn within the rate limits: which budgets it shares, how long it may wait for them, and
//! what is told where it waits in vain. See `rate_limit` for how limits are kept.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::Pipeline;
use super::deadline::Deadline;
use crate::asset::{Asset, EVERY_ACTION};
use crate::documents::{AssetParameters, Options, add};
use crate::error::{Detail, Error, Kind};
use crate::rate_limit::{Budget, Rate, Refusal, Turn};
use line_connector_catalog::definition::{self, Action};

/// The budgets of one call, and what it has waited for them so far.
pub(super) struct Permits {
    /// The asset's own first, LINE's last.
    budgets: Vec<Arc<Budget>>,
    /// Whether a gateway has a limit of its own, which is no reason to give up.
    is_gateways: bool,
    /// A rate of the asset's that changes nothing.
    pub(super) warning: Option<Detail>,
    patience: Option<Duration>,
    waited: Cell<Duration>,
}

impl Permits {
    /// Whether a gateway limits these calls, below LINE's own rate.
    pub(super) fn are_a_gateways(&self) -> bool {
        self.is_gateways
    }

    /// How long the call has waited, where it has.
    pub(super) fn waited_ms(&self) -> Option<u64> {
        let waited = u64::try_from(self.waited.get().as_millis()).unwrap_or(u64::MAX);
        Some(waited).filter(|waited| *waited > 0)
    }
}

/// Whether a rate, as calls and the seconds in which they are allowed, bounds nothing beside another.
fn is_above((calls, seconds): (u32, u32), (lines, within): (u32, u32)) -> bool {
    u64::from(calls) * u64::from(within) > u64::from(lines) * u64::from(seconds)
}

/// The rates that hold for an action: what the asset says, and LINE's, unless the asset lifts it.
fn rates(action: &Action, own: Option<&Option<(u32, u32)>>) -> impl Iterator<Item = (u32, u32)> {
    let is_off = own == Some(&None);
    let lines = action.meta.rate_limit.as_deref().filter(|_| !is_off);
    let own = own.copied().flatten().into_iter();
    own.chain(lines.and_then(definition::rate))
}

/// Within what an action is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The rate; `None` where nothing limits it.
    pub rate: Option<Rate>,
    /// The base URL of the host that is called.
    pub base: String,
}

impl Pipeline {
    /// From now on no call waits: not for its turn, and not for work that LINE has only begun. A
    /// call that would have to ends with [`Kind::ShuttingDown`], or with what is known by then; one
    /// that is under way goes on.
    pub fn stop(&self) {
        self.budgets.stop();
    }

    /// How many tokens were issued so far.
    #[must_use]
    pub fn tokens_issued(&self) -> u64 {
        self.tokens.issued()
    }

    /// The budgets that a call shares.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidAsset`] where the asset limits an action that does not exist.
    pub(super) fn permits(
        &self,
        action: &Action,
        asset: &Asset,
        options: &Options,
    ) -> Result<Permits, Error> {
        let own = self.own_limit(action, asset)?;
        let lines_own = action.meta.rate_limit.as_deref().and_then(definition::rate);
        let is_idle = own.copied().flatten().zip(lines_own);
        let warning = is_idle
            .filter(|(own, lines)| is_above(*own, *lines))
            .map(|_| {
                let lines = action.meta.rate_limit.as_deref().unwrap_or_default();
                let message =
                    format!("has no effect: LINE's own rate of {lines} is lower, and holds");
                Detail::new(format!("/asset/rate_limits/{}", action.name), message)
            });
        let own = own.or_else(|| asset.rate_limits.get(EVERY_ACTION));
        let rates = rates(action, own);
        let budgets = rates.map(|rate| self.budget(action, asset, rate)).collect();
        Ok(Permits {
            budgets,
            warning,
            is_gateways: own.is_some() && asset.is_elsewhere,
            patience: options.max_wait_ms.map(Duration::from_millis),
            waited: Cell::default(),
        })
    }

    /// What the asset itself says of an action's rate: `Some(None)` where it has none.
    fn own_limit<'a>(
        &self,
        action: &Action,
        asset: &'a Asset,
    ) -> Result<Option<&'a Option<(u32, u32)>>, Error> {
        let mut own = None;
        let mut details = Vec::new();
        for (name, limit) in &asset.rate_limits {
            if name == EVERY_ACTION {
                continue;
            }
            match self.catalog.full_name(name) {
                Some(full) if full == action.name => {
                    own.get_or_insert(limit);
                }
                Some(_) => {}
                None => add(&mut details, || self.no_such_action(name)),
            }
        }
        if !details.is_empty() {
            return Err(Error::new(Kind::InvalidAsset, "the asset is wrong").with_details(details));
        }
        Ok(own)
    }

    /// Where and how often the operator's asset lets an action be called.
    ///
    /// # Errors
    ///
    /// Where there is no such action, or the asset is wrong.
    pub fn limit(&self, action: &str) -> Result<Limit, Error> {
        let action = self.look_up(Some(action))?;
        let asset = self.asset(&AssetParameters::default())?;
        let own = self.own_limit(&action, &asset)?;
        let own = own.or_else(|| asset.rate_limits.get(EVERY_ACTION));
        let rates = rates(&action, own);
        let rate = rates.reduce(|least, next| if is_above(least, next) { next } else { least });
        let base = asset.hosts.get(&action.meta.host);
        Ok(Limit {
            rate: rate.map(|(calls, seconds)| Rate { calls, seconds }),
            base: base.cloned().unwrap_or_default(),
        })
    }

    /// LINE counts by channel and endpoint, whatever the parameters.
    fn budget(&self, action: &Action, asset: &Asset, (calls, seconds): (u32, u32)) -> Arc<Budget> {
        let party = asset.parties.get(&action.meta.host);
        let rate = Rate { calls, seconds };
        let name = format!(
            "{}\n{} {}\n{rate}",
            party.map_or("", String::as_str),
            action.meta.method.as_str(),
            action.meta.endpoint,
        );
        self.budgets.get(name, rate, self.host.clock.as_ref())
    }

    fn no_such_action(&self, name: &str) -> Detail {
        Detail {
            hint: self
                .catalog
                .nearest(name)
                .map(|known| format!("did you mean `{known}`?")),
            ..Detail::new(
                format!("/asset/rate_limits/{name}"),
                format!("there is no action `{name}`"),
            )
        }
    }

    /// Waits for the turn of one request.
    pub(super) fn turn<'t>(
        &'t self,
        permits: &'t Permits,
        deadline: &Deadline,
    ) -> Result<Turn<'t>, Error> {
        deadline.check()?;
        let clock = self.host.clock.as_ref();
        let begun = clock.monotonic();
        let left = deadline.left(clock);
        let own = permits
            .patience
            .map(|patience| patience.saturating_sub(permits.waited.get()))
            .filter(|own| *own <= left);
        let patience = Some(own.unwrap_or(left));
        let handle = deadline.handle();
        match self.budgets.turn(&permits.budgets, patience, handle, clock) {
            Ok(turn) => {
                permits.waited.set(permits.waited.get() + turn.waited);
                Ok(turn)
            }
            Err(refusal) => {
                permits
                    .waited
                    .set(permits.waited.get() + clock.monotonic().saturating_sub(begun));
                let error = no_turn(refusal, own.and(permits.patience).unwrap_or(left));
                Err(deadline.reason(match own {
                    None if error.kind == Kind::RateBudget => error.with_hint(OUT_OF_TIME),
                    _ => error,
                }))
            }
        }
    }
}

/// What to do where the call's own time was too short.
pub(super) const OUT_OF_TIME: &str =
    "nothing was sent: call again later, or give the call more time by `options.deadline_ms`";

/// Whether an error says that a call got no turn.
pub(super) fn is_refusal(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::RateBudget | Kind::ShuttingDown | Kind::Cancelled
    )
}

fn no_turn(refusal: Refusal, patience: Duration) -> Error {
    let time = patience.as_millis();
    match refusal {
        Refusal::Late(rate) => Error::new(
            Kind::RateBudget,
            format!("the turn of this call within {rate} did not come within {time} ms"),
        ),
        Refusal::TooLate(rate) => Error::new(
            Kind::RateBudget,
            format!("the turn of this call within {rate} cannot come within {time} ms"),
        ),
        Refusal::Stopped(rate) => Error::new(
            Kind::ShuttingDown,
            format!("the process is ending while this call waits for its turn within {rate}"),
        ),
    }
}
