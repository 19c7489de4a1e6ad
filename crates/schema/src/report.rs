//! Turns raw findings into the report: deduplicated, in document order, without those that only
//! follow from another. It writes no message.

use std::collections::{HashMap, HashSet};

use line_connector_catalog::references::unescape;
use serde_json::{Map, Value};

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
    let unjudged: HashSet<&str> = unjudged.iter().map(String::as_str).collect();
    findings.retain(|(finding, is_choice)| {
        *is_choice || !holders(&finding.detail.path).any(|object| unjudged.contains(object))
    });
    let mut findings: Vec<Finding> = findings.into_iter().map(|(finding, _)| finding).collect();
    let mut places = Places::default();
    findings.sort_by_cached_key(|finding| {
        (
            places.of(instance, &finding.detail.path),
            finding.detail.message.clone(),
        )
    });
    findings.dedup_by(|second, first| {
        second.detail.path == first.detail.path && second.detail.message == first.detail.message
    });
    let wrong_alone = paths(&findings, |finding| {
        !finding.warning && finding.beside.is_none()
    });
    findings.retain(|finding| {
        finding.beside.as_ref().is_none_or(|other| {
            !wrong_alone.contains(other) && !wrong_alone.contains(&finding.detail.path)
        })
    });
    // Of what must not be there its value does not matter.
    let refused = paths(&findings, |finding| finding.detail.message == REFUSED);
    findings.retain(|finding| {
        finding.detail.message == REFUSED || !refused.contains(&finding.detail.path)
    });
    let wrong = paths(&findings, |finding| !finding.warning);
    findings.retain(|finding| !finding.warning || !wrong.contains(&finding.detail.path));
    findings
}

/// The paths of such findings.
fn paths(findings: &[Finding], is_such: impl Fn(&Finding) -> bool) -> HashSet<String> {
    let such = findings.iter().filter(|finding| is_such(finding));
    such.map(|finding| finding.detail.path.clone()).collect()
}

/// A JSON pointer, and those to all that holds it.
fn holders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        path.rsplit_once('/').map(|(holder, _)| holder)
    })
}

/// Where the members of objects stand, of those that were asked for.
#[derive(Default)]
struct Places<'i>(HashMap<*const Map<String, Value>, HashMap<&'i str, usize>>);

impl<'i> Places<'i> {
    /// A JSON pointer as member and item indices, which sort in document order.
    fn of(&mut self, instance: &'i Value, path: &str) -> Vec<usize> {
        let mut value = Some(instance);
        let mut steps = Vec::new();
        for step in path.split('/').skip(1) {
            let name = unescape(step);
            match value {
                Some(Value::Object(members)) => {
                    let places = self.0.entry(members).or_insert_with(|| {
                        let names = members.keys().map(String::as_str);
                        names.zip(0..).collect()
                    });
                    steps.push(places.get(&*name).copied().unwrap_or(members.len()));
                    value = members.get(&*name);
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
}
