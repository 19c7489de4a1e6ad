//! The `recipient` and `filter` of a narrowcast: checks them, and estimates how many people they
//! select.

use serde_json::Value;

use crate::http::Answer;
use crate::state::Context;
use crate::store::narrowcast::RETENTION;

/// LINE's limit of audiences and redeliveries together, and of demographic conditions.
const MAX_LEAVES: usize = 10;

/// The deepest nesting; LINE documents none, and its samples are far below.
const MAX_DEPTH: usize = 32;

const AGES: [&str; 12] = [
    "age_15", "age_20", "age_25", "age_30", "age_35", "age_40", "age_45", "age_50", "age_55",
    "age_60", "age_65", "age_70",
];

const PERIODS: [&str; 5] = ["day_7", "day_30", "day_90", "day_180", "day_365"];

/// The people that a narrowcast selects.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    pub(crate) people: u64,
    /// Whether there is a demographic filter.
    pub(crate) filtered: bool,
    /// Whether there is an audience to which LINE's minimum applies.
    pub(crate) restricted: bool,
    leaves: usize,
    audiences: usize,
    small_one: bool,
}

impl Reach {
    /// Whether there are several audiences, and a restricted one is too small.
    pub(crate) fn several_with_a_small_one(&self) -> bool {
        self.audiences > 1 && self.small_one
    }
}

/// Evaluates the recipient and the filter of a narrowcast.
pub(crate) fn reach(ctx: &Context<'_>, body: &Value) -> Result<Reach, Answer> {
    let mut reach = Reach {
        people: ctx.state.friends.count(ctx.settings),
        ..Reach::default()
    };
    if let Some(recipient) = body.get("recipient") {
        reach.people = people(ctx, recipient, &mut reach, "recipient", 0)?;
    }
    if let Some(filter) = body.get("filter") {
        if !filter.is_object() {
            return Err(Answer::invalid_property("'filter'"));
        }
        if let Some(demographic) = filter.get("demographic") {
            reach.filtered = true;
            let mut leaves = 0;
            condition(demographic, &mut leaves, "filter.demographic", 0)?;
        }
    }
    Ok(reach)
}

fn people(
    ctx: &Context<'_>,
    recipient: &Value,
    reach: &mut Reach,
    path: &str,
    depth: usize,
) -> Result<u64, Answer> {
    let friends = ctx.state.friends.count(ctx.settings);
    match type_of(recipient, path, depth)? {
        "audience" => {
            count_leaf(&mut reach.leaves, path)?;
            audience(ctx, recipient, reach)
        }
        "redelivery" => {
            count_leaf(&mut reach.leaves, path)?;
            redelivery(ctx, recipient)
        }
        "operator" => {
            let (operator, operands) = operands(recipient, path)?;
            let mut sizes = Vec::with_capacity(operands.len());
            for operand in operands {
                let path = format!("{path}.{operator}");
                sizes.push(people(ctx, operand, reach, &path, depth + 1)?);
            }
            Ok(match operator {
                "and" => sizes.into_iter().min().unwrap_or_default(),
                "or" => sizes.into_iter().sum::<u64>().min(friends),
                _ => friends.saturating_sub(sizes.into_iter().sum()),
            })
        }
        _ => Err(one_of("audience,redelivery,operator", path)),
    }
}

fn audience(ctx: &Context<'_>, recipient: &Value, reach: &mut Reach) -> Result<u64, Answer> {
    let id = recipient
        .get("audienceGroupId")
        .cloned()
        .unwrap_or_default();
    // LINE does not document what it does with an audience that is not ready; here it is unknown.
    let (pace, now) = (ctx.settings.pace, ctx.now);
    let known = id
        .as_u64()
        .and_then(|id| ctx.state.audiences.ready(id, pace, now));
    let Some(audience) = known else {
        return Err(Answer::message(
            400,
            &format!("Invalid audience group id: {id}"),
        ));
    };
    reach.audiences += 1;
    reach.restricted |= audience.restricted;
    reach.small_one |= audience.restricted && audience.size < 50;
    Ok(audience.size.min(ctx.state.friends.count(ctx.settings)))
}

fn redelivery(ctx: &Context<'_>, recipient: &Value) -> Result<u64, Answer> {
    let id = recipient
        .get("requestId")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let earlier = ctx.state.narrowcasts.get(id).filter(|earlier| {
        let age = ctx.now.duration_since(earlier.accepted).unwrap_or_default();
        earlier.succeeded() && age < RETENTION
    });
    earlier
        .map(|earlier| earlier.target)
        .ok_or_else(|| Answer::message(400, &format!("Invalid request id: {id}")))
}

/// Checks a demographic condition and those nested in it.
fn condition(value: &Value, leaves: &mut usize, path: &str, depth: usize) -> Result<(), Answer> {
    let kind = type_of(value, path, depth)?;
    if kind == "operator" {
        let (operator, operands) = operands(value, path)?;
        return operands.into_iter().try_for_each(|operand| {
            condition(operand, leaves, &format!("{path}.{operator}"), depth + 1)
        });
    }
    count_leaf(leaves, path)?;
    match kind {
        "gender" => choices(value, path, |choice| ["male", "female"].contains(&choice)),
        "appType" => choices(value, path, |choice| ["ios", "android"].contains(&choice)),
        "area" => choices(value, path, is_area),
        "age" => range(value, path, &AGES),
        "subscriptionPeriod" => range(value, path, &PERIODS),
        _ => Err(one_of(
            "gender,age,appType,area,subscriptionPeriod,operator",
            path,
        )),
    }
}

fn is_area(code: &str) -> bool {
    let last = match code.get(..3) {
        Some("jp_") => 47,
        Some("tw_") => 22,
        Some("th_") => 8,
        Some("id_") => 12,
        _ => return false,
    };
    let number = code.get(3..).filter(|digits| digits.len() == 2);
    number
        .and_then(|digits| digits.parse::<u8>().ok())
        .is_some_and(|n| (1..=last).contains(&n))
}

fn choices(value: &Value, path: &str, known: fn(&str) -> bool) -> Result<(), Answer> {
    let path = format!("{path}.oneOf");
    let listed = value.get("oneOf").and_then(Value::as_array);
    match listed.filter(|listed| !listed.is_empty()) {
        None => Err(Answer::invalid("May not be empty", &path)),
        Some(listed) if listed.iter().all(|one| one.as_str().is_some_and(known)) => Ok(()),
        Some(_) => Err(Answer::invalid("invalid property", &path)),
    }
}

/// Checks `gte` and `lt`: at least one of them, and in order.
fn range(value: &Value, path: &str, steps: &[&str]) -> Result<(), Answer> {
    let bound = |name: &str| match value.get(name) {
        None => Ok(None),
        Some(bound) => steps
            .iter()
            .position(|step| bound.as_str() == Some(step))
            .map(Some)
            .ok_or_else(|| one_of(&steps.join(","), &format!("{path}.{name}"))),
    };
    match (bound("gte")?, bound("lt")?) {
        (None, None) => Err(Answer::invalid("must be specified", &format!("{path}.gte"))),
        (Some(from), Some(below)) if from >= below => {
            Err(Answer::invalid("invalid property", &format!("{path}.gte")))
        }
        _ => Ok(()),
    }
}

fn type_of<'a>(value: &'a Value, path: &str, depth: usize) -> Result<&'a str, Answer> {
    if !value.is_object() {
        return Err(Answer::invalid_property(&format!("'{path}'")));
    }
    if depth > MAX_DEPTH {
        return Err(Answer::invalid("invalid property", path));
    }
    let kind = value.get("type").and_then(Value::as_str);
    kind.ok_or_else(|| Answer::invalid("May not be empty", &format!("{path}.type")))
}

/// The one operator of an operator object, with its operands.
fn operands<'a>(value: &'a Value, path: &str) -> Result<(&'static str, Vec<&'a Value>), Answer> {
    let present: Vec<_> = ["and", "or", "not"]
        .into_iter()
        .filter(|name| value.get(name).is_some())
        .collect();
    let [operator] = present[..] else {
        return Err(Answer::invalid("invalid property", path));
    };
    let operand = value.get(operator);
    let operands: Vec<&Value> = match operand {
        Some(Value::Array(all)) if operator != "not" => all.iter().collect(),
        Some(one @ Value::Object(_)) if operator == "not" => vec![one],
        _ => return Err(Answer::invalid_property(&format!("'{path}.{operator}'"))),
    };
    if operands.is_empty() {
        return Err(Answer::invalid(
            "May not be empty",
            &format!("{path}.{operator}"),
        ));
    }
    Ok((operator, operands))
}

fn count_leaf(leaves: &mut usize, path: &str) -> Result<(), Answer> {
    *leaves += 1;
    if *leaves > MAX_LEAVES {
        return Err(Answer::invalid("Size must be between 1 and 10", path));
    }
    Ok(())
}

fn one_of(known: &str, path: &str) -> Answer {
    let text = format!("Must be one of the following values: [{known}]");
    Answer::invalid(&text, &format!("{path}.type"))
}
