//! The route table and the checks in front of every operation: authentication, rate limits, retry
//! keys. A family lists its routes in its own file and has one line in [`FAMILIES`].

mod rate_limits;

use crate::http::{Answer, Call, MAX_BODY_BYTES, percent_decode};
use crate::operations::{
    account_link, audience, chat, content, coupon, group, insight, liff, membership, message,
    module, notification, profile, rich_menu, room, shop, token, webhook,
};
use crate::rate_limit::EXCEEDED;
use crate::retry_key;
use crate::route::Route;
use crate::state::Context;
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

/// How many bytes the body of a request to this path may have. Only a file of user IDs may be
/// larger than LINE's general limit.
pub(crate) fn max_body_bytes(path: &str) -> usize {
    if path == audience::FILE_PATH {
        audience::MAX_FILE_BYTES
    } else {
        MAX_BODY_BYTES
    }
}

/// Every method and path template in the table.
pub(crate) fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = FAMILIES.iter().flat_map(|family| family.iter());
    all.map(|route| (route.method, route.template))
}

/// Finds the operation that a call is for, checks what it requires, and runs it.
pub(crate) fn dispatch(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    // Where a literal segment and a placeholder both match (`richmenu/list`), the literal wins.
    let mut matches: Vec<(&Route, Vec<(&'static str, String)>)> = FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .filter_map(|route| Some((route, match_path(route.template, &ctx.call.path)?)))
        .collect();
    matches.sort_by_key(|(_, parameters)| parameters.len());
    let Some(fewest) = matches.first().map(|(_, parameters)| parameters.len()) else {
        return as_example(ctx).unwrap_or_else(|| Err(Answer::message(404, "Not found")));
    };
    let found = matches
        .into_iter()
        .take_while(|(_, parameters)| parameters.len() == fewest)
        .find(|(route, _)| route.method == ctx.call.method);
    let Some((route, parameters)) = found else {
        let refusal = Answer::message(405, "Method not allowed");
        return as_example(ctx).unwrap_or(Err(refusal));
    };
    ctx.parameters = parameters;
    if route.needs_bearer {
        authenticate(ctx)?;
    }
    let endpoint = (route.method, route.template);
    let limits = &ctx.settings.rate_limits;
    if !ctx.state.windows.admit(limits, endpoint, ctx.now) {
        return Err(Answer::message(429, EXCEEDED));
    }
    if !route.takes_retry_key && ctx.call.headers.get(retry_key::HEADER).is_some() {
        let text = "The 'X-Line-Retry-Key' header is not supported by this API";
        return Err(Answer::message(400, text));
    }
    (route.answer)(ctx)
}

/// Answers a call of an operation that only its caller knows, as its examples say.
fn as_example(ctx: &Context<'_>) -> Option<Result<Answer, Answer>> {
    let mut operations = ctx.settings.operations.iter();
    let operation = operations.find(|operation| operation.fits(ctx.call))?;
    let answer = operation.answer(ctx.call)?;
    let allowed = if operation.is_open {
        Ok(())
    } else {
        authenticate(ctx)
    };
    Some(allowed.map(|()| answer))
}

/// Whether a path issues tokens, which calls do on their way to what they are for.
pub(crate) fn issues_tokens(call: &Call) -> bool {
    call.method == "POST" && token::ISSUING.contains(&call.path.as_str())
}

/// Refuses a call whose bearer token is missing, unknown or expired with LINE's 401.
fn authenticate(ctx: &Context<'_>) -> Result<(), Answer> {
    const ALL: [TokenKind; 4] = [
        TokenKind::LongLived,
        TokenKind::ShortLived,
        TokenKind::Stateless,
        TokenKind::V2_1,
    ];
    let status = ctx
        .call
        .bearer()
        .map(|token| ctx.state.tokens.look_up(token, &ALL, ctx.now));
    let reason = match status {
        Some(TokenStatus::Live(_)) => return Ok(()),
        Some(TokenStatus::Expired) => "access token expired",
        Some(TokenStatus::Unknown) => "invalid token",
        None => "missing token",
    };
    let advice = "Confirm that the access token in the authorization header is valid.";
    let text = format!("Authentication failed due to the following reason: {reason}. {advice}");
    Err(Answer::message(401, &text))
}

/// The values of a template's placeholders, decoded; `None` where the path does not match it.
pub(crate) fn match_path<'t>(template: &'t str, path: &str) -> Option<Vec<(&'t str, String)>> {
    // Fast path: nearly all templates fail here, before anything is split.
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
            Some(name) if !segment.is_empty() => {
                parameters.push((name, percent_decode(segment, false)));
            }
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
        let matched = match_path("/v2/bot/profile/{userId}", "/v2/bot/profile/U%31");
        assert_eq!(matched, Some(vec![("userId", "U1".to_owned())]));
        assert_eq!(
            match_path("/v2/bot/profile/{userId}", "/v2/bot/profile/"),
            None
        );
        assert_eq!(
            match_path("/v2/bot/profile/{userId}", "/v2/bot/profile/a/b"),
            None
        );
        assert_eq!(match_path("/v2/bot/info", "/v2/bot/info/"), None);
    }
}
