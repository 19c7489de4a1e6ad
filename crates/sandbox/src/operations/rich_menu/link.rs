//! Who sees which rich menu: the default, one user, many users. LINE changes nothing, and says
//! nothing, for users who are no friends; here those are the unreachable ones.

use serde_json::{Value, json};

use super::{is_menu_id, not_found, refusal};
use crate::http::Answer;
use crate::ids::is_user;
use crate::state::Turn;

pub(crate) fn set_default(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = turn.parameter("richMenuId").to_owned();
    show_able(turn, &id, not_found)?;
    turn.state.rich_menus.default = Some(id);
    Ok(done(200))
}

pub(crate) fn get_default(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let default = turn.state.rich_menus.default.as_ref();
    let id = default.ok_or_else(|| refusal(404, "no default richmenu"))?;
    Ok(Answer::json(200, &json!({ "richMenuId": id })))
}

pub(crate) fn clear_default(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    turn.state.rich_menus.default = None;
    Ok(done(200))
}

pub(crate) fn link(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let user = user(turn)?;
    let id = turn.parameter("richMenuId").to_owned();
    show_able(turn, &id, not_found)?;
    attach(turn, user, &id);
    Ok(done(200))
}

pub(crate) fn of_user(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let user = user(turn)?;
    let linked = turn.state.rich_menus.linked.get(&user);
    let id = linked.ok_or_else(|| refusal(404, "the user has no richmenu"))?;
    Ok(Answer::json(200, &json!({ "richMenuId": id })))
}

pub(crate) fn unlink(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let user = user(turn)?;
    turn.state.rich_menus.linked.remove(&user);
    Ok(done(200))
}

pub(crate) fn bulk_link(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    let users = users(&body)?;
    let id = menu_id(&body)?;
    show_able(turn, &id, || refusal(404, "richmenu not found"))?;
    for user in users {
        attach(turn, user, &id);
    }
    Ok(done(202))
}

pub(crate) fn bulk_unlink(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    for user in users(&turn.call.json()?)? {
        turn.state.rich_menus.linked.remove(&user);
    }
    Ok(done(202))
}

fn done(status: u16) -> Answer {
    Answer::json(status, &json!({}))
}

fn attach(turn: &mut Turn<'_>, user: String, id: &str) {
    if !turn.settings.unreachable.contains(&user) {
        turn.state.rich_menus.linked.insert(user, id.to_owned());
    }
}

/// Refuses a menu that does not exist, or that nobody could see yet.
fn show_able(turn: &Turn<'_>, id: &str, missing: fn() -> Answer) -> Result<(), Answer> {
    let menu = turn.state.rich_menus.get(id).ok_or_else(missing)?;
    if menu.has_image() {
        return Ok(());
    }
    let text = "must upload richmenu image before applying it to user";
    Err(refusal(400, text))
}

/// The user of the path.
fn user(turn: &Turn<'_>) -> Result<String, Answer> {
    let user = turn.parameter("userId");
    if is_user(user) {
        return Ok(user.to_owned());
    }
    let text = "The value for the 'userId' parameter is invalid";
    Err(Answer::message(400, text))
}

/// The users of the body.
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
        let known = user.as_str().filter(|user| is_user(user));
        let stranger = || Answer::invalid_property(&format!("'userIds[{index}]'"));
        known.map(str::to_owned).ok_or_else(stranger)
    };
    users.iter().enumerate().map(read).collect()
}

/// The well-formed `richMenuId` of the body.
pub(crate) fn menu_id(body: &Value) -> Result<String, Answer> {
    const NAME: &str = "richMenuId";
    match body.get(NAME) {
        None | Some(Value::Null) => Err(Answer::invalid("must be specified", NAME)),
        Some(Value::String(id)) if is_menu_id(id) => Ok(id.clone()),
        Some(Value::String(_)) => Err(Answer::invalid("invalid richMenuId", NAME)),
        Some(_) => Err(Answer::invalid_property("'richMenuId'")),
    }
}
