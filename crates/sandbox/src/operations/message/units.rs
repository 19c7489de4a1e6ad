//! The aggregation units that this month's sends were given, counted and listed. Statistics by unit
//! are insight's part.

use serde_json::json;

use crate::http::Answer;
use crate::paging;
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/message/aggregation/info", count),
    Route::bot("GET", "/v2/bot/message/aggregation/list", list),
];

fn count(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = json!({ "numOfCustomAggregationUnits": turn.state.units.of_month(turn.now).len() });
    Ok(Answer::json(200, &body))
}

fn list(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let names = turn.state.units.of_month(turn.now).to_vec();
    let limit = paging::limit(turn, 100, 100)?;
    let total = u64::try_from(names.len()).unwrap_or(u64::MAX);
    paging::answer(turn, "customAggregationUnits", limit, total, |_, place| {
        let name = usize::try_from(place).ok().and_then(|at| names.get(at));
        name.map(|name| json!(name))
    })
}
