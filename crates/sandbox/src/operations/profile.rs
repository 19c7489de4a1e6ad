//! Profiles of friends, the list of followers, and the account's own bot information.

use serde_json::{Value, json};

use super::chat_members::member_profile;
use super::request::{user_in_path, verified_only};
use crate::http::Answer;
use crate::ids::{bot_id, person_number, user_id};
use crate::paging;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/profile/{userId}", profile),
    Route::bot("GET", "/v2/bot/info", bot_info),
    Route::bot("GET", "/v2/bot/followers/ids", followers),
];

fn profile(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = user_in_path(ctx)?;
    if !ctx.state.friends.contains(ctx.settings, &id) {
        return Err(Answer::message(404, "Not found"));
    }
    let number = person_number(&id);
    let mut profile = match number {
        Some(number) => member_profile(number),
        None => json!({ "displayName": format!("Person {}", &id[1..7]), "userId": id }),
    };
    profile["language"] = json!("en");
    if number.is_some_and(|number| number.is_multiple_of(2)) {
        profile["statusMessage"] = json!("Hello, LINE!");
    }
    let own = ctx.state.friends.profile(&id);
    if let Some(own) = own.and_then(Value::as_object) {
        for (name, value) in own {
            profile[name.as_str()] = value.clone();
        }
    }
    Ok(Answer::json(200, &profile))
}

fn followers(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    verified_only(ctx.settings)?;
    let limit = paging::limit(ctx, 300, 1000)?;
    let old = ctx.settings.friends;
    let new = u64::try_from(ctx.state.friends.newcomers().len()).unwrap_or_default();
    paging::page(ctx, "userIds", limit, old + new, |ctx, index| {
        let id = match index.checked_sub(old) {
            None => user_id(index),
            Some(index) => {
                let newcomers = ctx.state.friends.newcomers();
                newcomers.get(usize::try_from(index).ok()?)?.clone()
            }
        };
        ctx.state
            .friends
            .contains(ctx.settings, &id)
            .then(|| json!(id))
    })
}

fn bot_info(_: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = json!({
        "userId": bot_id(0),
        "basicId": "@sandbox",
        "displayName": "Sandbox",
        "pictureUrl": "https://profile.line-scdn.net/sandbox",
        "chatMode": "bot",
        "markAsReadMode": "auto",
    });
    Ok(Answer::json(200, &body))
}
