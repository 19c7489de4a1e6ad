//! Rich menus as objects: created, checked, listed, read and deleted.

use serde_json::{Map, Value, json};

use super::{not_found, refusal};
use crate::http::Answer;
use crate::ids::fresh_hex;
use crate::rules;
use crate::state::Turn;
use crate::store::rich_menu::{MAX_MENUS, Menu};

pub(crate) fn create(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    rules::rich_menu(&body)?;
    if turn.state.rich_menus.menus.len() >= MAX_MENUS {
        return Err(refusal(400, "The maximum number of rich menus is reached"));
    }
    let id = format!("richmenu-{}", fresh_hex());
    let known = ["size", "selected", "name", "chatBarText", "areas"];
    let fields = known
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), body.get(key)?.clone())))
        .collect();
    turn.state.rich_menus.menus.push(Menu {
        id: id.clone(),
        fields,
        created: turn.now,
        image: None,
    });
    Ok(Answer::json(200, &json!({ "richMenuId": id })))
}

pub(crate) fn validate(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    rules::rich_menu(&turn.call.json()?)?;
    Ok(Answer::json(200, &json!({})))
}

pub(crate) fn list(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let menus: Vec<Value> = turn.state.rich_menus.menus.iter().map(show).collect();
    Ok(Answer::json(200, &json!({ "richmenus": menus })))
}

pub(crate) fn get(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let menu = turn.state.rich_menus.get(turn.parameter("richMenuId"));
    Ok(Answer::json(200, &show(menu.ok_or_else(not_found)?)))
}

/// Whoever saw the menu sees it no more. An alias goes on naming it: LINE has an error for users
/// who switch to a menu that is gone.
pub(crate) fn delete(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = turn.parameter("richMenuId").to_owned();
    let kept = &mut turn.state.rich_menus;
    kept.get(&id).ok_or_else(not_found)?;
    kept.menus.retain(|menu| menu.id != id);
    kept.linked.retain(|_, linked| *linked != id);
    if kept.default.as_ref() == Some(&id) {
        kept.default = None;
    }
    Ok(Answer::json(200, &json!({})))
}

fn show(menu: &Menu) -> Value {
    let mut shown = Map::from_iter([("richMenuId".to_owned(), json!(menu.id))]);
    shown.extend(menu.fields.clone());
    Value::Object(shown)
}
