//! The services that Restate calls. A run is a virtual object, which takes messages one after another:
//! its state is all there is to it, and may be paused and resumed as often as anybody likes. A budget is
//! one too. A sender is a service: many are under way at once.
//!
//! What is journaled are numbers, digests and reasons. Whom a chunk is for stands in the store alone.

use std::sync::Arc;
use std::time::Duration;

use line_connector_campaign::{Permit, Round, RunState, Standing};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::rate::{Ask, Back, Budget, Grant, Rate};
use super::run::{Ended, Limit, Look, Order, Outcome, Plan, Run, Steps};
use super::workplace::{Begun, Step, Workplace, now_ms};

/// Where a run's and a budget's state stand.
const STATE: &str = "state";
/// Whether it will be looked for lost leases.
const SWEEPS: &str = "sweeps";
/// How long a request may begin after its permit's time, milliseconds: whoever is later asks anew.
pub(super) const LATE_MS: i64 = 5000;
/// How many senders in a row may die over a chunk before it is taken to be the reason.
const DEATHS: u32 = 10;

/// The time, in the journal. A macro, for contexts of all kinds.
macro_rules! now {
    ($ctx:expr) => {{
        let at_ms = now_ms();
        $ctx.run(|| async move { Ok(at_ms) }).name("now").await?
    }};
}

/// What `start` is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begin {
    /// The plan's digest, or its first characters.
    pub(super) confirm: String,
}

/// Somebody asks a budget for permits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lease {
    rate: Rate,
    ask: Ask,
}

/// Campaigns, by the run's ID.
pub(super) struct Runs(pub(super) Arc<Workplace>);

#[restate_sdk::object(
    name = "LineCampaign",
    client_visibility = "pub(super)",
    journal_retention = "1h",
    invocation_retry_policy(
        initial_interval = "100ms",
        max_interval = "10s",
        max_attempts = 100_000
    )
)]
impl Runs {
    /// Starts a run that was planned into the workers' store.
    #[handler]
    async fn start(
        &self,
        ctx: ObjectContext<'_>,
        begin: Json<Begin>,
    ) -> HandlerResult<Json<Standing>> {
        let place = Arc::clone(&self.0);
        let (run, confirm) = (ctx.key().to_owned(), begin.0.confirm);
        if let Some(Json(known)) = ctx.get::<Json<Run>>(STATE).await? {
            return match known.state() {
                RunState::Scheduled | RunState::Running => told(&ctx, &known).await,
                state => Err(refused(format!("the campaign is {} already", state.name()))),
            };
        }
        let opened = ctx.run(|| async move { place.plan(run, confirm).await.map(Json) });
        let Json(opened) = opened.name("open").await?;
        let plan: Plan = opened.map_err(refused)?;
        let now_ms = now!(ctx);
        self.go_on(&ctx, Run::new(plan, now_ms)).await
    }

    /// Lets what is under way end, and begins nothing more.
    #[handler]
    async fn pause(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Standing>> {
        self.change(&ctx, Run::pause).await
    }

    /// Goes on with a run that paused.
    #[handler]
    async fn resume(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Standing>> {
        self.change(&ctx, |run, _| run.resume()).await
    }

    /// Gives up what was not sent.
    #[handler]
    async fn cancel(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Standing>> {
        self.change(&ctx, Run::cancel).await
    }

    /// Says where a run stands.
    #[handler]
    async fn status(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Standing>> {
        let Some(Json(run)) = ctx.get::<Json<Run>>(STATE).await? else {
            return Err(not_started());
        };
        Ok(Json(run.standing(now_ms())))
    }

    /// A sender tells how a turn ended.
    #[handler(ingress_private = true)]
    async fn ended(&self, ctx: ObjectContext<'_>, ended: Json<Ended>) -> HandlerResult<()> {
        let mut run = known(&ctx).await?;
        let now_ms = now!(ctx);
        run.ended(ended.0, now_ms);
        self.go_on(&ctx, run).await.map(drop)
    }

    /// A time has come.
    #[handler(ingress_private = true)]
    async fn wake(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let mut run = known(&ctx).await?;
        run.woken();
        self.go_on(&ctx, run).await.map(drop)
    }
}

impl Runs {
    /// Changes a run that has not ended, as of now.
    async fn change(
        &self,
        ctx: &ObjectContext<'_>,
        change: impl FnOnce(&mut Run, i64),
    ) -> HandlerResult<Json<Standing>> {
        let mut run = known(ctx).await?;
        refuse_ended(&run)?;
        change(&mut run, now!(ctx));
        self.go_on(ctx, run).await
    }

    /// Does what is to be done now, and keeps the run.
    async fn go_on(&self, ctx: &ObjectContext<'_>, mut run: Run) -> HandlerResult<Json<Standing>> {
        let place = Arc::clone(&self.0);
        let manifest = run.manifest.clone();
        let (accounts, strangers) = (run.accounts(), run.strangers(now_ms()));
        let look = ctx.run(|| async move {
            let look = place.look(manifest, accounts, strangers).await;
            look.map(Json)
        });
        let Json(look): Json<Look> = look.name("look").await?;
        let Steps {
            orders,
            wake_after_ms,
            standing,
        } = run.steps(ctx.key(), &look);
        for order in orders {
            ctx.service_client::<SendersClient<'_>>()
                .chunk(Json(order))
                .send();
        }
        if let Some(millis) = wake_after_ms {
            let own = ctx.object_client::<RunsClient<'_>>(ctx.key());
            own.wake().send_after(Duration::from_millis(millis));
        }
        ctx.set(STATE, Json(run.clone()));
        if let Some(standing) = standing {
            let place = Arc::clone(&self.0);
            let key = ctx.key().to_owned();
            let tell = ctx.run(|| async move { place.tell(key, standing).await });
            tell.name("tell").await?;
        }
        Ok(Json(run.standing(look.now_ms)))
    }
}

async fn told(ctx: &ObjectContext<'_>, run: &Run) -> HandlerResult<Json<Standing>> {
    Ok(Json(run.standing(now!(ctx))))
}

async fn known(ctx: &ObjectContext<'_>) -> HandlerResult<Run> {
    let run = ctx.get::<Json<Run>>(STATE).await?;
    run.map(Json::into_inner).ok_or_else(not_started)
}

fn not_started() -> HandlerError {
    TerminalError::new_with_code(404, "the campaign was not started").into()
}

fn refused(reason: String) -> HandlerError {
    TerminalError::new_with_code(409, reason).into()
}

fn refuse_ended(run: &Run) -> HandlerResult<()> {
    match run.state() {
        state @ (RunState::Finished | RunState::FinishedWithUnknown | RunState::Cancelled) => {
            Err(refused(format!("the campaign is {} already", state.name())))
        }
        _ => Ok(()),
    }
}

/// Budgets, by channel and method.
pub(super) struct Rates;

#[restate_sdk::object(
    name = "LineRate",
    client_visibility = "pub(super)",
    ingress_private = true,
    journal_retention = "0s",
    invocation_retry_policy(
        initial_interval = "50ms",
        max_interval = "10s",
        max_attempts = 100_000
    )
)]
impl Rates {
    /// Somebody wants permits: they come by the awakeable that names the lease.
    #[handler]
    async fn lease(&self, ctx: ObjectContext<'_>, lease: Json<Lease>) -> HandlerResult<()> {
        let mut budget = budget(&ctx).await?;
        let now_ms = now!(ctx);
        let hold = lease.0.ask.hold_ms;
        let grants = budget.ask(lease.0.rate, lease.0.ask, now_ms);
        give(&ctx, &budget, grants);
        if ctx.get::<bool>(SWEEPS).await?.is_none() {
            ctx.set(SWEEPS, true);
            sweep_after(&ctx, hold);
        }
        Ok(())
    }

    /// Permits come back.
    #[handler]
    async fn back(&self, ctx: ObjectContext<'_>, back: Json<Back>) -> HandlerResult<()> {
        let mut budget = budget(&ctx).await?;
        let grants = budget.back(back.0);
        give(&ctx, &budget, grants);
        Ok(())
    }

    /// Looks for leases whose holders are silent.
    #[handler]
    async fn sweep(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let mut budget = budget(&ctx).await?;
        let now_ms = now!(ctx);
        let grants = budget.sweep(now_ms);
        give(&ctx, &budget, grants);
        if budget.is_in_use() {
            sweep_after(&ctx, LATE_MS);
        } else {
            ctx.clear(SWEEPS);
        }
        Ok(())
    }
}

async fn budget(ctx: &ObjectContext<'_>) -> HandlerResult<Budget> {
    let budget = ctx.get::<Json<Budget>>(STATE).await?;
    Ok(budget.map(Json::into_inner).unwrap_or_default())
}

fn give(ctx: &ObjectContext<'_>, budget: &Budget, grants: Vec<Grant>) {
    ctx.set(STATE, Json(budget.clone()));
    for grant in grants {
        ctx.resolve_awakeable(&grant.lease, Json(grant.permits));
    }
}

fn sweep_after(ctx: &ObjectContext<'_>, millis: i64) {
    let after = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    ctx.object_client::<RatesClient<'_>>(ctx.key())
        .sweep()
        .send_after(after);
}

/// Senders of chunks.
pub(super) struct Senders(pub(super) Arc<Workplace>);

#[restate_sdk::service(
    name = "LineSend",
    client_visibility = "pub(super)",
    ingress_private = true,
    journal_retention = "1h",
    inactivity_timeout = "10m",
    invocation_retry_policy(
        initial_interval = "100ms",
        max_interval = "10s",
        max_attempts = 100_000
    )
)]
impl Senders {
    /// Sends a chunk in one turn, and tells its run how that ended.
    #[handler]
    async fn chunk(&self, ctx: Context<'_>, order: Json<Order>) -> HandlerResult<()> {
        let order = order.0;
        let outcome = match self.send(&ctx, &order).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Parked {
                reason: format!("its sender was ended in Restate: {}", error.message()),
                // It may have sent anything by then.
                in_doubt_since_ms: Some(now!(ctx)),
            },
        };
        let ended = Ended {
            lane: order.lane,
            chunk: order.chunk,
            turn: order.turn,
            outcome,
        };
        let run = ctx.object_client::<RunsClient<'_>>(order.run);
        run.ended(Json(ended)).send();
        Ok(())
    }
}

impl Senders {
    async fn send(&self, ctx: &Context<'_>, order: &Order) -> Result<Outcome, TerminalError> {
        let mut total = Round {
            left: order.requests,
            wanted: order.requests,
            together: 1,
            ..Round::default()
        };
        // When the first attempt began: before anything is sent it stands in the journal.
        let mut began_ms = order.in_doubt_since_ms;
        let mut in_doubt = began_ms.is_some();
        let mut deaths = 0;
        loop {
            let lease = match &order.limit {
                Some(limit) => Some(Self::lease(ctx, order, limit, &total).await?),
                None => None,
            };
            let permits = lease.as_ref().map(|(_, permits)| permits.clone());
            let begun = self.begin(ctx, permits.as_deref()).await?;
            let since_ms = *began_ms.get_or_insert(begun.at_ms);
            let (place, own) = (Arc::clone(&self.0), order.clone());
            let sent = ctx.run(|| async move {
                let step = place.send(own, begun, since_ms, in_doubt, permits).await;
                step.map(Json)
            });
            let Json(step) = sent.name("send").await?;
            if let (Some(limit), Some((lease, permits))) = (&order.limit, lease) {
                let budget = ctx.object_client::<RatesClient<'_>>(limit.budget.clone());
                budget.back(Json(step.back(lease, permits))).send();
            }
            match step {
                Step::Sent(round) => {
                    let is_hopeless = round.accepted == 0 && round.failures > 0;
                    let is_over = round.wanted == 0 || round.stops.is_some() || is_hopeless;
                    total = together(&total, round);
                    if is_over {
                        return Ok(Outcome::Sent(total));
                    }
                    in_doubt = false;
                    deaths = 0;
                }
                Step::Late { .. } if deaths < DEATHS => {
                    deaths += 1;
                    in_doubt = true;
                }
                Step::Late { .. } => {
                    return Ok(Outcome::Parked {
                        reason: format!("{deaths} senders in a row died over it"),
                        in_doubt_since_ms: Some(since_ms),
                    });
                }
                Step::Parked(reason) => {
                    return Ok(Outcome::Parked {
                        reason,
                        in_doubt_since_ms: began_ms.filter(|_| in_doubt),
                    });
                }
            }
        }
    }

    /// Gets permits. They are granted ahead of the time from which they may be used.
    async fn lease(
        ctx: &Context<'_>,
        order: &Order,
        limit: &Limit,
        total: &Round,
    ) -> Result<(String, Vec<Permit>), TerminalError> {
        let (lease, permits) = ctx.awakeable::<Json<Vec<Permit>>>();
        let timeout_ms = i64::try_from(order.timeout_ms).unwrap_or(i64::MAX / 4);
        let ask = Ask {
            lease: lease.clone(),
            wanted: total.wanted.max(1),
            together: total.together.max(1),
            hold_ms: LATE_MS + timeout_ms,
        };
        let rate = limit.rate;
        let budget = ctx.object_client::<RatesClient<'_>>(limit.budget.clone());
        budget.lease(Json(Lease { rate, ask })).send();
        Ok((lease, permits.await?.0))
    }

    /// Writes into the journal that a sender begins. Permits that are far ahead are waited for first.
    async fn begin(
        &self,
        ctx: &Context<'_>,
        permits: Option<&[Permit]>,
    ) -> Result<Begun, TerminalError> {
        let first_ms = permits
            .unwrap_or_default()
            .iter()
            .map(|permit| permit.at_ms)
            .min();
        loop {
            let place = Arc::clone(&self.0);
            let begun = ctx.run(|| async move { Ok(Json(place.begin())) });
            let Json(begun): Json<Begun> = begun.name("begin").await?;
            let ahead_ms = first_ms.unwrap_or_default() - begun.at_ms;
            if ahead_ms <= LATE_MS {
                return Ok(begun);
            }
            let ahead = u64::try_from(ahead_ms - LATE_MS / 2).unwrap_or_default();
            ctx.sleep(Duration::from_millis(ahead)).await?;
        }
    }
}

/// Several rounds of a turn as one.
fn together(before: &Round, last: Round) -> Round {
    Round {
        accepted: before.accepted + last.accepted,
        reason: last.reason.or_else(|| before.reason.clone()),
        used: Vec::new(),
        unused: Vec::new(),
        ..last
    }
}
