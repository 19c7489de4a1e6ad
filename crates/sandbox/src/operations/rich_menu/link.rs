//! Which users see which rich menu: the default, one user, many users. LINE silently ignores users who
//! are no friends; here those are the unreachable ones.

use serde_json::{Value, json};

use super::{is_menu_id, not_found, refusal};
use crate::http::Answer;
use crate::ids::is_user_id;
use crate::operations::request::user_in_path;
use crate::state::Context;

pub(crate) fn set_default(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = ctx.parameter("richMenuId").to_owned();
    check_showable(ctx, &id, not_found)?;
    ctx.state.rich_menus.default = Some(id);
    Ok(done(200))
}

pub(crate) fn get_default(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let default = ctx.state.rich_menus.default.as_ref();
    let id = default.ok_or_else(|| refusal(404, "no default richmenu"))?;
    Ok(Answer::json(200, &json!({ "richMenuId": id })))
}

pub(crate) fn clear_default(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    ctx.state.rich_menus.default = None;
    Ok(done(200))
}

pub(crate) fn link(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let user = user_in_path(ctx)?;
    let id = ctx.parameter("richMenuId").to_owned();
    check_showable(ctx, &id, not_found)?;
    attach(ctx, user, &id);
    Ok(done(200))
}

pub(crate) fn of_user(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let user = user_in_path(ctx)?;
    let linked = ctx.state.rich_menus.linked.get(&user);
    let id = linked.ok_or_else(|| refusal(404, "the user has no richmenu"))?;
    Ok(Answer::json(200, &json!({ "richMenuId": id })))
}

pub(crate) fn unlink(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let user = user_in_path(ctx)?;
    ctx.state.rich_menus.linked.remove(&user);
    Ok(done(200))
}

pub(crate) fn bulk_link(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let users = users(&body)?;
    let id = menu_id(&body)?;
    check_showable(ctx, &id, || refusal(404, "richmenu not found"))?;
    for user in users {
        attach(ctx, user, &id);
    }
    Ok(done(202))
}

pub(crate) fn bulk_unlink(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    for user in users(&ctx.call.json()?)? {
        ctx.state.rich_menus.linked.remove(&user);
    }
    Ok(done(202))
}

fn done(status: u16) -> Answer {
    Answer::json(status, &json!({}))
}

fn attach(ctx: &mut Context<'_>, user: String, id: &str) {
    if !ctx.settings.unreachable.contains(&user) {
        ctx.state.rich_menus.linked.insert(user, id.to_owned());
    }
}

/// Refuses a menu that does not exist or has no image.
fn check_showable(ctx: &Context<'_>, id: &str, missing: fn() -> Answer) -> Result<(), Answer> {
    let menu = ctx.state.rich_menus.get(id).ok_or_else(missing)?;
    if menu.has_image() {
        return Ok(());
    }
    let text = "must upload richmenu image before applying it to user";
    Err(refusal(400, text))
}

/// The user IDs of the body.
fn users(body: &Value) -> Result<Vec<String>, Answer> {
    let users = match body.get("userIds") {
        None | Some(Value::Null) => return Err(Answer::invalid("May not be empty", "userIds")),
        Some(Value::Array(users)) => users,
        Some(_) => return Err(Answer::invalid_property("'userIds'")),
    };
    if !(1..=500).contains(&users.len()) {
        return Err(Answer::invalid("Size must be between 1 and 500", "userIds"));
    }
    let read = |(index, user): (usize, &Value)| {
        let known = user.as_str().filter(|user| is_user_id(user));
        let invalid = || Answer::invalid_property(&format!("'userIds[{index}]'"));
        known.map(str::to_owned).ok_or_else(invalid)
    };
    users.iter().enumerate().map(read).collect()
}

/// The `richMenuId` of the body, which must be well formed.
pub(crate) fn menu_id(body: &Value) -> Result<String, Answer> {
    const NAME: &str = "richMenuId";
    match body.get(NAME) {
        None | Some(Value::Null) => Err(Answer::invalid("must be specified", NAME)),
        Some(Value::String(id)) if is_menu_id(id) => Ok(id.clone()),
        Some(Value::String(_)) => Err(Answer::invalid("invalid richMenuId", NAME)),
        Some(_) => Err(Answer::invalid_property("'richMenuId'")),
    }
}
