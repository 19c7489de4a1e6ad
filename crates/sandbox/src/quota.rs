//! The monthly quota: what is left of it, and the narrowcasts that reserve a part of it until they end.

use crate::state::Context;

/// LINE's message for a 429 that lasts until the end of the month.
pub(crate) const MONTHLY_LIMIT: &str = "You have reached your monthly limit.";

/// Ends the narrowcasts that are due, and counts the people they reached.
pub(crate) fn settle(ctx: &mut Context<'_>) {
    for (end, people) in ctx.state.narrowcasts.settle(ctx.settings.pace, ctx.now) {
        ctx.state.usage.charge(end, people);
    }
}

/// How many people can still be reached this month, less what running narrowcasts reserve; `None` is
/// no limit.
pub(crate) fn remaining(ctx: &mut Context<'_>) -> Option<u64> {
    settle(ctx);
    let used = ctx.state.usage.month(ctx.now) + ctx.state.narrowcasts.reserved();
    ctx.settings.quota.map(|quota| quota.saturating_sub(used))
}
