//! Rich menu aliases, by which a user can switch to a menu.

use serde_json::{Value, json};

use super::link::menu_id;
use super::refusal;
use crate::http::Answer;
use crate::state::Context;
use crate::store::rich_menu::{MAX_MENUS, Menu};

const NAME: &str = "richMenuAliasId";

pub(crate) fn create(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let alias = match body.get(NAME) {
        None | Some(Value::Null) => return Err(Answer::invalid("must be specified", NAME)),
        Some(Value::String(alias)) if is_alias(alias) => alias.clone(),
        Some(Value::String(_)) => return Err(Answer::invalid("invalid richMenuAliasId", NAME)),
        Some(_) => return Err(Answer::invalid_property("'richMenuAliasId'")),
    };
    let id = menu_id(&body)?;
    let menus = &ctx.state.rich_menus;
    if menus.aliases.contains_key(&alias) {
        return Err(refusal(400, "conflict richmenu alias id"));
    }
    if menus.aliases.len() >= MAX_MENUS {
        let text = "The maximum number of rich menu aliases is reached";
        return Err(refusal(400, text));
    }
    point(ctx, alias, id)
}

pub(crate) fn update(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let (alias, _) = alias_in_path(ctx)?;
    let id = menu_id(&ctx.call.json()?)?;
    point(ctx, alias, id)
}

pub(crate) fn get(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let (alias, id) = alias_in_path(ctx)?;
    Ok(Answer::json(200, &show((&alias, &id))))
}

pub(crate) fn list(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let aliases: Vec<Value> = ctx.state.rich_menus.aliases.iter().map(show).collect();
    Ok(Answer::json(200, &json!({ "aliases": aliases })))
}

pub(crate) fn delete(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let (alias, _) = alias_in_path(ctx)?;
    ctx.state.rich_menus.aliases.remove(&alias);
    Ok(Answer::json(200, &json!({})))
}

/// Points an alias to a menu, which must exist and have an image.
fn point(ctx: &mut Context<'_>, alias: String, id: String) -> Result<Answer, Answer> {
    let menus = &mut ctx.state.rich_menus;
    if !menus.get(&id).is_some_and(Menu::has_image) {
        return Err(refusal(400, "richmenu not found"));
    }
    menus.aliases.insert(alias, id);
    Ok(Answer::json(200, &json!({})))
}

/// The alias in the path, with the ID of its menu.
fn alias_in_path(ctx: &Context<'_>) -> Result<(String, String), Answer> {
    let alias = ctx.parameter(NAME);
    if !is_alias(alias) {
        return Err(Answer::invalid_parameter("richMenuAliasId"));
    }
    let found = ctx.state.rich_menus.aliases.get_key_value(alias);
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
