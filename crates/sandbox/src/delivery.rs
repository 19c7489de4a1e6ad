//! Accepting a send: the plan of whom it reaches, and the counters, statistics and logs that an accepted
//! send is recorded in.

use serde_json::Value;

use crate::retry_key;
use crate::state::Context;
use crate::store::record::Delivery;
use crate::store::sent_messages::SentMessages;

/// A valid send that is about to be accepted.
pub(crate) struct Plan {
    pub(crate) kind: &'static str,
    pub(crate) to: Value,
    /// How many people it reaches.
    pub(crate) people: u64,
    /// Whether the answer has the messages' IDs.
    pub(crate) shows_ids: bool,
    /// Whether it counts towards the month's quota.
    pub(crate) counts: bool,
}

impl Plan {
    /// The plan of a send that counts towards the quota later, or not at all.
    pub(crate) fn uncounted(kind: &'static str, to: Value, people: u64) -> Self {
        Self {
            kind,
            to,
            people,
            shows_ids: false,
            counts: false,
        }
    }
}

/// Records an accepted send. `key` is its retry key, `sent` what a repeat is answered with.
pub(crate) fn accept(
    ctx: &mut Context<'_>,
    plan: &Plan,
    body: &Value,
    key: Option<String>,
    sent: Option<SentMessages>,
) {
    let now = ctx.now;
    ctx.state.usage.add(now, plan.kind, plan.people);
    if let Some(key) = &key {
        retry_key::remember(ctx, key, sent);
    }
    let request_id = ctx.request_id;
    let statistics = &mut ctx.state.statistics;
    statistics.add(plan.kind, plan.people, body, request_id, now);
    // Replies, narrowcasts and broadcasts have no aggregation units.
    if matches!(plan.kind, "push" | "multicast" | "pnp" | "pnp/templated") {
        ctx.state.units.remember(body, now);
    }
    ctx.record.delivered = true;
    ctx.state.add_delivery(Delivery {
        kind: plan.kind.to_owned(),
        to: plan.to.clone(),
        messages: body.get("messages").cloned().unwrap_or_default(),
        retry_key: key,
        request_id: ctx.request_id.to_owned(),
        people: plan.people,
    });
}
