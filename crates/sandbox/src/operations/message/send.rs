//! Reply, push, multicast, broadcast and the five validations: who is addressed, whether the month
//! has room, and what is written down as delivered. What a message may contain is `rules`'s part.

use serde_json::{Value, json};

use crate::delivery::{self, Plan};
use crate::http::Answer;
use crate::ids::{has_id_shape, is_module_user, is_recipient, is_user};
use crate::operations::request::{aggregation_units, required_text};
use crate::quota::{self, MONTHLY_LIMIT};
use crate::retry_key;
use crate::route::Route;
use crate::rules::{self, Chat};
use crate::state::Turn;
use crate::store::sent_messages::SentMessages;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/message/reply", |turn| send(turn, reply)),
    Route::keyed("POST", "/v2/bot/message/push", |turn| send(turn, push)),
    Route::keyed("POST", "/v2/bot/message/multicast", |turn| {
        send(turn, multicast)
    }),
    Route::keyed("POST", "/v2/bot/message/broadcast", |turn| {
        send(turn, broadcast)
    }),
    Route::bot("POST", "/v2/bot/message/validate/reply", |turn| {
        validate(turn, Chat::Any)
    }),
    Route::bot("POST", "/v2/bot/message/validate/push", |turn| {
        validate(turn, Chat::Any)
    }),
    Route::bot("POST", "/v2/bot/message/validate/multicast", |turn| {
        validate(turn, Chat::User)
    }),
    Route::bot("POST", "/v2/bot/message/validate/narrowcast", |turn| {
        validate(turn, Chat::User)
    }),
    Route::bot("POST", "/v2/bot/message/validate/broadcast", |turn| {
        validate(turn, Chat::User)
    }),
];

fn send(
    turn: &mut Turn<'_>,
    plan: fn(&mut Turn<'_>, &Value) -> Result<Plan, Answer>,
) -> Result<Answer, Answer> {
    let key = retry_key::check(turn)?;
    let body = turn.call.json()?;
    let plan = plan(turn, &body)?;
    if plan.counts && quota::remaining(turn).is_some_and(|room| plan.people > room) {
        return Err(Answer::message(429, MONTHLY_LIMIT));
    }
    if plan.counts {
        turn.state.usage.charge(turn.now, plan.people);
    }
    let sent = plan
        .shows_ids
        .then(|| SentMessages::new(&body, || turn.state.next_message_id()));
    let answer = sent.map_or_else(|| json!({}), |sent| json!({ "sentMessages": sent.shown() }));
    delivery::accept(turn, &plan, &body, key, sent);
    Ok(Answer::json(200, &answer))
}

fn reply(turn: &mut Turn<'_>, body: &Value) -> Result<Plan, Answer> {
    let token = required_text(body, "replyToken")?;
    rules::send(body, Chat::Any)?;
    let accept_unknown = turn.settings.accept_unknown_reply_tokens;
    if !turn
        .state
        .reply_tokens
        .consume(token, turn.now, accept_unknown)
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

fn push(turn: &mut Turn<'_>, body: &Value) -> Result<Plan, Answer> {
    let to = required_text(body, "to")?;
    let (chat, people) = match to.chars().next() {
        // LINE accepts a message to someone who blocked the account, and shows it to nobody.
        Some('U') if is_user(to) && turn.state.friends.has_left(to) => (Chat::User, 0),
        Some('U') if is_user(to) => (Chat::User, 1),
        Some('L') if is_module_user(to) => (Chat::User, 1),
        Some('C' | 'R') if has_id_shape(to) => (Chat::Group, turn.settings.group_size),
        _ => return Err(Answer::invalid_property("'to'")),
    };
    aggregation_units(body)?;
    rules::send(body, chat)?;
    if turn.settings.unreachable.contains(to) || turn.state.left_chats.contains(to) {
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

fn multicast(turn: &mut Turn<'_>, body: &Value) -> Result<Plan, Answer> {
    let to = match body.get("to") {
        None | Some(Value::Null) => return Err(Answer::invalid("May not be empty", "to")),
        Some(Value::Array(to)) => to,
        Some(_) => return Err(Answer::invalid_property("'to'")),
    };
    if !(1..=500).contains(&to.len()) {
        return Err(Answer::invalid("Size must be between 1 and 500", "to"));
    }
    let stranger = to
        .iter()
        .position(|id| !id.as_str().is_some_and(is_recipient));
    if let Some(index) = stranger {
        return Err(Answer::invalid_property(&format!("to[{index}]")));
    }
    aggregation_units(body)?;
    rules::send(body, Chat::User)?;
    let ids = to.iter().filter_map(Value::as_str);
    let reached = ids.filter(|id| !turn.state.friends.has_left(id)).count();
    let people = u64::try_from(reached).unwrap_or(u64::MAX);
    Ok(Plan {
        kind: "multicast",
        to: json!(to),
        people,
        shows_ids: false,
        counts: true,
    })
}

fn broadcast(turn: &mut Turn<'_>, body: &Value) -> Result<Plan, Answer> {
    if body.get("to").is_some() {
        return Err(Answer::invalid_property("'to'"));
    }
    rules::send(body, Chat::User)?;
    let people = turn.state.friends.count(turn.settings);
    Ok(Plan {
        kind: "broadcast",
        to: Value::Null,
        people,
        shows_ids: false,
        counts: true,
    })
}

fn validate(turn: &mut Turn<'_>, chat: Chat) -> Result<Answer, Answer> {
    rules::messages(&turn.call.json()?, chat)?;
    Ok(Answer::json(200, &json!({})))
}
