//! The aggregation units used this month, counted and listed. Their statistics are in `insight`.

use serde_json::json;

use crate::http::Answer;
use crate::paging;
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/message/aggregation/info", count),
    Route::bot("GET", "/v2/bot/message/aggregation/list", list),
];

fn count(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = json!({ "numOfCustomAggregationUnits": ctx.state.units.of_month(ctx.now).len() });
    Ok(Answer::json(200, &body))
}

fn list(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let names = ctx.state.units.of_month(ctx.now).to_vec();
    let limit = paging::limit(ctx, 100, 100)?;
    let total = u64::try_from(names.len()).unwrap_or(u64::MAX);
    paging::page(ctx, "customAggregationUnits", limit, total, |_, index| {
        let name = usize::try_from(index).ok().and_then(|at| names.get(at));
        name.map(|name| json!(name))
    })
}
