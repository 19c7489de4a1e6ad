//! The route table: which method and path lead to which function, and what a call must bring to
//! get there. A family adds its operations in its own file and one line in [`FAMILIES`].

mod rate_limits;

use crate::http::{Answer, BODY_CAP, decode};
use crate::operations::{
    account_link, audience, chat, content, coupon, group, insight, liff, membership, message,
    module, notification, profile, rich_menu, room, shop, token, webhook,
};
use crate::rate_limit::EXCEEDED;
use crate::retry_key;
use crate::route::Route;
use crate::state::Turn;
use crate::store::token::{TokenKind, TokenStatus};

const FAMILIES: &[&[Route]] = &[
    account_link::ROUTES,
    audience::ROUTES,
    chat::ROUTES,
    content::ROUTES,
    coupon::ROUTES,
    group::ROUTES,
    insight::ROUTES,
    liff::ROUTES,
    membership::ROUTES,
    message::COUNT_ROUTES,
    message::NARROWCAST_ROUTES,
    message::SEND_ROUTES,
    message::UNIT_ROUTES,
    module::ROUTES,
    notification::ROUTES,
    profile::ROUTES,
    rich_menu::ROUTES,
    room::ROUTES,
    shop::ROUTES,
    token::ROUTES,
    webhook::ROUTES,
];

/// How large a request body may be. A file of 1,500,000 user IDs is the one thing that is larger
/// than LINE's general limit.
pub(crate) fn body_cap(path: &str) -> usize {
    if path == audience::FILE_PATH {
        audience::FILE_CAP
    } else {
        BODY_CAP
    }
}

/// Every method and path template in the table.
pub(crate) fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = FAMILIES.iter().flat_map(|family| family.iter());
    all.map(|route| (route.method, route.template))
}

/// Finds the operation and lets it answer.
pub(crate) fn dispatch(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    // Where a literal segment and a placeholder both fit (`richmenu/list`), the literal wins.
    let mut fitting: Vec<(&Route, Vec<(&'static str, String)>)> = FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .filter_map(|route| Some((route, fit(route.template, &turn.call.path)?)))
        .collect();
    fitting.sort_by_key(|(_, parameters)| parameters.len());
    let Some(fewest) = fitting.first().map(|(_, parameters)| parameters.len()) else {
        return Err(Answer::message(404, "Not found"));
    };
    let found = fitting
        .into_iter()
        .take_while(|(_, parameters)| parameters.len() == fewest)
        .find(|(route, _)| route.method == turn.call.method);
    let Some((route, parameters)) = found else {
        return Err(Answer::message(405, "Method not allowed"));
    };
    turn.parameters = parameters;
    if route.needs_bearer {
        authenticate(turn)?;
    }
    let endpoint = (route.method, route.template);
    let limits = &turn.settings.rate_limits;
    if !turn.state.windows.admit(limits, endpoint, turn.now) {
        return Err(Answer::message(429, EXCEEDED));
    }
    if !route.takes_retry_key && turn.call.headers.get(retry_key::HEADER).is_some() {
        let text = "The 'X-Line-Retry-Key' header is not supported by this API";
        return Err(Answer::message(400, text));
    }
    (route.answer)(turn)
}

/// LINE's 401 for a call whose bearer is missing, unknown or expired.
fn authenticate(turn: &Turn<'_>) -> Result<(), Answer> {
    const ALL: [TokenKind; 4] = [
        TokenKind::LongLived,
        TokenKind::ShortLived,
        TokenKind::Stateless,
        TokenKind::Assertion,
    ];
    let standing = turn
        .call
        .bearer()
        .map(|token| turn.state.tokens.look_up(token, &ALL, turn.now));
    let reason = match standing {
        Some(TokenStatus::Live(_)) => return Ok(()),
        Some(TokenStatus::Expired) => "access token expired",
        Some(TokenStatus::Unknown) => "invalid token",
        None => "missing token",
    };
    let advice = "Confirm that the access token in the authorization header is valid.";
    let text = format!("Authentication failed due to the following reason: {reason}. {advice}");
    Err(Answer::message(401, &text))
}

/// The values of a template's placeholders where the path fits it.
fn fit(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    // Nearly all templates fail here, before anything is taken apart.
    let Some((fixed, _)) = template.split_once('{') else {
        return (template == path).then(Vec::new);
    };
    if !path.starts_with(fixed) {
        return None;
    }
    let mut parameters = Vec::new();
    let mut segments = path.split('/');
    for expected in template.split('/') {
        let segment = segments.next()?;
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) if !segment.is_empty() => parameters.push((name, decode(segment, false))),
            None if expected == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_is_in_the_table_once() {
        let mut seen = HashSet::new();
        for route in FAMILIES.iter().flat_map(|family| family.iter()) {
            assert!(
                seen.insert((route.method, route.template)),
                "{}",
                route.template
            );
            assert!(route.template.starts_with('/'));
        }
    }

    #[test]
    fn exactly_four_operations_take_a_retry_key() {
        let all = FAMILIES.iter().flat_map(|family| family.iter());
        let keyed: Vec<&str> = all
            .filter(|route| route.takes_retry_key)
            .map(|route| route.template)
            .collect();
        assert_eq!(keyed.len(), 4);
        assert!(!keyed.contains(&"/v2/bot/message/reply"));
    }

    #[test]
    fn placeholders_take_one_decoded_segment() {
        let fitted = fit("/v2/bot/profile/{userId}", "/v2/bot/profile/U%31");
        assert_eq!(fitted, Some(vec![("userId", "U1".to_owned())]));
        assert_eq!(fit("/v2/bot/profile/{userId}", "/v2/bot/profile/"), None);
        assert_eq!(fit("/v2/bot/profile/{userId}", "/v2/bot/profile/a/b"), None);
        assert_eq!(fit("/v2/bot/info", "/v2/bot/info/"), None);
    }
}
