//! What every send comes to: a plan of whom it reaches, and, once it is accepted, the counters,
//! statistics and logs that it is written down in.

use serde_json::Value;

use crate::retry_key;
use crate::state::Turn;
use crate::store::record::Delivery;
use crate::store::sent_messages::SentMessages;

/// A send that is about to be accepted.
pub(crate) struct Plan {
    pub(crate) kind: &'static str,
    pub(crate) to: Value,
    /// How many people it reaches.
    pub(crate) people: u64,
    /// Whether LINE answers with the messages' IDs.
    pub(crate) shows_ids: bool,
    /// Whether it counts towards the month's quota.
    pub(crate) counts: bool,
}

impl Plan {
    /// The plan of a send that counts towards the quota by its own rules, or not at all.
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

/// Writes an accepted send down everywhere it counts.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    plan: &Plan,
    body: &Value,
    key: Option<String>,
    sent: Option<SentMessages>,
) {
    let now = turn.now;
    turn.state.usage.add(now, plan.kind, plan.people);
    if let Some(key) = &key {
        retry_key::remember(turn, key, sent);
    }
    let request_id = turn.request_id;
    let statistics = &mut turn.state.statistics;
    statistics.add(plan.kind, plan.people, body, request_id, now);
    // Replies, narrowcasts and broadcasts have no units.
    if matches!(plan.kind, "push" | "multicast" | "pnp" | "pnp/templated") {
        turn.state.units.remember(body, now);
    }
    turn.record.delivered = true;
    turn.state.counts.delivery(plan.kind);
    turn.state.deliveries.push(Delivery {
        kind: plan.kind.to_owned(),
        to: plan.to.clone(),
        messages: body.get("messages").cloned().unwrap_or_default(),
        retry_key: key,
        request_id: turn.request_id.to_owned(),
        people: plan.people,
    });
}
