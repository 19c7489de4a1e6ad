//! Module channels: attaching to accounts, the list of those attached, detaching, and taking over
//! or handing back a chat. There is no second channel here that could be in the way.

use line_connector_http::Secret;
use serde_json::{Value, json};

use crate::crypto::base64;
use crate::http::{Answer, Form};
use crate::ids::{bot_id, bot_number, has_id_shape, is_user};
use crate::paging;
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::open("POST", "/module/auth/v1/token", attach),
    Route::bot("POST", "/v2/bot/channel/detach", detach),
    Route::bot("GET", "/v2/bot/list", list),
    Route::bot("POST", "/v2/bot/chat/{chatId}/control/acquire", acquire),
    Route::bot("POST", "/v2/bot/chat/{chatId}/control/release", release),
];

const YEAR_SECONDS: u64 = 365 * 24 * 3600;

/// Attaches another account with each code; any code is good once.
fn attach(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let refuse = |status| Err(Answer::raw(status, "application/json", ""));
    let Some(form) = turn.call.form() else {
        return refuse(400);
    };
    if !is_the_channel(turn, &form) {
        return refuse(403);
    }
    let given = |name| form.get(name).filter(|value| !value.is_empty());
    let grant = given("grant_type").as_deref() == Some("authorization_code");
    let (Some(code), Some(_), true) = (given("code"), given("redirect_uri"), grant) else {
        return refuse(400);
    };
    let attached = &mut turn.state.attached;
    if !attached.used_codes.insert(code) {
        return refuse(400);
    }
    let bot = attached.next;
    attached.next += 1;
    attached.bots.push(bot);
    let scopes = given("scope").unwrap_or("message:send message:receive".to_owned());
    let scopes: Vec<&str> = scopes.split(' ').collect();
    let body = json!({ "bot_id": bot_id(bot), "scopes": scopes });
    Ok(Answer::json(200, &body))
}

/// Whether the caller knows the channel's secret, from the form or from a `Basic` header.
fn is_the_channel(turn: &Turn<'_>, form: &Form) -> bool {
    let settings = turn.settings;
    let (id, secret) = (&settings.channel_id, settings.channel_secret.expose());
    let header = turn.call.authorization.as_ref().map(Secret::expose);
    let basic = header
        .and_then(|value| value.split_once(' '))
        .map(|(_, rest)| rest);
    match basic {
        Some(credentials) => {
            base64(credentials.trim()).as_deref() == Some(format!("{id}:{secret}").as_bytes())
        }
        None => {
            form.get("client_id").as_ref() == Some(id)
                && form.get("client_secret").as_deref() == Some(secret)
        }
    }
}

fn detach(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    let id = body.get("botId").and_then(Value::as_str);
    let attached = &mut turn.state.attached;
    let bot = id
        .and_then(bot_number)
        .filter(|number| *number < attached.next)
        .ok_or_else(|| Answer::message(400, "user/group/room Id is not available."))?;
    let before = attached.bots.len();
    attached.bots.retain(|known| *known != bot);
    if attached.bots.len() == before {
        let text = "Specified channel is not detachable";
        return Err(Answer::message(400, text));
    }
    Ok(Answer::raw(200, "application/json", ""))
}

fn list(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let limit = paging::limit(turn, 100, 100)?;
    let bots = turn.state.attached.bots.clone();
    let total = u64::try_from(bots.len()).unwrap_or(u64::MAX);
    paging::answer(turn, "bots", limit, total, |_, place| {
        let number = *bots.get(usize::try_from(place).ok()?)?;
        let (basic_id, name) = match number {
            0 => ("@sandbox".to_owned(), "Sandbox".to_owned()),
            _ => (format!("@sandbox{number}"), format!("Sandbox {number}")),
        };
        Some(json!({ "userId": bot_id(number), "basicId": basic_id, "displayName": name }))
    })
}

/// The chat in the path: a person's or one of several people's.
fn chat(turn: &Turn<'_>) -> Result<String, Answer> {
    let id = turn.parameter("chatId");
    if id.starts_with(['U', 'C', 'R']) && has_id_shape(id) {
        return Ok(id.to_owned());
    }
    Err(Answer::invalid_parameter("chatId"))
}

fn acquire(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = chat(turn)?;
    if !turn.call.body.is_empty() {
        let body = turn.call.json()?;
        let good = |name: &str, good: &dyn Fn(&Value) -> bool| body.get(name).is_none_or(good);
        if !good("expired", &Value::is_boolean) {
            return Err(Answer::invalid_property("'expired'"));
        }
        if !good("ttl", &|ttl| {
            ttl.as_u64().is_some_and(|ttl| ttl <= YEAR_SECONDS)
        }) {
            return Err(Answer::invalid_property("'ttl'"));
        }
    }
    let absent = if is_user(&id) {
        !turn.state.friends.contains(turn.settings, &id)
    } else {
        turn.state.left_chats.contains(&id)
    };
    if absent {
        return Err(Answer::message(404, "Not found"));
    }
    Ok(Answer::raw(200, "application/json", ""))
}

fn release(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    chat(turn)?;
    Ok(Answer::raw(200, "application/json", ""))
}
