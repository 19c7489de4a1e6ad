//! Statistics of a rich menu, in total or by day. All days have the same numbers.

use std::iter::successors;

use serde_json::{Value, json};
use time::macros::date;
use time::{Date, Month};

use super::{MIN_SHOWN, bad_request};
use crate::calendar::{compact, line_day, parse_day};
use crate::http::Answer;
use crate::state::Context;
use crate::store::statistics::{clicked, opened};

/// The first day for which LINE has counts.
const FIRST: Date = date!(2023 - 06 - 29);

pub(crate) fn summary(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    answer(ctx, 396, |days, people| {
        let days = u64::try_from(days.len()).unwrap_or(u64::MAX);
        json!({ "count": people * days, "uniqueUsers": people })
    })
}

pub(crate) fn daily(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    answer(ctx, 99, |days, people| {
        let day =
            |day: &Date| json!({ "date": compact(*day), "count": people, "uniqueUsers": people });
        Value::Array(days.iter().map(day).collect())
    })
}

fn answer(
    ctx: &Context<'_>,
    longest: i64,
    metrics: fn(&[Date], u64) -> Value,
) -> Result<Answer, Answer> {
    let (from, to) = period(ctx, longest)?;
    let id = ctx.parameter("richMenuId");
    let menu = ctx.state.rich_menus.get(id);
    let menu = menu.ok_or_else(|| Answer::message(404, "Not found"))?;
    let mut body = json!({ "richMenuId": id });
    let begun = from.max(line_day(menu.created));
    let today = line_day(ctx.now);
    let days: Vec<Date> = successors(Some(begun), |day| day.next_day())
        .take_while(|day| *day <= to && *day < today)
        .collect();
    let friends = ctx.settings.friends;
    let shown = menu.has_image() && clicked(friends) >= MIN_SHOWN;
    if let (Some(first), Some(last), true) = (days.first(), days.last(), shown) {
        let clicks = menu.bounds().into_iter();
        let clicks = clicks
            .map(|bounds| json!({ "bounds": bounds, "metrics": metrics(&days, clicked(friends)) }));
        body["metricsFrom"] = json!(compact(*first));
        body["metricsTo"] = json!(compact(*last));
        body["impression"] = json!({ "metrics": metrics(&days, opened(friends)) });
        body["clicks"] = clicks.collect();
    }
    Ok(Answer::json(200, &body))
}

/// The period of the query, of at most `longest` days between its first and its last.
fn period(ctx: &Context<'_>, longest: i64) -> Result<(Date, Date), Answer> {
    let day = |name| {
        let text = ctx.call.query_value(name);
        text.as_deref().and_then(parse_day).ok_or_else(bad_request)
    };
    let (from, to) = (day("from")?, day("to")?);
    let refuse = |text: &str| Err(Answer::message(400, text));
    if from < FIRST {
        return refuse("Parameter from must be the same date as, or after 2023-06-29.");
    }
    if to < from {
        return refuse("Parameter to must be the same date as, or after parameter from.");
    }
    if (to - from).whole_days() > longest {
        let text = format!("Date range exceeds. Max range is {longest} days.");
        return refuse(&text);
    }
    let today = line_day(ctx.now);
    let year = today.year().saturating_sub(3);
    // Three years before 29 February there is no such day.
    let oldest = today.replace_year(year);
    let oldest = oldest.or(Date::from_calendar_date(year, Month::March, 1));
    if oldest.is_ok_and(|oldest| from < oldest) {
        return Err(bad_request());
    }
    Ok((from, to))
}
