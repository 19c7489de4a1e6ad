//! The route table: which method and path lead to which function, and what a call must bring to
//! get there. A family adds its operations in its own file and one line in [`FAMILIES`].

use super::exchange::{Answer, BODY_CAP, decode};
use super::retry_key;
use super::state::Turn;
use super::{account, narrowcast, oauth, rate_limit, send};
use super::{aggregation, chats, content, liff, mission, module, people, pnp, read_mark, webhook};
use super::{audience, coupon, insight, membership, richmenu};

/// One operation.
pub(super) struct Route {
    method: &'static str,
    /// The path, with `{name}` for a segment that varies.
    template: &'static str,
    needs_bearer: bool,
    takes_retry_key: bool,
    answer: fn(&mut Turn<'_>) -> Answer,
}

impl Route {
    /// An operation for callers with a channel access token.
    pub(super) const fn bot(
        method: &'static str,
        template: &'static str,
        answer: fn(&mut Turn<'_>) -> Answer,
    ) -> Self {
        Self {
            method,
            template,
            needs_bearer: true,
            takes_retry_key: false,
            answer,
        }
    }

    /// One of the four operations that take `X-Line-Retry-Key`.
    pub(super) const fn keyed(
        method: &'static str,
        template: &'static str,
        answer: fn(&mut Turn<'_>) -> Answer,
    ) -> Self {
        Self {
            takes_retry_key: true,
            ..Self::bot(method, template, answer)
        }
    }

    /// An operation that needs no bearer.
    pub(super) const fn open(
        method: &'static str,
        template: &'static str,
        answer: fn(&mut Turn<'_>) -> Answer,
    ) -> Self {
        Self {
            needs_bearer: false,
            ..Self::bot(method, template, answer)
        }
    }
}

const FAMILIES: &[&[Route]] = &[
    send::ROUTES,
    narrowcast::ROUTES,
    account::ROUTES,
    oauth::ROUTES,
    richmenu::ROUTES,
    audience::ROUTES,
    coupon::ROUTES,
    membership::ROUTES,
    insight::ROUTES,
    people::ROUTES,
    chats::ROUTES,
    read_mark::ROUTES,
    aggregation::ROUTES,
    pnp::ROUTES,
    content::ROUTES,
    webhook::ROUTES,
    liff::ROUTES,
    module::ROUTES,
    mission::ROUTES,
];

/// How large a request body may be. A file of 1,500,000 user IDs is the one thing that is larger
/// than LINE's general limit.
pub(super) fn body_cap(path: &str) -> usize {
    if path == audience::FILE_PATH {
        audience::FILE_CAP
    } else {
        BODY_CAP
    }
}

/// Every method and path template in the table.
pub(super) fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = FAMILIES.iter().flat_map(|family| family.iter());
    all.map(|route| (route.method, route.template))
}

/// Finds the operation and lets it answer.
pub(super) fn dispatch(turn: &mut Turn<'_>) -> Answer {
    // Where a literal segment and a placeholder both fit (`richmenu/list`), the literal wins.
    let mut fitting: Vec<(&Route, Vec<(&'static str, String)>)> = FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .filter_map(|route| Some((route, fit(route.template, &turn.call.path)?)))
        .collect();
    fitting.sort_by_key(|(_, parameters)| parameters.len());
    let Some(fewest) = fitting.first().map(|(_, parameters)| parameters.len()) else {
        return Answer::message(404, "Not found");
    };
    let found = fitting
        .into_iter()
        .take_while(|(_, parameters)| parameters.len() == fewest)
        .find(|(route, _)| route.method == turn.call.method);
    let Some((route, parameters)) = found else {
        return Answer::message(405, "Method not allowed");
    };
    turn.parameters = parameters;
    if route.needs_bearer
        && let Err(refusal) = turn.state.tokens.admit(turn.call, turn.now)
    {
        return refusal;
    }
    let endpoint = (route.method, route.template);
    if let Err(refusal) = rate_limit::admit(turn.state, turn.settings, endpoint, turn.now) {
        return refusal;
    }
    if !route.takes_retry_key && turn.call.headers.get(retry_key::HEADER).is_some() {
        return Answer::message(
            400,
            "The 'X-Line-Retry-Key' header is not supported by this API",
        );
    }
    (route.answer)(turn)
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
