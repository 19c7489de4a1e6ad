//! Rate budgets: calls wait for their turn, so that LINE need not refuse any. One budget belongs to
//! one endpoint of one channel and is shared by all calls of the process with the same credentials; a
//! second process has its own. It knows no endpoint and sends nothing.
//!
//! A budget of N calls a window has N permits. A call takes one before it is sent; the permit comes
//! back one window after the *answer* arrived, or at once where the request provably never left.
//! LINE counted the request somewhere between sending and answer, so no window of LINE's ever holds
//! more than N of them, whatever the network delays. What that costs is the time of one round trip
//! a window. Whoever finds no permit stands in a queue; only its head watches the clock.
//!
//! The crate `governor` was looked at first. It forgets calls by the time they were sent, which a
//! slow network undoes; it has no queue; and it cannot tell early that a turn would come too late.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::backoff::bound;
use crate::handle::Handle;
use crate::host::Clock;

/// The first pause after LINE refused a call in spite of the budget, at least and at most; it
/// doubles up to the longest.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// A `Retry-After` beyond this is taken for a mistake.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);
/// In how many steps a budget that was halved comes back.
const STEPS: u32 = 8;
/// A window is kept longer by a 500th of it, for clocks that run differently.
const WINDOW_MARGIN_DIVISOR: u32 = 500;
/// How long a call waits on after its caller gave it up.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// From how many budgets on those without a call in their window are dropped.
const MAX_IDLE_BUDGETS: usize = 1024;
/// How many budgets there are at most, beside those of calls under way: documents may bring any number of
/// credentials.
const MAX_BUDGETS: usize = 64 * 1024;

/// A rate: so many calls in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many calls.
    pub calls: u32,
    /// In which time, seconds.
    pub seconds: u32,
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(formatter, "{}/s", self.calls),
            60 => write!(formatter, "{}/min", self.calls),
            3600 => write!(formatter, "{}/h", self.calls),
            seconds => write!(formatter, "{} in {seconds} s", self.calls),
        }
    }
}

/// Why a call gets no turn. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The turn did not come within the time that the call may wait, or before its caller gave it up.
    Late(Rate),
    /// The turn cannot come within that time: the call did not wait at all.
    TooLate(Rate),
    /// Nobody waits any more, the process is ending.
    Stopped(Rate),
}

/// All budgets of a process.
#[derive(Debug, Default)]
pub struct Budgets {
    kept: Mutex<Kept>,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    by_name: HashMap<String, Arc<Budget>>,
    /// How many there may be before the idle ones are looked for.
    room: usize,
}

impl Budgets {
    /// The budget of this name, which must tell credentials, endpoint and rate, and no secret.
    pub fn get(&self, name: String, rate: Rate, clock: &dyn Clock) -> Arc<Budget> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = kept.by_name.get(&name) {
            return Arc::clone(budget);
        }
        if kept.by_name.len() >= kept.room.max(MAX_IDLE_BUDGETS) {
            let now = clock.monotonic();
            kept.by_name
                .retain(|_, budget| Arc::strong_count(budget) > 1 || !budget.is_idle(now));
            if kept.by_name.len() >= MAX_BUDGETS {
                // Whoever had one of these may meet a 429 of LINE's.
                kept.by_name
                    .retain(|_, budget| Arc::strong_count(budget) > 1);
            }
            kept.room = (kept.by_name.len() * 2).min(MAX_BUDGETS);
        }
        let budget = Arc::new(Budget::new(rate));
        kept.by_name.insert(name, Arc::clone(&budget));
        budget
    }

    /// A turn within every one of these budgets, or why there is none. It waits at most `patience`,
    /// where that is given, and no longer than the caller wants the call.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; no permit is kept then.
    pub fn turn<'b>(
        &self,
        budgets: &'b [Arc<Budget>],
        patience: Option<Duration>,
        caller: Option<&Handle>,
        clock: &'b dyn Clock,
    ) -> Result<Turn<'b>, Refusal> {
        let mut turn = Turn {
            budgets,
            clock,
            taken: 0,
            since: None,
            waited: Duration::ZERO,
        };
        for budget in budgets {
            let patience = patience.map(|patience| patience.saturating_sub(turn.waited));
            turn.waited += budget.wait(patience, caller, &self.stopped, clock)?;
            turn.taken += 1;
        }
        if !budgets.is_empty() {
            turn.since = Some(clock.monotonic());
        }
        Ok(turn)
    }

    /// Sends away whoever waits, and whoever would have to from now on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for budget in kept.by_name.values() {
            for (_, waker) in &budget.state().waiting {
                waker.wake_by_ref();
            }
        }
    }

    /// Whether [`Budgets::stop`] was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// The right to send one request. Dropped without [`Turn::end`], nothing was sent.
pub struct Turn<'b> {
    budgets: &'b [Arc<Budget>],
    clock: &'b dyn Clock,
    taken: usize,
    since: Option<Duration>,
    /// How long the call waited for it.
    pub waited: Duration,
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turn").finish_non_exhaustive()
    }
}

impl Turn<'_> {
    /// The answer is there, or none will come: LINE has counted the request by now.
    pub fn end(mut self) {
        self.give_back(true);
    }

    /// LINE refused the request for its rate, and may have said how long to keep away.
    pub fn end_refused(mut self, retry_after: Option<Duration>) {
        // The last budget is LINE's own, where LINE states one.
        if let (Some(budget), Some(since)) = (self.budgets.last(), self.since) {
            let now = self.clock.monotonic();
            budget
                .state()
                .slow_down(budget.rate, now, since, retry_after);
        }
        self.give_back(true);
    }

    fn give_back(&mut self, sent: bool) {
        for budget in &self.budgets[..self.taken] {
            budget
                .state()
                .give_back(sent.then(|| self.clock.monotonic()));
        }
        self.taken = 0;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.give_back(false);
    }
}

/// The budget of one endpoint of one channel.
#[derive(Debug)]
pub struct Budget {
    rate: Rate,
    state: Mutex<State>,
}

impl Budget {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            state: Mutex::new(State::new(rate)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self, now: Duration) -> bool {
        let mut state = self.state();
        state.settle(self.rate, now);
        state.in_flight == 0 && state.answered.is_empty() && state.slowed.is_none()
    }

    /// Takes a permit, after a wait in the queue where there is none; says how long that took.
    fn wait(
        &self,
        patience: Option<Duration>,
        caller: Option<&Handle>,
        stopped: &AtomicBool,
        clock: &dyn Clock,
    ) -> Result<Duration, Refusal> {
        let begun = clock.monotonic();
        let mut state = self.state();
        if state.waiting.is_empty() && state.take(self.rate, begun) {
            return Ok(Duration::ZERO);
        }
        let deadline = patience.and_then(|patience| begun.checked_add(patience));
        let certain = state.not_before(self.rate, begun, state.waiting.len());
        if deadline.is_some_and(|deadline| certain > deadline) {
            return Err(Refusal::TooLate(self.rate));
        }
        if let Some(caller) = caller {
            caller.tell(|| format!("waiting for its turn within {}", self.rate));
        }
        let ticket = state.enqueue(clock.waker());
        loop {
            let now = clock.monotonic();
            let first = state
                .waiting
                .front()
                .is_some_and(|(first, _)| *first == ticket);
            if first && state.take(self.rate, now) {
                state.leave(ticket);
                return Ok(now.saturating_sub(begun));
            }
            // The flag is read under the lock under which `stop` looks for those who wait.
            let refusal = if stopped.load(Ordering::SeqCst) {
                Some(Refusal::Stopped(self.rate))
            } else {
                let late = deadline.is_some_and(|deadline| now >= deadline)
                    || caller.is_some_and(Handle::is_cancelled);
                late.then_some(Refusal::Late(self.rate))
            };
            if let Some(refusal) = refusal {
                state.leave(ticket);
                return Err(refusal);
            }
            let change = first.then(|| state.next_change(self.rate, now));
            let look = caller.map(|_| now + LOOK_AGAIN);
            let until = [change, deadline, look].into_iter().flatten().min();
            drop(state);
            clock.park(until.map(|until| until.saturating_sub(now)));
            state = self.state();
        }
    }
}

/// Where the permits are. Every time is an argument: the clock's monotonic one.
#[derive(Debug)]
struct State {
    /// How many requests may be on their way or in the window now: the rate's calls, or fewer after
    /// a refusal.
    capacity: u32,
    /// Permits of requests without an answer yet.
    in_flight: u32,
    /// When the requests in the window were answered, in order.
    answered: VecDeque<Duration>,
    slowed: Option<Slowed>,
    /// Who waits, in order of arrival.
    waiting: VecDeque<(u64, Waker)>,
    last_ticket: u64,
}

/// LINE refused a call in spite of the budget.
#[derive(Debug, Clone, Copy)]
struct Slowed {
    /// When it did so last.
    at: Duration,
    /// Until when nothing is sent.
    closed_until: Duration,
    /// When the capacity grows next.
    grows: Duration,
    /// How often in a row.
    times: u32,
}

impl State {
    fn new(rate: Rate) -> Self {
        Self {
            capacity: rate.calls,
            in_flight: 0,
            answered: VecDeque::new(),
            slowed: None,
            waiting: VecDeque::new(),
            last_ticket: 0,
        }
    }

    /// Takes a permit, if one is there.
    fn take(&mut self, rate: Rate, now: Duration) -> bool {
        self.settle(rate, now);
        let closed = self.slowed.is_some_and(|slowed| now < slowed.closed_until);
        let free = !closed && self.used() < self.capacity as usize;
        self.in_flight += u32::from(free);
        free
    }

    /// Gives a permit back: a window after the answer, or at once where nothing was sent.
    fn give_back(&mut self, answered: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match answered {
            Some(answered) => self.answered.push_back(answered),
            None => self.wake_first(),
        }
    }

    fn used(&self) -> usize {
        self.in_flight as usize + self.answered.len()
    }

    /// Brings everything up to the time.
    fn settle(&mut self, rate: Rate, now: Duration) {
        let window = window(rate);
        while self.answered.front().is_some_and(|at| now >= *at + window) {
            self.answered.pop_front();
        }
        while let Some(slowed) = self.slowed.as_mut().filter(|slowed| now >= slowed.grows) {
            slowed.grows += step(rate);
            self.capacity += rate.calls.div_ceil(STEPS);
            if self.capacity >= rate.calls {
                self.capacity = rate.calls;
                self.slowed = None;
            }
        }
    }

    /// LINE refused a request that was sent at `sent`. A burst of 429s counts once.
    fn slow_down(
        &mut self,
        rate: Rate,
        now: Duration,
        sent: Duration,
        retry_after: Option<Duration>,
    ) {
        let asked = retry_after.map(|asked| now + asked.min(MAX_RETRY_AFTER));
        if let Some(slowed) = self.slowed.as_mut().filter(|slowed| sent < slowed.at) {
            slowed.closed_until = slowed
                .closed_until
                .max(asked.unwrap_or(slowed.closed_until));
            slowed.grows = slowed.grows.max(slowed.closed_until);
            return;
        }
        let times = self.slowed.map_or(0, |slowed| slowed.times);
        let pause = (window(rate) / rate.calls).clamp(MIN_PAUSE, MAX_PAUSE);
        let pause = bound(pause, times + 1, MAX_PAUSE);
        let closed_until = asked.unwrap_or(now + pause);
        self.capacity = (self.capacity / 2).max(1);
        self.slowed = Some(Slowed {
            at: now,
            closed_until,
            grows: closed_until + step(rate),
            times: times + 1,
        });
    }

    /// A time before which the turn certainly does not come for someone behind `ahead` others.
    fn not_before(&self, rate: Rate, now: Duration, ahead: usize) -> Duration {
        let window = window(rate);
        let calls = rate.calls as usize;
        let rounds = u32::try_from(ahead / calls).unwrap_or(u32::MAX);
        let mut certain = now + window.saturating_mul(rounds);
        // So many permits have to come back first; those still in flight need a window at least.
        if let Some(last) = (self.used() + ahead).checked_sub(calls) {
            let back = self.answered.get(last).map_or(now, |answered| *answered);
            certain = certain.max(back + window);
        }
        let closed = self.slowed.map(|slowed| slowed.closed_until);
        closed.map_or(certain, |closed| certain.max(closed))
    }

    /// When the head of the queue should look again.
    fn next_change(&self, rate: Rate, now: Duration) -> Duration {
        if let Some(slowed) = self.slowed {
            if now < slowed.closed_until {
                return slowed.closed_until;
            }
            return slowed.grows.min(self.back_first(rate, now));
        }
        self.back_first(rate, now)
    }

    /// When the next permit comes back; of those in flight none does within a window.
    fn back_first(&self, rate: Rate, now: Duration) -> Duration {
        self.answered.front().map_or(now, |answered| *answered) + window(rate)
    }

    fn enqueue(&mut self, waker: Waker) -> u64 {
        self.last_ticket += 1;
        self.waiting.push_back((self.last_ticket, waker));
        self.last_ticket
    }

    fn leave(&mut self, ticket: u64) {
        self.waiting.retain(|(other, _)| *other != ticket);
        self.wake_first();
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.front() {
            waker.wake_by_ref();
        }
    }
}

/// The time in which the calls of a rate are allowed, and a little more: LINE's clock is not ours.
fn window(rate: Rate) -> Duration {
    let stated = Duration::from_secs(rate.seconds.into());
    stated + stated / WINDOW_MARGIN_DIVISOR
}

/// How long a step of coming back takes.
fn step(rate: Rate) -> Duration {
    window(rate).clamp(MIN_PAUSE, MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::host::tests::ThreadClock;

    const RATE: Rate = Rate {
        calls: 3,
        seconds: 60,
    };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// How many permits can be taken at once.
    fn takes(state: &mut State, at: Duration) -> usize {
        (0..10).take_while(|_| state.take(RATE, at)).count()
    }

    #[test]
    fn a_permit_comes_back_one_window_after_its_answer() {
        let (start, mut state) = (Duration::from_secs(1_000), State::new(RATE));
        assert_eq!(takes(&mut state, start), 3);
        // However long the request is on its way, its permit is out.
        assert_eq!(takes(&mut state, start + seconds(500)), 0);
        state.give_back(Some(start + seconds(500)));
        assert_eq!(takes(&mut state, start + seconds(559)), 0);
        assert_eq!(takes(&mut state, start + seconds(561)), 1);
    }

    #[test]
    fn what_never_left_costs_nothing() {
        let (start, mut state) = (Duration::from_secs(1_000), State::new(RATE));
        assert_eq!(takes(&mut state, start), 3);
        state.give_back(None);
        assert_eq!(takes(&mut state, start), 1);
    }

    #[test]
    fn no_window_ever_holds_more_than_the_rate() {
        let (start, mut state) = (Duration::from_secs(1_000), State::new(RATE));
        let mut counted = Vec::new();
        // LINE counts each request some time after it was sent; its answer comes up to 40 s later.
        for second in 0..2_000 {
            let now = start + seconds(second);
            while state.take(RATE, now) {
                let until_answer = (47 - second % 40) % 40;
                counted.push(second + until_answer.min(second % 7));
            }
            for _ in 0..state.in_flight * u32::from(second % 40 == 7) {
                state.give_back(Some(now));
            }
        }
        counted.sort_unstable();
        assert!(counted.len() > 60, "{}", counted.len());
        for four in counted.windows(4) {
            assert!(four[3] - four[0] >= 60, "{four:?}");
        }
    }

    #[test]
    fn a_turn_that_cannot_come_in_time_is_known_at_once() {
        let (start, mut state) = (Duration::from_secs(1_000), State::new(RATE));
        assert_eq!(takes(&mut state, start), 3);
        state.give_back(Some(start));
        state.give_back(Some(start + seconds(5)));
        let now = start + seconds(10);
        let after = |ahead| state.not_before(RATE, now, ahead).saturating_sub(start);
        let window = window(RATE);
        assert_eq!(after(0), window);
        assert_eq!(after(1), seconds(5) + window);
        // The third is still in flight.
        assert_eq!(after(2), seconds(10) + window);
        assert_eq!(after(6), seconds(10) + 2 * window);
    }

    #[test]
    fn a_refusal_closes_the_budget_and_lets_it_come_back_in_steps() {
        let rate = Rate {
            calls: 100,
            seconds: 1,
        };
        let (start, mut state) = (Duration::from_secs(1_000), State::new(rate));
        assert!(state.take(rate, start));
        state.slow_down(rate, start + seconds(1), start, None);
        assert!(!state.take(rate, start + Duration::from_millis(1_999)));
        assert!(state.take(rate, start + seconds(2)));
        assert_eq!(state.capacity, 50);
        // Others of the same volley change nothing.
        state.slow_down(rate, start + seconds(2), start, None);
        assert_eq!(state.capacity, 50);
        // One that was sent since then does: half again, twice the pause.
        state.slow_down(rate, start + seconds(3), start + seconds(2), None);
        assert_eq!(state.capacity, 25);
        assert!(!state.take(rate, start + Duration::from_millis(4_999)));
        assert!(state.take(rate, start + seconds(5)));
        state.settle(rate, start + seconds(6));
        assert_eq!(state.capacity, 25);
        state.settle(rate, start + seconds(7));
        assert_eq!(state.capacity, 38);
        state.settle(rate, start + seconds(60));
        assert_eq!(state.capacity, 100);
        assert!(state.slowed.is_none());
    }

    #[test]
    fn a_time_that_line_asks_for_is_kept_to() {
        let (start, mut state) = (Duration::from_secs(1_000), State::new(RATE));
        assert!(state.take(RATE, start));
        state.slow_down(RATE, start, start, Some(seconds(7)));
        state.give_back(None);
        assert!(!state.take(RATE, start + seconds(6)));
        assert!(state.take(RATE, start + seconds(7)));
    }

    #[test]
    fn turns_come_in_the_order_of_asking_and_stopping_ends_all_waits() {
        let budgets = Budgets::default();
        let rate = Rate {
            calls: 1,
            seconds: 1,
        };
        let held = [budgets.get("push".to_owned(), rate, &ThreadClock)];
        budgets.turn(&held, None, None, &ThreadClock).unwrap().end();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..3 {
                let (budgets, held, order) = (&budgets, &held, &order);
                scope.spawn(move || match budgets.turn(held, None, None, &ThreadClock) {
                    Ok(turn) => {
                        assert!(turn.waited > Duration::ZERO);
                        turn.end();
                        order.lock().unwrap().push(Ok(number));
                        if number == 1 {
                            budgets.stop();
                        }
                    }
                    Err(refusal) => order.lock().unwrap().push(Err(refusal)),
                });
                while held[0].state().waiting.len() <= number {
                    thread::yield_now();
                }
            }
        });
        let expected = vec![Ok(0), Ok(1), Err(Refusal::Stopped(rate))];
        assert_eq!(order.into_inner().unwrap(), expected);
        let refusal = budgets
            .turn(&held, Some(Duration::ZERO), None, &ThreadClock)
            .unwrap_err();
        assert_eq!(refusal, Refusal::TooLate(rate));
    }

    #[test]
    fn budgets_without_calls_are_dropped_when_there_are_many() {
        let budgets = Budgets::default();
        let busy = budgets.get("busy".to_owned(), RATE, &ThreadClock);
        budgets
            .turn(&[Arc::clone(&busy)], None, None, &ThreadClock)
            .unwrap()
            .end();
        drop(busy);
        for number in 0..3 * MAX_IDLE_BUDGETS {
            drop(budgets.get(format!("idle {number}"), RATE, &ThreadClock));
        }
        let kept = budgets.kept.lock().unwrap();
        assert!(
            kept.by_name.len() <= MAX_IDLE_BUDGETS,
            "{}",
            kept.by_name.len()
        );
        assert!(kept.by_name.contains_key("busy"));
    }
}
