//! The month's quota: what is left of it, and the narrowcasts that hold room in it until they end.

use crate::state::Turn;

/// The text of the 429 that no waiting helps against before the month is over.
pub(crate) const MONTHLY_LIMIT: &str = "You have reached your monthly limit.";

/// Ends the narrowcasts whose time has come, and counts the people they reached.
pub(crate) fn settle(turn: &mut Turn<'_>) {
    for (end, people) in turn.state.narrowcasts.settle(turn.settings.pace, turn.now) {
        turn.state.usage.charge(end, people);
    }
}

/// People that the month's quota still has room for, reservations of running narrowcasts taken
/// off; `None` is without limit.
pub(crate) fn remaining(turn: &mut Turn<'_>) -> Option<u64> {
    settle(turn);
    let used = turn.state.usage.month(turn.now) + turn.state.narrowcasts.reserved();
    turn.settings.quota.map(|quota| quota.saturating_sub(used))
}
