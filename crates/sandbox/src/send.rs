//! Reply, push, multicast, broadcast and the five validations: who is addressed, whether the month
//! has room, and what is written down as delivered. What a message may contain is `judge`'s part.

use serde_json::{Value, json};

use super::account::{MONTHLY_LIMIT, remaining};
use super::aggregation;
use super::calendar::line_day;
use super::exchange::Answer;
use super::insight;
use super::judge::{self, Chat};
use super::people::friends;
use super::record::Delivery;
use super::retry_key;
use super::routes::Route;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
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

/// A send that is about to be accepted.
pub(super) struct Plan {
    pub(super) kind: &'static str,
    pub(super) to: Value,
    /// How many people it reaches.
    pub(super) people: u64,
    /// Whether LINE answers with the messages' IDs.
    shows_ids: bool,
    /// Whether it counts towards the month's quota.
    counts: bool,
}

fn send(turn: &mut Turn<'_>, plan: fn(&mut Turn<'_>, &Value) -> Result<Plan, Answer>) -> Answer {
    attempt(turn, plan).unwrap_or_else(|refusal| refusal)
}

fn attempt(
    turn: &mut Turn<'_>,
    plan: fn(&mut Turn<'_>, &Value) -> Result<Plan, Answer>,
) -> Result<Answer, Answer> {
    let key = retry_key::check(turn)?;
    let body = turn.call.json()?;
    let plan = plan(turn, &body)?;
    if plan.counts && remaining(turn).is_some_and(|room| plan.people > room) {
        return Err(Answer::message(429, MONTHLY_LIMIT));
    }
    if plan.counts {
        turn.state.charge(turn.now, plan.people);
    }
    let sent = plan.shows_ids.then(|| SentMessages::new(turn, &body));
    let answer = sent.map_or_else(|| json!({}), |sent| json!({ "sentMessages": sent.shown() }));
    accept(turn, &plan, &body, key, sent);
    Ok(Answer::json(200, &answer))
}

/// Writes an accepted send down everywhere it counts.
pub(super) fn accept(
    turn: &mut Turn<'_>,
    plan: &Plan,
    body: &Value,
    key: Option<String>,
    sent: Option<SentMessages>,
) {
    *turn
        .state
        .daily
        .entry((line_day(turn.now), plan.kind))
        .or_default() += plan.people;
    if let Some(key) = &key {
        retry_key::remember(turn, key, sent);
    }
    insight::note(turn, plan, body);
    // Replies, narrowcasts and broadcasts have no units.
    if matches!(plan.kind, "push" | "multicast" | "pnp" | "pnp/templated") {
        aggregation::remember(turn, body);
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

/// The plan of a send that counts towards the quota by its own rules, or not at all.
pub(super) fn uncounted_plan(kind: &'static str, to: Value, people: u64) -> Plan {
    Plan {
        kind,
        to,
        people,
        shows_ids: false,
        counts: false,
    }
}

/// The messages of one send, as LINE tells their IDs.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentMessages {
    first: u64,
    count: u8,
    /// Which of them can be quoted, a bit each.
    quotable: u8,
}

impl SentMessages {
    fn new(turn: &mut Turn<'_>, body: &Value) -> Self {
        let first = turn.state.next_message_id();
        let mut sent = Self {
            first,
            count: 0,
            quotable: 0,
        };
        let messages = body.get("messages").and_then(Value::as_array);
        for message in messages.into_iter().flatten() {
            let kind = message.get("type").and_then(Value::as_str);
            let quotable = matches!(
                kind.unwrap_or_default(),
                "text" | "textV2" | "sticker" | "image" | "video" | "template" | "flex"
            );
            sent.quotable |= u8::from(quotable) << sent.count;
            sent.count += 1;
            if sent.count > 1 {
                turn.state.next_message_id();
            }
        }
        sent
    }

    /// `sentMessages`, in their order.
    pub(super) fn shown(self) -> Value {
        let all = (0..self.count).map(|place| {
            let id = (self.first + u64::from(place)).to_string();
            if self.quotable & (1 << place) == 0 {
                json!({ "id": id })
            } else {
                json!({ "id": id, "quoteToken": format!("quote-{id}") })
            }
        });
        Value::Array(all.collect())
    }
}

fn reply(turn: &mut Turn<'_>, body: &Value) -> Result<Plan, Answer> {
    let token = text(body, "replyToken")?;
    judge::send(body, Chat::Any)?;
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
    let to = text(body, "to")?;
    let (chat, people) = match to.chars().next() {
        // LINE accepts a message to someone who blocked the account, and shows it to nobody.
        Some('U') if is_user(to) && turn.state.friends.has_left(to) => (Chat::User, 0),
        Some('U') if is_user(to) => (Chat::User, 1),
        Some('L') if is_module_user(to) => (Chat::User, 1),
        Some('C' | 'R') if has_id_shape(to) => (Chat::Group, turn.settings.group_size),
        _ => return Err(Answer::invalid_property("'to'")),
    };
    units(body)?;
    judge::send(body, chat)?;
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
        None | Some(Value::Null) => return Err(judge::complaint("May not be empty", "to")),
        Some(Value::Array(to)) => to,
        Some(_) => return Err(Answer::invalid_property("'to'")),
    };
    if !(1..=500).contains(&to.len()) {
        return Err(judge::complaint("Size must be between 1 and 500", "to"));
    }
    let stranger = to
        .iter()
        .position(|id| !id.as_str().is_some_and(is_recipient));
    if let Some(index) = stranger {
        return Err(Answer::invalid_property(&format!("to[{index}]")));
    }
    units(body)?;
    judge::send(body, Chat::User)?;
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
    judge::send(body, Chat::User)?;
    let people = friends(turn);
    Ok(Plan {
        kind: "broadcast",
        to: Value::Null,
        people,
        shows_ids: false,
        counts: true,
    })
}

fn validate(turn: &mut Turn<'_>, chat: Chat) -> Answer {
    let judged = turn
        .call
        .json()
        .and_then(|body| judge::messages(&body, chat));
    match judged {
        Ok(()) => Answer::json(200, &json!({})),
        Err(refusal) => refusal,
    }
}

/// A required string of the body.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Answer> {
    match body.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        None | Some(Value::Null | Value::String(_)) => {
            Err(judge::complaint("May not be empty", name))
        }
        Some(_) => Err(Answer::invalid_property(&format!("'{name}'"))),
    }
}

/// `customAggregationUnits`: at most one name.
pub(super) fn units(body: &Value) -> Result<(), Answer> {
    const NAME: &str = "customAggregationUnits";
    let Some(units) = body.get(NAME) else {
        return Ok(());
    };
    let Some(units) = units.as_array() else {
        return Err(Answer::invalid_property(&format!("'{NAME}'")));
    };
    if units.len() > 1 {
        return Err(judge::complaint("Size must be between 0 and 1", NAME));
    }
    let well_formed = |unit: &Value| {
        let name = unit.as_str().unwrap_or_default();
        let word = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (1..=30).contains(&name.len()) && word
    };
    if units.iter().all(well_formed) {
        return Ok(());
    }
    Err(judge::complaint("invalid property", &format!("{NAME}[0]")))
}

/// A letter and 32 lower-case hex digits, as every ID of people and chats.
pub(super) fn has_id_shape(id: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    id.len() == 33 && id.bytes().skip(1).all(hex)
}

/// A user ID: `U` and 32 lower-case hex digits.
pub(super) fn is_user(id: &str) -> bool {
    id.starts_with('U') && has_id_shape(id)
}

/// A module channel's user ID: `LU…-U…`.
fn is_module_user(id: &str) -> bool {
    let halves = id.strip_prefix('L').and_then(|rest| rest.split_once('-'));
    halves.is_some_and(|(left, right)| is_user(left) && is_user(right))
}

fn is_recipient(id: &str) -> bool {
    is_user(id) || is_module_user(id)
}
