//! Reply, push, multicast, broadcast, and validating message objects for each kind of send.

use serde_json::{Value, json};

use crate::delivery::{self, Plan};
use crate::http::Answer;
use crate::ids::{has_id_format, is_module_user_id, is_recipient_id, is_user_id};
use crate::operations::request::{aggregation_units, required_text};
use crate::quota::{self, MONTHLY_LIMIT};
use crate::retry_key;
use crate::route::Route;
use crate::rules::{self, Destination};
use crate::state::Context;
use crate::store::sent_messages::SentMessages;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/message/reply", |ctx| send(ctx, reply)),
    Route::keyed("POST", "/v2/bot/message/push", |ctx| send(ctx, push)),
    Route::keyed("POST", "/v2/bot/message/multicast", |ctx| {
        send(ctx, multicast)
    }),
    Route::keyed("POST", "/v2/bot/message/broadcast", |ctx| {
        send(ctx, broadcast)
    }),
    Route::bot("POST", "/v2/bot/message/validate/reply", |ctx| {
        validate(ctx, Destination::Any)
    }),
    Route::bot("POST", "/v2/bot/message/validate/push", |ctx| {
        validate(ctx, Destination::Any)
    }),
    Route::bot("POST", "/v2/bot/message/validate/multicast", |ctx| {
        validate(ctx, Destination::User)
    }),
    Route::bot("POST", "/v2/bot/message/validate/narrowcast", |ctx| {
        validate(ctx, Destination::User)
    }),
    Route::bot("POST", "/v2/bot/message/validate/broadcast", |ctx| {
        validate(ctx, Destination::User)
    }),
];

fn send(
    ctx: &mut Context<'_>,
    plan: fn(&mut Context<'_>, &Value) -> Result<Plan, Answer>,
) -> Result<Answer, Answer> {
    let key = retry_key::check(ctx)?;
    let body = ctx.call.json()?;
    let plan = plan(ctx, &body)?;
    if plan.counts && quota::remaining(ctx).is_some_and(|room| plan.people > room) {
        return Err(Answer::message(429, MONTHLY_LIMIT));
    }
    if plan.counts {
        ctx.state.usage.charge(ctx.now, plan.people);
    }
    let sent = plan
        .shows_ids
        .then(|| SentMessages::new(&body, || ctx.state.next_message_id()));
    let answer = sent.map_or_else(
        || json!({}),
        |sent| json!({ "sentMessages": sent.to_json() }),
    );
    delivery::accept(ctx, &plan, &body, key, sent);
    Ok(Answer::json(200, &answer))
}

fn reply(ctx: &mut Context<'_>, body: &Value) -> Result<Plan, Answer> {
    let token = required_text(body, "replyToken")?;
    rules::check_send(body, Destination::Any)?;
    let accept_unknown = ctx.settings.accept_unknown_reply_tokens;
    if !ctx
        .state
        .reply_tokens
        .consume(token, ctx.now, accept_unknown)
    {
        return Err(Answer::message(400, "Invalid reply token"));
    }
    Ok(Plan {
        kind: "reply",
        to: json!(token),
        people: 1,
        shows_ids: true,
        counts: false,
    })
}

fn push(ctx: &mut Context<'_>, body: &Value) -> Result<Plan, Answer> {
    let to = required_text(body, "to")?;
    let (destination, people) = match to.chars().next() {
        // LINE accepts a message to a user who blocked the account, and delivers it to nobody.
        Some('U') if is_user_id(to) && ctx.state.friends.has_left(to) => (Destination::User, 0),
        Some('U') if is_user_id(to) => (Destination::User, 1),
        Some('L') if is_module_user_id(to) => (Destination::User, 1),
        Some('C' | 'R') if has_id_format(to) => (Destination::Group, ctx.settings.group_size),
        _ => return Err(Answer::invalid_property("'to'")),
    };
    aggregation_units(body)?;
    rules::check_send(body, destination)?;
    if ctx.settings.unreachable.contains(to) || ctx.state.left_chats.contains(to) {
        return Err(Answer::message(400, "Failed to send messages"));
    }
    Ok(Plan {
        kind: "push",
        to: json!(to),
        people,
        shows_ids: true,
        counts: true,
    })
}

fn multicast(ctx: &mut Context<'_>, body: &Value) -> Result<Plan, Answer> {
    let to = match body.get("to") {
        None | Some(Value::Null) => return Err(Answer::invalid("May not be empty", "to")),
        Some(Value::Array(to)) => to,
        Some(_) => return Err(Answer::invalid_property("'to'")),
    };
    if !(1..=500).contains(&to.len()) {
        return Err(Answer::invalid("Size must be between 1 and 500", "to"));
    }
    let invalid = to
        .iter()
        .position(|id| !id.as_str().is_some_and(is_recipient_id));
    if let Some(index) = invalid {
        return Err(Answer::invalid_property(&format!("to[{index}]")));
    }
    aggregation_units(body)?;
    rules::check_send(body, Destination::User)?;
    let ids = to.iter().filter_map(Value::as_str);
    let reached = ids.filter(|id| !ctx.state.friends.has_left(id)).count();
    let people = u64::try_from(reached).unwrap_or(u64::MAX);
    Ok(Plan {
        kind: "multicast",
        to: json!(to),
        people,
        shows_ids: false,
        counts: true,
    })
}

fn broadcast(ctx: &mut Context<'_>, body: &Value) -> Result<Plan, Answer> {
    if body.get("to").is_some() {
        return Err(Answer::invalid_property("'to'"));
    }
    rules::check_send(body, Destination::User)?;
    let people = ctx.state.friends.count(ctx.settings);
    Ok(Plan {
        kind: "broadcast",
        to: Value::Null,
        people,
        shows_ids: false,
        counts: true,
    })
}

fn validate(ctx: &mut Context<'_>, destination: Destination) -> Result<Answer, Answer> {
    rules::check_messages(&ctx.call.json()?, destination)?;
    Ok(Answer::json(200, &json!({})))
}
