//! Module channels: attaching to accounts, listing and detaching them, and acquiring or releasing
//! control of a chat.

use line_connector_http::Secret;
use serde_json::{Value, json};

use crate::crypto::base64;
use crate::http::{Answer, Form};
use crate::ids::{bot_id, bot_number, has_id_format, is_user_id};
use crate::paging;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::open("POST", "/module/auth/v1/token", attach),
    Route::bot("POST", "/v2/bot/channel/detach", detach),
    Route::bot("GET", "/v2/bot/list", list),
    Route::bot("POST", "/v2/bot/chat/{chatId}/control/acquire", acquire),
    Route::bot("POST", "/v2/bot/chat/{chatId}/control/release", release),
];

const YEAR_SECONDS: u64 = 365 * 24 * 3600;

/// Attaches another account for each authorization code. Any code is accepted once.
fn attach(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let refuse = |status| Err(Answer::raw(status, "application/json", ""));
    let Some(form) = ctx.call.form() else {
        return refuse(400);
    };
    if !is_the_channel(ctx, &form) {
        return refuse(403);
    }
    let given = |name| form.get(name).filter(|value| !value.is_empty());
    let grant = given("grant_type").as_deref() == Some("authorization_code");
    let (Some(code), Some(_), true) = (given("code"), given("redirect_uri"), grant) else {
        return refuse(400);
    };
    let attached = &mut ctx.state.attached_bots;
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
fn is_the_channel(ctx: &Context<'_>, form: &Form) -> bool {
    let settings = ctx.settings;
    let (id, secret) = (&settings.channel_id, settings.channel_secret.expose());
    let header = ctx.call.authorization.as_ref().map(Secret::expose);
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

fn detach(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let id = body.get("botId").and_then(Value::as_str);
    let attached = &mut ctx.state.attached_bots;
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

fn list(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let limit = paging::limit(ctx, 100, 100)?;
    let bots = ctx.state.attached_bots.bots.clone();
    let total = u64::try_from(bots.len()).unwrap_or(u64::MAX);
    paging::page(ctx, "bots", limit, total, |_, index| {
        let number = *bots.get(usize::try_from(index).ok()?)?;
        let (basic_id, name) = match number {
            0 => ("@sandbox".to_owned(), "Sandbox".to_owned()),
            _ => (format!("@sandbox{number}"), format!("Sandbox {number}")),
        };
        Some(json!({ "userId": bot_id(number), "basicId": basic_id, "displayName": name }))
    })
}

/// The chat ID in the path: a user, group or room ID.
fn chat(ctx: &Context<'_>) -> Result<String, Answer> {
    let id = ctx.parameter("chatId");
    if id.starts_with(['U', 'C', 'R']) && has_id_format(id) {
        return Ok(id.to_owned());
    }
    Err(Answer::invalid_parameter("chatId"))
}

fn acquire(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = chat(ctx)?;
    if !ctx.call.body.is_empty() {
        let body = ctx.call.json()?;
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
    let absent = if is_user_id(&id) {
        !ctx.state.friends.contains(ctx.settings, &id)
    } else {
        ctx.state.left_chats.contains(&id)
    };
    if absent {
        return Err(Answer::message(404, "Not found"));
    }
    Ok(Answer::raw(200, "application/json", ""))
}

fn release(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    chat(ctx)?;
    Ok(Answer::raw(200, "application/json", ""))
}
