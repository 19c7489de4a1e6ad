//! Aliases: names that a rich menu can be switched to by.

use serde_json::{Value, json};

use super::link::menu_id;
use super::refusal;
use crate::http::Answer;
use crate::state::Turn;
use crate::store::rich_menu::{MAX_MENUS, Menu};

const NAME: &str = "richMenuAliasId";

pub(crate) fn create(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    let alias = match body.get(NAME) {
        None | Some(Value::Null) => return Err(Answer::invalid("must be specified", NAME)),
        Some(Value::String(alias)) if is_alias(alias) => alias.clone(),
        Some(Value::String(_)) => return Err(Answer::invalid("invalid richMenuAliasId", NAME)),
        Some(_) => return Err(Answer::invalid_property("'richMenuAliasId'")),
    };
    let id = menu_id(&body)?;
    let kept = &turn.state.rich_menus;
    if kept.aliases.contains_key(&alias) {
        return Err(refusal(400, "conflict richmenu alias id"));
    }
    if kept.aliases.len() >= MAX_MENUS {
        let text = "The maximum number of rich menu aliases is reached";
        return Err(refusal(400, text));
    }
    point(turn, alias, id)
}

pub(crate) fn update(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let (alias, _) = known(turn)?;
    let id = menu_id(&turn.call.json()?)?;
    point(turn, alias, id)
}

pub(crate) fn get(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let (alias, id) = known(turn)?;
    Ok(Answer::json(200, &show((&alias, &id))))
}

pub(crate) fn list(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let aliases: Vec<Value> = turn.state.rich_menus.aliases.iter().map(show).collect();
    Ok(Answer::json(200, &json!({ "aliases": aliases })))
}

pub(crate) fn delete(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let (alias, _) = known(turn)?;
    turn.state.rich_menus.aliases.remove(&alias);
    Ok(Answer::json(200, &json!({})))
}

/// Lets an alias name a menu, which must exist and have an image.
fn point(turn: &mut Turn<'_>, alias: String, id: String) -> Result<Answer, Answer> {
    let kept = &mut turn.state.rich_menus;
    if !kept.get(&id).is_some_and(Menu::has_image) {
        return Err(refusal(400, "richmenu not found"));
    }
    kept.aliases.insert(alias, id);
    Ok(Answer::json(200, &json!({})))
}

/// The alias of the path, with the menu that it names.
fn known(turn: &Turn<'_>) -> Result<(String, String), Answer> {
    let alias = turn.parameter(NAME);
    if !is_alias(alias) {
        let text = "The value for the 'richMenuAliasId' parameter is invalid";
        return Err(Answer::message(400, text));
    }
    let found = turn.state.rich_menus.aliases.get_key_value(alias);
    let (alias, id) = found.ok_or_else(|| refusal(404, "richmenu alias not found"))?;
    Ok((alias.clone(), id.clone()))
}

fn show((alias, id): (&String, &String)) -> Value {
    json!({ "richMenuAliasId": alias, "richMenuId": id })
}

fn is_alias(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=32).contains(&text.len()) && text.bytes().all(allowed)
}
