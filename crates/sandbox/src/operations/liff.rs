//! LIFF apps: added, listed, changed and removed. They belong to a LINE Login channel at LINE; here
//! the one channel has them too.

use serde_json::{Map, Value, json};

use super::request::https_host;
use crate::http::Answer;
use crate::ids::fresh_hex;
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/liff/v1/apps", add),
    Route::bot("GET", "/liff/v1/apps", list),
    Route::bot("PUT", "/liff/v1/apps/{liffId}", change),
    Route::bot("DELETE", "/liff/v1/apps/{liffId}", remove),
];

const MOST: usize = 30;

const SCOPES: [&str; 4] = ["openid", "email", "profile", "chat_message.write"];

fn not_found() -> Answer {
    Answer::message(404, "not found")
}

/// The body as members, unless one of them is no good.
fn members(turn: &Turn<'_>) -> Result<Map<String, Value>, Answer> {
    let Value::Object(members) = turn.call.json()? else {
        return Err(Answer::message(400, "invalid request"));
    };
    for (name, value) in &members {
        if !is_good(name, value) {
            return Err(Answer::invalid_property(&format!("'{name}'")));
        }
    }
    Ok(members)
}

fn is_good(name: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match name {
        "view" => is_good_view(value),
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

/// Checks what is there of a view; changing an app may name one part only.
fn is_good_view(view: &Value) -> bool {
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

fn add(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let members = members(turn)?;
    for name in ["type", "url"] {
        if members
            .get("view")
            .and_then(|view| view.get(name))
            .is_none()
        {
            return Err(Answer::invalid_property(&format!("'view.{name}'")));
        }
    }
    if turn.state.liff_apps.len() >= MOST {
        let text = "The maximum number of LIFF apps has already been added";
        return Err(Answer::message(400, text));
    }
    let id = format!("{}-{:.8}", turn.settings.channel_id, fresh_hex());
    let mut app = json!({
        "liffId": id,
        "view": {},
        "features": { "ble": false, "qrCode": false },
        "permanentLinkPattern": "concat",
        "scope": ["profile", "chat_message.write"],
        "botPrompt": "none",
    });
    merge(&mut app, members);
    turn.state.liff_apps.push(app);
    Ok(Answer::json(200, &json!({ "liffId": id })))
}

/// Puts new values over old ones; of a view or of features, member by member.
fn merge(app: &mut Value, members: Map<String, Value>) {
    for (name, value) in members {
        match (app[&name].as_object_mut(), value) {
            (Some(old), Value::Object(new)) => old.extend(new),
            (_, value) if name != "liffId" => app[&name] = value,
            _ => {}
        }
    }
}

fn list(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    if turn.state.liff_apps.is_empty() {
        return Err(not_found());
    }
    Ok(Answer::json(200, &json!({ "apps": turn.state.liff_apps })))
}

/// Where the app in the path stands.
fn place(turn: &Turn<'_>) -> Result<usize, Answer> {
    let id = turn.parameter("liffId");
    let place = turn
        .state
        .liff_apps
        .iter()
        .position(|app| app["liffId"] == id);
    place.ok_or_else(not_found)
}

fn change(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let place = place(turn)?;
    let members = members(turn)?;
    merge(&mut turn.state.liff_apps[place], members);
    Ok(Answer::raw(200, "application/json", ""))
}

fn remove(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let place = place(turn)?;
    turn.state.liff_apps.remove(place);
    Ok(Answer::raw(200, "application/json", ""))
}
