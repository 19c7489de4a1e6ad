//! One run as its engine sees it: which chunks are on their way, which wait, what has come of them, and
//! what is to be done next. It does nothing itself and knows no clock, so that it can be carried out
//! again from a journal. It holds numbers and reasons, no person's ID.

use line_connector_campaign::{
    Channel, Counts, Lane, Method, Round, RunState, Standing, pause_of_account_ms, pause_of_part_ms,
};
use serde::{Deserialize, Serialize};

use super::rate::Rate;

/// How many chunks of a lane are on their way at once. Four are a second's worth; the others wait for
/// their permits meanwhile.
const UNDER_WAY: usize = 6;
/// While so many chunks of a lane wait to be sent again, no new ones are begun.
const WAITING: usize = 4;
/// How many parked chunks are named.
const NAMED: usize = 20;
/// How soon an account that did not answer is asked again which channel it is.
const ASK_AGAIN_MS: i64 = 10_000;
/// How often the standing is written into the store while nothing changes but numbers.
const TELL_MS: i64 = 5000;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// The SHA-256 of what is sent.
    pub(super) manifest: String,
    state: RunState,
    begins_ms: Option<i64>,
    started_ms: i64,
    ended_ms: Option<i64>,
    paused_for: Option<String>,
    lanes: Vec<LaneState>,
    /// People of chunks that have ended.
    settled: Counts,
    concurrency: u32,
    max_failures: u32,
    timeout_ms: u64,
    /// What was told last, and when.
    told: Option<(RunState, Option<String>, i64)>,
    /// For when the run is to be woken already.
    wakes_ms: Option<i64>,
}

/// One account by one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LaneState {
    account: String,
    method: Method,
    chunks: u64,
    /// How many requests a chunk has on average.
    requests: u32,
    next: u64,
    under_way: Vec<Pending>,
    waiting: Vec<Pending>,
    parked: Vec<Parked>,
    failures: u32,
    held_until_ms: i64,
    stopped: Option<String>,
    channel: Option<Channel>,
    /// When the account's window opens, where it is closed.
    opens_ms: i64,
}

/// A chunk on its way, or to be sent again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pending {
    chunk: u64,
    turn: u32,
    due_ms: i64,
    requests: u32,
    people: Counts,
    /// Since when parts of it may have been sent without anything being written down of it.
    in_doubt_since_ms: Option<i64>,
}

/// A chunk that cannot be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Parked {
    chunk: u64,
    turn: u32,
    reason: String,
    in_doubt_since_ms: Option<i64>,
}

/// A plan, as a run begins with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) manifest: String,
    pub(super) lanes: Vec<Lane>,
    pub(super) begins_ms: Option<i64>,
    pub(super) concurrency: u32,
    pub(super) max_failures: u32,
    pub(super) timeout_ms: u64,
}

/// What the world looks like.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Look {
    pub(super) now_ms: i64,
    /// When each lane's account may send next.
    pub(super) opens_ms: Vec<i64>,
    /// What is known of accounts that were asked for, by name; `None` where one did not answer.
    pub(super) channels: Vec<(String, Option<Channel>)>,
}

/// One turn of one chunk, for a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) run: String,
    pub(super) manifest: String,
    pub(super) lane: usize,
    pub(super) chunk: u64,
    pub(super) turn: u32,
    pub(super) only_in_doubt: bool,
    pub(super) in_doubt_since_ms: Option<i64>,
    /// The budget that limits the rate, where one does.
    pub(super) limit: Option<Limit>,
    /// About how many requests it takes.
    pub(super) requests: u32,
    pub(super) timeout_ms: u64,
}

/// A budget's name and rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limit {
    pub(super) budget: String,
    pub(super) rate: Rate,
}

/// How a turn of a chunk ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) lane: usize,
    pub(super) chunk: u64,
    pub(super) turn: u32,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was sent, or tried to be.
    Sent(Round),
    /// It cannot be sent, and repeating does not help.
    Parked {
        reason: String,
        /// Since when parts of it may have been sent without anything being written down of it.
        in_doubt_since_ms: Option<i64>,
    },
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) orders: Vec<Order>,
    /// After how many milliseconds the run is to be woken.
    pub(super) wake_after_ms: Option<u64>,
    /// What is to be written into the store.
    pub(super) standing: Option<Standing>,
}

impl Run {
    /// A run that begins.
    pub(super) fn new(plan: Plan, now_ms: i64) -> Self {
        let lanes = plan.lanes.iter().map(|lane| LaneState {
            account: lane.account.clone(),
            method: lane.method,
            chunks: lane.chunks,
            requests: u32::try_from(lane.requests.div_ceil(lane.chunks.max(1))).unwrap_or(u32::MAX),
            next: 0,
            under_way: Vec::new(),
            waiting: Vec::new(),
            parked: Vec::new(),
            failures: 0,
            held_until_ms: 0,
            stopped: None,
            channel: None,
            opens_ms: 0,
        });
        Self {
            lanes: lanes.collect(),
            manifest: plan.manifest,
            state: RunState::Scheduled,
            begins_ms: plan.begins_ms,
            started_ms: now_ms,
            ended_ms: None,
            paused_for: None,
            settled: Counts::default(),
            concurrency: plan.concurrency.max(1),
            max_failures: plan.max_failures,
            timeout_ms: plan.timeout_ms,
            told: None,
            wakes_ms: None,
        }
    }

    pub(super) fn state(&self) -> RunState {
        self.state
    }

    /// Begins nothing more. What is under way comes to its end.
    pub(super) fn pause(&mut self, now_ms: i64) {
        if self.is_going() {
            self.state = RunState::Paused;
            self.ended_ms = Some(now_ms);
            self.paused_for = None;
        }
    }

    /// Gives up what was not sent. What may have been sent is still found out.
    pub(super) fn cancel(&mut self, now_ms: i64) {
        self.state = RunState::Cancelled;
        self.paused_for = None;
        self.ended_ms.get_or_insert(now_ms);
        for lane in &mut self.lanes {
            lane.renew();
        }
    }

    /// Goes on with what paused: accounts are asked again, parked chunks are tried again.
    pub(super) fn resume(&mut self) {
        if self.state != RunState::Paused {
            return;
        }
        self.state = RunState::Scheduled;
        self.paused_for = None;
        self.ended_ms = None;
        for lane in &mut self.lanes {
            lane.renew();
            let parked = std::mem::take(&mut lane.parked).into_iter();
            let requests = lane.requests;
            lane.waiting.extend(parked.map(|parked| Pending {
                chunk: parked.chunk,
                turn: parked.turn,
                due_ms: 0,
                requests,
                people: Counts::default(),
                in_doubt_since_ms: parked.in_doubt_since_ms,
            }));
        }
    }

    fn is_going(&self) -> bool {
        matches!(self.state, RunState::Scheduled | RunState::Running)
    }

    /// The time for which it was to be woken has come: by the engine's clock, which may be ahead of this
    /// machine's.
    pub(super) fn woken(&mut self) {
        self.wakes_ms = None;
    }

    /// The accounts that have to be asked which channel they are.
    pub(super) fn strangers(&self, now_ms: i64) -> Vec<String> {
        let lanes = self.lanes.iter().filter(|lane| {
            let is_wanted = lane.channel.is_none() && lane.stopped.is_none() && lane.has_work();
            is_wanted && lane.held_until_ms <= now_ms
        });
        let mut names: Vec<String> = lanes.map(|lane| lane.account.clone()).collect();
        names.dedup();
        if self.state == RunState::Paused || self.state == RunState::Planned {
            names.clear();
        }
        names
    }

    /// The accounts of the lanes, in order.
    pub(super) fn accounts(&self) -> Vec<String> {
        self.lanes.iter().map(|lane| lane.account.clone()).collect()
    }

    /// Takes in how a turn ended.
    pub(super) fn ended(&mut self, ended: Ended, now_ms: i64) {
        let (concurrency, max_failures) = (self.concurrency, self.max_failures);
        let Some(lane) = self.lanes.get_mut(ended.lane) else {
            return;
        };
        let is_same = |one: &Pending| (one.chunk, one.turn) == (ended.chunk, ended.turn);
        let Some(place) = lane.under_way.iter().position(is_same) else {
            return;
        };
        let mut pending = lane.under_way.remove(place);
        let round = match ended.outcome {
            Outcome::Sent(round) => round,
            Outcome::Parked {
                reason,
                in_doubt_since_ms,
            } => {
                lane.parked.push(Parked {
                    chunk: pending.chunk,
                    turn: pending.turn,
                    reason,
                    in_doubt_since_ms,
                });
                return;
            }
        };
        lane.judge(&round, concurrency, max_failures, now_ms);
        let is_given_up = self.state == RunState::Cancelled && round.people.unknown == 0;
        if round.left == 0 || is_given_up {
            self.settled += round.people;
            return;
        }
        pending.people = round.people;
        pending.in_doubt_since_ms = None;
        pending.requests = round.left;
        pending.due_ms = match round.reason {
            Some(_) => now_ms + pause_of_part_ms(lane.failures / concurrency),
            None => now_ms,
        };
        lane.waiting.push(pending);
    }

    /// What is to be done now. `run` is the run's ID.
    pub(super) fn steps(&mut self, run: &str, look: &Look) -> Steps {
        let now = look.now_ms;
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            lane.opens_ms = look.opens_ms.get(place).copied().unwrap_or(now);
            lane.know(&look.channels, now);
        }
        if self.state == RunState::Scheduled && self.begins_ms.is_none_or(|at| at <= now) {
            self.state = RunState::Running;
        }
        let mut steps = Steps::default();
        let mut wakes = Vec::new();
        match self.state {
            RunState::Scheduled => wakes.extend(self.begins_ms),
            RunState::Running | RunState::Cancelled => {
                let is_given_up = self.state == RunState::Cancelled;
                for place in 0..self.lanes.len() {
                    self.begin(run, place, is_given_up, now, &mut steps.orders);
                }
                let lanes = self.lanes.iter();
                wakes.extend(lanes.filter_map(|lane| lane.wakes_ms(now)));
                self.look_for_end(now);
            }
            _ => {}
        }
        self.wakes_ms = self.wakes_ms.filter(|at| *at > now);
        if let Some(at) = wakes.into_iter().min()
            && self.wakes_ms.is_none_or(|wakes| wakes > at)
        {
            self.wakes_ms = Some(at);
            steps.wake_after_ms = u64::try_from(at - now).ok();
        }
        steps.standing = self.news(now);
        steps
    }

    /// Hands out chunks of a lane, as many as may be on their way.
    fn begin(
        &mut self,
        run: &str,
        place: usize,
        is_given_up: bool,
        now_ms: i64,
        orders: &mut Vec<Order>,
    ) {
        let (manifest, timeout_ms) = (&self.manifest, self.timeout_ms);
        let Some(lane) = self.lanes.get_mut(place) else {
            return;
        };
        let Some(channel) = lane.channel.clone() else {
            return;
        };
        if lane.stopped.is_some() || lane.opens_ms > now_ms || lane.held_until_ms > now_ms {
            return;
        }
        while lane.under_way.len() < UNDER_WAY {
            let Some(pending) = lane.take(is_given_up, now_ms) else {
                break;
            };
            let limit = channel.rate(lane.method).map(|rate| Limit {
                budget: format!("{}-{}", channel.id, lane.method.name()),
                rate,
            });
            orders.push(Order {
                run: run.to_owned(),
                manifest: manifest.clone(),
                lane: place,
                chunk: pending.chunk,
                turn: pending.turn,
                only_in_doubt: is_given_up,
                in_doubt_since_ms: pending.in_doubt_since_ms,
                limit,
                requests: pending.requests,
                timeout_ms,
            });
            lane.under_way.push(pending);
        }
    }

    /// Ends the run where nothing is left that could be sent.
    fn look_for_end(&mut self, now_ms: i64) {
        if self.state != RunState::Running || self.lanes.iter().any(|lane| !lane.is_over()) {
            return;
        }
        let mut reasons = Vec::new();
        for lane in &self.lanes {
            if let Some(reason) = lane.stopped.as_ref().filter(|_| lane.has_work()) {
                reasons.push(format!("{}: {reason}", lane.account));
            }
            if let Some(first) = lane.parked.first() {
                let (count, account) = (lane.parked.len(), &lane.account);
                reasons.push(format!(
                    "{account}: {count} chunks are parked, the first since {}",
                    first.reason
                ));
            }
        }
        reasons.dedup();
        self.ended_ms = Some(now_ms);
        if !reasons.is_empty() {
            self.state = RunState::Paused;
            self.paused_for = Some(reasons.join("; "));
        } else if self.settled.expired_unknown > 0 {
            self.state = RunState::FinishedWithUnknown;
        } else {
            self.state = RunState::Finished;
        }
    }

    /// The standing, where it is to be told again.
    fn news(&mut self, now_ms: i64) -> Option<Standing> {
        let standing = self.standing(now_ms);
        if let Some((state, reason, at_ms)) = &self.told
            && *state == standing.state
            && *reason == standing.reason
            && now_ms - at_ms < TELL_MS
            && self.is_going()
        {
            return None;
        }
        self.told = Some((standing.state, standing.reason.clone(), now_ms));
        Some(standing)
    }

    /// Where the run stands.
    pub(super) fn standing(&self, now_ms: i64) -> Standing {
        let mut people = self.settled;
        let lanes = self.lanes.iter();
        let pending = lanes.flat_map(|lane| lane.under_way.iter().chain(&lane.waiting));
        pending.for_each(|pending| people += pending.people);
        let lanes = self.lanes.iter();
        let parked = lanes.flat_map(|lane| {
            let name = lane.method.name();
            let parked = lane.parked.iter();
            parked.map(move |parked| {
                format!(
                    "{} {name} {}: {}",
                    lane.account, parked.chunk, parked.reason
                )
            })
        });
        let begins = self.begins_ms.filter(|_| self.state == RunState::Scheduled);
        let reason = match begins {
            Some(_) => Some("it waits for its time".to_owned()),
            None => self.paused_for.clone().or_else(|| self.waits_for(now_ms)),
        };
        Standing {
            state: self.state,
            reason,
            started_ms: Some(self.started_ms),
            ended_ms: self.ended_ms,
            people,
            parked: parked.take(NAMED).collect(),
            at_ms: now_ms,
        }
    }

    /// Why accounts wait.
    fn waits_for(&self, now_ms: i64) -> Option<String> {
        if self.state != RunState::Running {
            return None;
        }
        let reasons = self.lanes.iter().filter(|lane| lane.has_work());
        let mut reasons: Vec<String> = reasons
            .filter_map(|lane| {
                let reason = lane.waits_for(now_ms)?;
                Some(format!("{} waits: {reason}", lane.account))
            })
            .collect();
        reasons.dedup();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl LaneState {
    /// Forgets why it waited.
    fn renew(&mut self) {
        self.failures = 0;
        self.held_until_ms = 0;
        self.stopped = None;
        self.channel = None;
        self.waiting.iter_mut().for_each(|one| one.due_ms = 0);
    }

    fn know(&mut self, channels: &[(String, Option<Channel>)], now_ms: i64) {
        if self.channel.is_some() {
            return;
        }
        let known = channels.iter().find(|(name, _)| *name == self.account);
        match known {
            None => {}
            Some((_, None)) => self.held_until_ms = now_ms + ASK_AGAIN_MS,
            Some((_, Some(channel))) => match &channel.fault {
                Some(fault) => self.stopped = Some(fault.clone()),
                None => self.channel = Some(channel.clone()),
            },
        }
    }

    /// What a turn says of the account.
    fn judge(&mut self, round: &Round, concurrency: u32, max_failures: u32, now_ms: i64) {
        if round.accepted > 0 {
            self.failures = 0;
        }
        if round.stops.is_some() {
            self.stopped.clone_from(&round.stops);
        }
        if round.failures == 0 {
            return;
        }
        self.failures += round.failures;
        if self.failures >= max_failures {
            let last = round.reason.as_deref().unwrap_or("no reason was given");
            let failures = self.failures;
            let reason = format!("{failures} requests in a row failed, the last: {last}");
            self.stopped.get_or_insert(reason);
        } else if self.failures >= concurrency {
            let times = self.failures / concurrency;
            self.held_until_ms = now_ms + pause_of_account_ms(times);
        }
    }

    /// The next chunk to send: one that waits and is due, or a new one.
    fn take(&mut self, is_given_up: bool, now_ms: i64) -> Option<Pending> {
        let due = |one: &Pending| one.due_ms <= now_ms && (!is_given_up || one.people.unknown > 0);
        if let Some(place) = self.waiting.iter().position(due) {
            let mut pending = self.waiting.remove(place);
            pending.turn += 1;
            return Some(pending);
        }
        if is_given_up || self.next >= self.chunks || self.waiting.len() >= WAITING {
            return None;
        }
        self.next += 1;
        Some(Pending {
            chunk: self.next - 1,
            turn: 1,
            due_ms: 0,
            requests: self.requests,
            people: Counts::default(),
            in_doubt_since_ms: None,
        })
    }

    fn has_work(&self) -> bool {
        self.next < self.chunks || !self.waiting.is_empty()
    }

    fn is_over(&self) -> bool {
        self.under_way.is_empty() && (self.stopped.is_some() || !self.has_work())
    }

    /// When something can be done that cannot be now, without a turn that ends.
    fn wakes_ms(&self, now_ms: i64) -> Option<i64> {
        if self.stopped.is_some() || !self.has_work() {
            return None;
        }
        let has_new = self.next < self.chunks && self.waiting.len() < WAITING;
        let due = self.waiting.iter().map(|one| one.due_ms).min();
        let due = due.filter(|_| !has_new).unwrap_or(now_ms);
        let at = due.max(self.opens_ms).max(self.held_until_ms);
        (at > now_ms).then_some(at)
    }

    fn waits_for(&self, now_ms: i64) -> Option<String> {
        if let Some(reason) = &self.stopped {
            return Some(reason.clone());
        }
        if self.opens_ms > now_ms {
            return Some("its window is closed".to_owned());
        }
        if self.held_until_ms <= now_ms {
            return None;
        }
        Some(match self.failures {
            0 => "it does not answer".to_owned(),
            failures => format!("{failures} requests in a row failed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    /// A run of one account with so many chunks of ten people each.
    fn run(chunks: u64) -> Run {
        let lane = serde_json::json!({
            "account": "tokyo", "method": "one", "chunks": chunks, "parts": chunks * 10,
            "people": chunks * 10, "requests": chunks * 10, "pages": [],
        });
        let plan = Plan {
            manifest: "m".to_owned(),
            lanes: vec![serde_json::from_value(lane).unwrap()],
            begins_ms: None,
            concurrency: 4,
            max_failures: 20,
            timeout_ms: 10_000,
        };
        Run::new(plan, 0)
    }

    fn look(now_ms: i64) -> Look {
        let channel = Channel {
            id: "c".to_owned(),
            one: Some((2000, 1)),
            ..Channel::default()
        };
        Look {
            now_ms,
            opens_ms: vec![now_ms],
            channels: vec![("tokyo".to_owned(), Some(channel))],
        }
    }

    fn sent(accepted: u64) -> Round {
        let mut round = Round::default();
        round.people.accepted = accepted;
        round.accepted = u32::try_from(accepted).unwrap();
        round
    }

    /// LINE did not answer for anybody.
    fn failed() -> Round {
        let mut round = Round {
            failures: 10,
            left: 10,
            reason: Some("it broke".to_owned()),
            ..Round::default()
        };
        round.people.unknown = 10;
        round
    }

    fn end(order: &Order, outcome: Outcome) -> Ended {
        Ended {
            lane: order.lane,
            chunk: order.chunk,
            turn: order.turn,
            outcome,
        }
    }

    fn numbers(steps: &Steps) -> Vec<(u64, u32)> {
        let orders = steps.orders.iter();
        orders.map(|order| (order.chunk, order.turn)).collect()
    }

    #[test]
    fn chunks_go_out_in_order_a_few_at_a_time_until_all_have_ended() {
        let mut run = run(8);
        assert_eq!(run.strangers(0), ["tokyo"]);
        let mut open = run.steps("r", &look(0)).orders;
        assert_eq!(open.len(), UNDER_WAY);
        assert_eq!(open[0].limit.as_ref().unwrap().budget, "c-one");
        let mut seen = Vec::new();
        while !open.is_empty() {
            let order = open.remove(0);
            seen.push(order.chunk);
            run.ended(end(&order, Outcome::Sent(sent(10))), 1);
            open.extend(run.steps("r", &look(1)).orders);
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
        let standing = run.standing(2);
        assert_eq!(standing.state, RunState::Finished);
        assert_eq!(standing.people.accepted, 80);
    }

    #[test]
    fn an_end_that_is_told_twice_counts_once() {
        let mut run = run(2);
        let orders = run.steps("r", &look(0)).orders;
        for _ in 0..2 {
            run.ended(end(&orders[0], Outcome::Sent(sent(10))), 1);
        }
        assert_eq!(run.standing(1).people.accepted, 10);
    }

    #[test]
    fn what_failed_is_sent_again_after_a_pause_that_grows() {
        let mut run = run(1);
        let first = run.steps("r", &look(0)).orders.remove(0);
        let mut round = failed();
        round.failures = 3;
        run.ended(end(&first, Outcome::Sent(round.clone())), 0);
        let steps = run.steps("r", &look(0));
        assert_eq!((steps.orders.len(), steps.wake_after_ms), (0, Some(1000)));
        assert_eq!(run.standing(0).people.unknown, 10);
        let again = run.steps("r", &look(1000)).orders.remove(0);
        assert_eq!((again.chunk, again.turn), (0, 2));
        run.ended(end(&again, Outcome::Sent(round)), 1000);
        assert_eq!(run.steps("r", &look(1000)).wake_after_ms, Some(2000));
        let last = run.steps("r", &look(3000)).orders.remove(0);
        run.ended(end(&last, Outcome::Sent(sent(10))), 3000);
        run.steps("r", &look(3000));
        assert_eq!(run.state(), RunState::Finished);
    }

    #[test]
    fn an_account_that_fails_for_long_stops_and_a_resume_asks_it_again() {
        let mut run = run(3);
        let orders = run.steps("r", &look(0)).orders;
        for order in &orders {
            run.ended(end(order, Outcome::Sent(failed())), 0);
        }
        run.steps("r", &look(0));
        let standing = run.standing(0);
        assert_eq!(standing.state, RunState::Paused);
        let reason = standing.reason.unwrap();
        assert!(
            reason.contains("tokyo: 20 requests in a row failed, the last: it broke"),
            "{reason}"
        );
        run.resume();
        assert_eq!(run.strangers(1), ["tokyo"]);
        assert_eq!(numbers(&run.steps("r", &look(1))), [(0, 2), (1, 2), (2, 2)]);
    }

    #[test]
    fn a_pause_begins_nothing_and_what_is_out_still_counts() {
        let mut run = run(20);
        let orders = run.steps("r", &look(0)).orders;
        run.pause(1);
        run.ended(end(&orders[0], Outcome::Sent(sent(10))), 2);
        assert_eq!(run.steps("r", &look(2)).orders, []);
        let standing = run.standing(2);
        assert_eq!(
            (standing.state, standing.people.accepted),
            (RunState::Paused, 10)
        );
        run.resume();
        assert_eq!(numbers(&run.steps("r", &look(3))), [(6, 1)]);
        assert_eq!(run.state(), RunState::Running);
    }

    #[test]
    fn a_run_that_is_given_up_only_finds_out_what_may_have_been_sent() {
        let mut run = run(20);
        let orders = run.steps("r", &look(0)).orders;
        run.cancel(1);
        run.ended(end(&orders[0], Outcome::Sent(failed())), 1);
        let mut held = failed();
        held.failures = 0;
        held.people = Counts {
            held: 10,
            ..Counts::default()
        };
        run.ended(end(&orders[1], Outcome::Sent(held)), 1);
        let steps = run.steps("r", &look(MINUTE));
        assert_eq!(numbers(&steps), [(0, 2)]);
        assert!(steps.orders[0].only_in_doubt);
        run.ended(end(&steps.orders[0], Outcome::Sent(sent(10))), MINUTE);
        assert_eq!(run.standing(MINUTE).people.accepted, 10);
    }

    #[test]
    fn a_chunk_that_cannot_be_sent_is_parked_and_named_and_the_others_go_on() {
        let mut run = run(2);
        let orders = run.steps("r", &look(0)).orders;
        let parked = Outcome::Parked {
            reason: "it is missing".to_owned(),
            in_doubt_since_ms: Some(5),
        };
        run.ended(end(&orders[0], parked), 1);
        run.ended(end(&orders[1], Outcome::Sent(sent(10))), 1);
        run.steps("r", &look(1));
        let standing = run.standing(1);
        assert_eq!(standing.state, RunState::Paused);
        assert_eq!(standing.parked, ["tokyo one 0: it is missing"]);
        run.resume();
        let again = run.steps("r", &look(2)).orders.remove(0);
        assert_eq!(
            (again.chunk, again.turn, again.in_doubt_since_ms),
            (0, 2, Some(5))
        );
    }

    #[test]
    fn a_time_and_a_window_are_waited_for() {
        let mut run = run(1);
        run.begins_ms = Some(5 * MINUTE);
        let steps = run.steps("r", &look(0));
        assert_eq!(
            (steps.orders.len(), steps.wake_after_ms),
            (0, Some(300_000))
        );
        assert_eq!(steps.standing.unwrap().state, RunState::Scheduled);
        // It is not woken again for what it is woken for, unless it is woken too early.
        assert_eq!(run.steps("r", &look(1)).wake_after_ms, None);
        run.woken();
        assert_eq!(run.steps("r", &look(299_995)).wake_after_ms, Some(5));
        let closed = Look {
            opens_ms: vec![9 * MINUTE],
            ..look(5 * MINUTE)
        };
        let steps = run.steps("r", &closed);
        assert_eq!(
            (steps.orders.len(), steps.wake_after_ms),
            (0, Some(240_000))
        );
        let reason = steps.standing.unwrap().reason.unwrap();
        assert!(reason.contains("its window is closed"), "{reason}");
        assert_eq!(run.steps("r", &look(9 * MINUTE)).orders.len(), 1);
    }

    #[test]
    fn an_account_that_is_refused_stops_and_one_that_is_silent_is_asked_again() {
        let mut refused = run(1);
        let fault = Channel {
            fault: Some("LINE refuses the token".to_owned()),
            ..Channel::default()
        };
        let mut seen = look(0);
        seen.channels = vec![("tokyo".to_owned(), Some(fault))];
        refused.steps("r", &seen);
        assert_eq!(
            refused.standing(0).reason.unwrap(),
            "tokyo: LINE refuses the token"
        );
        assert_eq!(refused.state(), RunState::Paused);

        let mut silent = run(1);
        seen.channels = vec![("tokyo".to_owned(), None)];
        assert_eq!(silent.steps("r", &seen).wake_after_ms, Some(10_000));
        assert_eq!(silent.strangers(9_999), [""; 0]);
        assert_eq!(silent.strangers(10_000), ["tokyo"]);
        assert_eq!(silent.steps("r", &look(10_000)).orders.len(), 1);
    }
}
