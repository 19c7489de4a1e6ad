//! Turns raw findings into the report: deduplicated, in document order, without those that only
//! follow from another. It writes no message.

use std::collections::HashSet;

use line_connector_catalog::references::unescape;
use serde_json::Value;

use super::finding::Finding;
use super::keyword::REFUSED;

/// The findings that stand on their own, in document order.
///
/// `unjudged`: the places of objects whose `type` is unknown or missing. Such an object is judged
/// by that alone, so whatever else was found in it goes.
pub(super) fn arrange(
    instance: &Value,
    mut findings: Vec<(Finding, bool)>,
    unjudged: &[String],
) -> Vec<Finding> {
    findings.retain(|(finding, is_choice)| {
        *is_choice
            || !unjudged
                .iter()
                .any(|object| is_within(&finding.detail.path, object))
    });
    let mut findings: Vec<Finding> = findings.into_iter().map(|(finding, _)| finding).collect();
    findings.sort_by_cached_key(|finding| {
        (
            position(instance, &finding.detail.path),
            finding.detail.message.clone(),
        )
    });
    findings.dedup_by(|second, first| {
        second.detail.path == first.detail.path && second.detail.message == first.detail.message
    });
    let wrong_alone: HashSet<String> = findings
        .iter()
        .filter(|finding| !finding.warning && finding.beside.is_none())
        .map(|finding| finding.detail.path.clone())
        .collect();
    findings.retain(|finding| {
        finding.beside.as_ref().is_none_or(|other| {
            !wrong_alone.contains(other) && !wrong_alone.contains(&finding.detail.path)
        })
    });
    // Of what must not be there its value does not matter.
    let refused: Vec<String> = findings
        .iter()
        .filter(|finding| finding.detail.message == REFUSED)
        .map(|finding| finding.detail.path.clone())
        .collect();
    findings.retain(|finding| {
        finding.detail.message == REFUSED || !refused.contains(&finding.detail.path)
    });
    let wrong: Vec<String> = findings
        .iter()
        .filter(|finding| !finding.warning)
        .map(|finding| finding.detail.path.clone())
        .collect();
    findings.retain(|finding| !finding.warning || !wrong.contains(&finding.detail.path));
    findings
}

fn is_within(path: &str, object: &str) -> bool {
    path.strip_prefix(object)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A JSON pointer as member and item indices, which sort in document order.
fn position(instance: &Value, path: &str) -> Vec<usize> {
    let mut value = Some(instance);
    let mut steps = Vec::new();
    for step in path.split('/').skip(1) {
        let name = unescape(step);
        match value {
            Some(Value::Object(members)) => {
                steps.push(
                    members
                        .keys()
                        .position(|key| *key == name)
                        .unwrap_or(members.len()),
                );
                value = members.get(&name);
            }
            Some(Value::Array(items)) => {
                let index = name.parse().unwrap_or(items.len());
                steps.push(index);
                value = items.get(index);
            }
            _ => value = None,
        }
    }
    steps
}
