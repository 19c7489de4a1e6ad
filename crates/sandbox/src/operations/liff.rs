//! LIFF apps: added, listed, changed and removed. At LINE they belong to a LINE Login channel; here they
//! belong to the one channel.

use serde_json::{Map, Value, json};

use super::request::https_host;
use crate::http::Answer;
use crate::ids::new_hex;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/liff/v1/apps", add),
    Route::bot("GET", "/liff/v1/apps", list),
    Route::bot("PUT", "/liff/v1/apps/{liffId}", change),
    Route::bot("DELETE", "/liff/v1/apps/{liffId}", remove),
];

const MAX_APPS: usize = 30;

const SCOPES: [&str; 4] = ["openid", "email", "profile", "chat_message.write"];

fn not_found() -> Answer {
    Answer::message(404, "not found")
}

/// The properties of the body, all of them valid.
fn members(ctx: &Context<'_>) -> Result<Map<String, Value>, Answer> {
    let Value::Object(members) = ctx.call.json()? else {
        return Err(Answer::message(400, "invalid request"));
    };
    for (name, value) in &members {
        if !is_valid(name, value) {
            return Err(Answer::invalid_property(&format!("'{name}'")));
        }
    }
    Ok(members)
}

fn is_valid(name: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match name {
        "view" => is_valid_view(value),
        "description" => value.is_string() && !text.contains("LINE"),
        "features" => value.as_object().is_some_and(|features| {
            let known = ["qrCode", "ble"];
            let mut all = features.iter();
            all.all(|(name, value)| known.contains(&name.as_str()) && value.is_boolean())
        }),
        "permanentLinkPattern" => text == "concat",
        "scope" => value.as_array().is_some_and(|scopes| {
            let mut all = scopes.iter();
            all.all(|scope| scope.as_str().is_some_and(|scope| SCOPES.contains(&scope)))
        }),
        "botPrompt" => ["normal", "aggressive", "none"].contains(&text),
        _ => true,
    }
}

/// Checks the given parts of a view; a change may have only some.
fn is_valid_view(view: &Value) -> bool {
    let good = |name: &str, good: &dyn Fn(&Value) -> bool| view.get(name).is_none_or(good);
    view.is_object()
        && good("type", &|value| {
            let types = ["compact", "tall", "full"];
            value.as_str().is_some_and(|text| types.contains(&text))
        })
        && good("url", &|value| {
            let url = value.as_str().unwrap_or_default();
            https_host(url).is_some() && !url.contains('#')
        })
        && good("moduleMode", &Value::is_boolean)
}

fn add(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let members = members(ctx)?;
    for name in ["type", "url"] {
        if members
            .get("view")
            .and_then(|view| view.get(name))
            .is_none()
        {
            return Err(Answer::invalid_property(&format!("'view.{name}'")));
        }
    }
    if ctx.state.liff_apps.len() >= MAX_APPS {
        let text = "The maximum number of LIFF apps has already been added";
        return Err(Answer::message(400, text));
    }
    let id = format!("{}-{:.8}", ctx.settings.channel_id, new_hex());
    let mut app = json!({
        "liffId": id,
        "view": {},
        "features": { "ble": false, "qrCode": false },
        "permanentLinkPattern": "concat",
        "scope": ["profile", "chat_message.write"],
        "botPrompt": "none",
    });
    merge(&mut app, members);
    ctx.state.liff_apps.push(app);
    Ok(Answer::json(200, &json!({ "liffId": id })))
}

/// Replaces old values by new ones; `view` and `features` are merged.
fn merge(app: &mut Value, members: Map<String, Value>) {
    for (name, value) in members {
        match (app[&name].as_object_mut(), value) {
            (Some(old), Value::Object(new)) => old.extend(new),
            (_, value) if name != "liffId" => app[&name] = value,
            _ => {}
        }
    }
}

fn list(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    if ctx.state.liff_apps.is_empty() {
        return Err(not_found());
    }
    Ok(Answer::json(200, &json!({ "apps": ctx.state.liff_apps })))
}

/// The index of the app in the path.
fn position(ctx: &Context<'_>) -> Result<usize, Answer> {
    let id = ctx.parameter("liffId");
    let position = ctx
        .state
        .liff_apps
        .iter()
        .position(|app| app["liffId"] == id);
    position.ok_or_else(not_found)
}

fn change(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let position = position(ctx)?;
    let members = members(ctx)?;
    merge(&mut ctx.state.liff_apps[position], members);
    Ok(Answer::raw(200, "application/json", ""))
}

fn remove(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let position = position(ctx)?;
    ctx.state.liff_apps.remove(position);
    Ok(Answer::raw(200, "application/json", ""))
}
