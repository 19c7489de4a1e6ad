//! Checks of requests that several families of operations share.

use serde_json::Value;

use crate::http::Answer;
use crate::ids::is_user_id;
use crate::settings::Settings;
use crate::state::Context;

/// The user ID in the path.
pub(crate) fn user_in_path(ctx: &Context<'_>) -> Result<String, Answer> {
    let id = ctx.parameter("userId");
    if is_user_id(id) {
        return Ok(id.to_owned());
    }
    Err(Answer::invalid_parameter("userId"))
}

/// Refuses operations that only verified and premium accounts may use.
pub(crate) fn verified_only(settings: &Settings) -> Result<(), Answer> {
    if settings.verified {
        return Ok(());
    }
    let text = "Access to this API is not available for your account";
    Err(Answer::message(403, text))
}

/// A required string of the body.
pub(crate) fn required_text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Answer> {
    match body.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        None | Some(Value::Null | Value::String(_)) => {
            Err(Answer::invalid("May not be empty", name))
        }
        Some(_) => Err(Answer::invalid_property(&format!("'{name}'"))),
    }
}

/// Checks `customAggregationUnits`, which holds at most one name.
pub(crate) fn aggregation_units(body: &Value) -> Result<(), Answer> {
    const NAME: &str = "customAggregationUnits";
    let Some(units) = body.get(NAME) else {
        return Ok(());
    };
    let Some(units) = units.as_array() else {
        return Err(Answer::invalid_property(&format!("'{NAME}'")));
    };
    if units.len() > 1 {
        return Err(Answer::invalid("Size must be between 0 and 1", NAME));
    }
    let well_formed = |unit: &Value| {
        let name = unit.as_str().unwrap_or_default();
        let word = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (1..=30).contains(&name.len()) && word
    };
    if units.iter().all(well_formed) {
        return Ok(());
    }
    Err(Answer::invalid("invalid property", &format!("{NAME}[0]")))
}

/// The host of a well-formed `https` URL.
pub(crate) fn https_host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    let plain = !url.contains(|c: char| c.is_whitespace() || c.is_control());
    (plain && !host.is_empty()).then_some(host)
}
