//! Rich menu objects: created, validated, listed, read and deleted.

use serde_json::{Map, Value, json};

use super::{not_found, refusal};
use crate::http::Answer;
use crate::ids::new_hex;
use crate::rules;
use crate::state::Context;
use crate::store::rich_menu::{MAX_MENUS, Menu};

pub(crate) fn create(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    rules::check_rich_menu(&body)?;
    if ctx.state.rich_menus.menus.len() >= MAX_MENUS {
        return Err(refusal(400, "The maximum number of rich menus is reached"));
    }
    let id = format!("richmenu-{}", new_hex());
    let known = ["size", "selected", "name", "chatBarText", "areas"];
    let fields = known
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), body.get(key)?.clone())))
        .collect();
    ctx.state.rich_menus.menus.push(Menu {
        id: id.clone(),
        fields,
        created: ctx.now,
        image: None,
    });
    Ok(Answer::json(200, &json!({ "richMenuId": id })))
}

pub(crate) fn validate(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    rules::check_rich_menu(&ctx.call.json()?)?;
    Ok(Answer::json(200, &json!({})))
}

pub(crate) fn list(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let menus: Vec<Value> = ctx.state.rich_menus.menus.iter().map(show).collect();
    Ok(Answer::json(200, &json!({ "richmenus": menus })))
}

pub(crate) fn get(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let menu = ctx.state.rich_menus.get(ctx.parameter("richMenuId"));
    Ok(Answer::json(200, &show(menu.ok_or_else(not_found)?)))
}

/// Deletes a menu and unlinks it from its users. Its aliases stay: LINE has an error for users who
/// switch to a deleted menu.
pub(crate) fn delete(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = ctx.parameter("richMenuId").to_owned();
    let menus = &mut ctx.state.rich_menus;
    menus.get(&id).ok_or_else(not_found)?;
    menus.menus.retain(|menu| menu.id != id);
    menus.linked.retain(|_, linked| *linked != id);
    if menus.default.as_ref() == Some(&id) {
        menus.default = None;
    }
    Ok(Answer::json(200, &json!({})))
}

fn show(menu: &Menu) -> Value {
    let mut shown = Map::from_iter([("richMenuId".to_owned(), json!(menu.id))]);
    shown.extend(menu.fields.clone());
    Value::Object(shown)
}
