//! Coupons: created, listed, read and discontinued. A new coupon is checked by `rules`.

use serde_json::{Map, Value, json};

use crate::calendar::unix_seconds;
use crate::http::Answer;
use crate::ids::new_hex;
use crate::paging;
use crate::route::Route;
use crate::rules;
use crate::state::Context;
use crate::store::coupon::{Coupon, MAX_COUPONS};

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/coupon", create),
    Route::bot("GET", "/v2/bot/coupon", list),
    Route::bot("GET", "/v2/bot/coupon/{couponId}", get),
    Route::bot("PUT", "/v2/bot/coupon/{couponId}/close", close),
];

const FIELDS: [&str; 13] = [
    "title",
    "description",
    "acquisitionCondition",
    "maxUseCountPerTicket",
    "startTimestamp",
    "endTimestamp",
    "timezone",
    "reward",
    "visibility",
    "imageUrl",
    "barcodeImageUrl",
    "couponCode",
    "usageCondition",
];

fn create(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let now = unix_seconds(ctx.now);
    rules::check_coupon(&body, i64::try_from(now).unwrap_or(i64::MAX))?;
    let coupons = &mut ctx.state.coupons.0;
    let valid = coupons.iter().filter(|one| one.status(now) == "RUNNING");
    if valid.count() >= MAX_COUPONS {
        return Err(Answer::invalid("You have too many coupons created.", ""));
    }
    // Hex digits are valid in a ULID.
    let id = format!("01J{:.23}", new_hex().to_uppercase());
    let fields = FIELDS
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), body.get(key)?.clone())));
    coupons.push(Coupon {
        id: id.clone(),
        fields: fields.filter(|(_, value)| !value.is_null()).collect(),
        created: now,
        closed: false,
    });
    Ok(Answer::json(200, &json!({ "couponId": id })))
}

/// Lists the newest coupons first. The continuation token holds the index of the last one shown, so
/// that coupons created meanwhile do not shift the pages.
fn list(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    const LIST: &str = "coupons";
    let limit = limit(ctx)?;
    let statuses = ctx.call.query_values("status");
    let known = ["DRAFT", "RUNNING", "CLOSED"];
    if !statuses.iter().all(|one| known.contains(&one.as_str())) {
        let text = "Must be one of the following values: [DRAFT,RUNNING,CLOSED]";
        return Err(Answer::invalid(text, "status"));
    }
    let below = paging::start_position(ctx, LIST)?;
    let below = below.map_or(usize::MAX, |below| {
        usize::try_from(below).unwrap_or(usize::MAX)
    });
    let now = unix_seconds(ctx.now);
    let coupons = ctx.state.coupons.0.iter().enumerate().rev();
    let mut found = coupons.filter(|(index, one)| {
        let wanted = statuses.is_empty() || statuses.iter().any(|status| status == one.status(now));
        *index < below && wanted
    });
    let shown: Vec<_> = found.by_ref().take(limit).collect();
    let items: Vec<Value> = shown
        .iter()
        .map(|(_, one)| json!({ "couponId": one.id, "title": one.fields.get("title") }))
        .collect();
    let mut body = json!({ "items": items });
    if let (Some(_), Some((last, _))) = (found.next(), shown.last()) {
        let last = u64::try_from(*last).unwrap_or_default();
        body["next"] = json!(paging::continuation_token(LIST, last, ctx.now));
    }
    Ok(Answer::json(200, &body))
}

fn limit(ctx: &Context<'_>) -> Result<usize, Answer> {
    let Some(text) = ctx.call.query_value("limit") else {
        return Ok(20);
    };
    let text = match text.parse() {
        Ok(limit @ 1..=100) => return Ok(limit),
        Ok(0) => "Must be greater than or equal to 1",
        Ok(_) => "Must be less than or equal to 100",
        Err(_) => "invalid property",
    };
    Err(Answer::invalid(text, "limit"))
}

fn get(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let now = unix_seconds(ctx.now);
    let coupon = find(ctx)?;
    let mut shown = Map::from_iter([("couponId".to_owned(), json!(coupon.id))]);
    shown.extend(coupon.fields.clone());
    let mut shown = Value::Object(shown);
    shown["maxTicketPerUser"] = json!(1);
    shown["status"] = json!(coupon.status(now));
    shown["createdTimestamp"] = json!(coupon.created);
    if let Some(Value::Object(price)) = shown.pointer_mut("/reward/priceInfo") {
        price.insert("currency".to_owned(), json!("JPY"));
    }
    Ok(Answer::json(200, &shown))
}

fn close(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let now = unix_seconds(ctx.now);
    let coupon = find(ctx)?;
    if coupon.status(now) == "CLOSED" {
        let refusal = Answer::invalid("The coupon has already been closed.", "");
        return Err(Answer {
            status: 410,
            ..refusal
        });
    }
    coupon.closed = true;
    Ok(Answer::json(200, &json!({})))
}

/// The coupon in the path.
fn find<'t>(ctx: &'t mut Context<'_>) -> Result<&'t mut Coupon, Answer> {
    let id = ctx.parameter("couponId").to_owned();
    let mut coupons = ctx.state.coupons.0.iter_mut();
    coupons.find(|one| one.id == id).ok_or_else(|| Answer {
        status: 404,
        ..Answer::invalid("coupon not found", "")
    })
}
