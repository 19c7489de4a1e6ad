//! Coupons: texts, period, acquisition condition and reward.

use serde_json::Value;

use super::length::{LengthUnit, length};
use super::object::{Need, Object};

const KINDS: [&str; 5] = ["discount", "free", "gift", "cashBack", "others"];

const TIMEZONES: [&str; 34] = [
    "ETC_GMT_MINUS_12",
    "ETC_GMT_MINUS_11",
    "PACIFIC_HONOLULU",
    "AMERICA_ANCHORAGE",
    "AMERICA_LOS_ANGELES",
    "AMERICA_PHOENIX",
    "AMERICA_CHICAGO",
    "AMERICA_NEW_YORK",
    "AMERICA_CARACAS",
    "AMERICA_SANTIAGO",
    "AMERICA_ST_JOHNS",
    "AMERICA_SAO_PAULO",
    "ETC_GMT_MINUS_2",
    "ATLANTIC_CAPE_VERDE",
    "EUROPE_LONDON",
    "EUROPE_PARIS",
    "EUROPE_ISTANBUL",
    "EUROPE_MOSCOW",
    "ASIA_TEHRAN",
    "ASIA_TBILISI",
    "ASIA_KABUL",
    "ASIA_TASHKENT",
    "ASIA_COLOMBO",
    "ASIA_KATHMANDU",
    "ASIA_ALMATY",
    "ASIA_RANGOON",
    "ASIA_BANGKOK",
    "ASIA_TAIPEI",
    "ASIA_TOKYO",
    "AUSTRALIA_DARWIN",
    "AUSTRALIA_SYDNEY",
    "ASIA_VLADIVOSTOK",
    "ETC_GMT_PLUS_12",
    "PACIFIC_TONGATAPU",
];

/// The properties of `priceInfo`: the type that each belongs to, and its maximum.
const PRICES: [(&str, &str, i64); 4] = [
    ("fixedAmount", "fixed", i64::MAX),
    ("percentage", "percentage", 99),
    ("originalPrice", "explicit", i64::MAX),
    ("priceAfterDiscount", "explicit", i64::MAX),
];

pub(super) fn check(coupon: &Object<'_>, now: i64) {
    sized_text(coupon, "title", Need::Required, 60);
    sized_text(coupon, "description", Need::Optional, 1000);
    sized_text(coupon, "couponCode", Need::Optional, 16);
    sized_text(coupon, "usageCondition", Need::Optional, 100);
    coupon.https("imageUrl", Need::Optional);
    coupon.https("barcodeImageUrl", Need::Optional);
    coupon.choice("visibility", Need::Required, &["PUBLIC", "UNLISTED"]);
    coupon.choice("timezone", Need::Required, &TIMEZONES);
    let uses = coupon.integer("maxUseCountPerTicket", Need::Required, i64::MIN..=i64::MAX);
    if uses.is_some_and(|uses| uses != 1 && uses != -1) {
        let text = "Must be one of the following values: [1,-1]";
        coupon.reject("maxUseCountPerTicket", text);
    }
    let start = coupon.integer("startTimestamp", Need::Required, 0..=i64::MAX);
    let end = coupon.integer("endTimestamp", Need::Required, 0..=i64::MAX);
    if end.is_some_and(|end| end <= now.max(start.unwrap_or(now))) {
        coupon.reject("endTimestamp", "Must be later than now and startTimestamp");
    }
    if let Some(condition) = coupon.object("acquisitionCondition", Need::Required) {
        acquisition_condition(&condition);
    }
    if let Some(reward) = coupon.object("reward", Need::Required) {
        reward_terms(&reward);
    }
}

/// A string; LINE's message for a wrong length speaks of its size.
fn sized_text(coupon: &Object<'_>, key: &str, need: Need, most: usize) {
    match coupon.get(key, need).map(Value::as_str) {
        Some(None) => coupon.wrong_type(key),
        Some(Some(text)) if !(1..=most).contains(&length(text, LengthUnit::Utf16)) => {
            coupon.reject(key, format!("Size must be between 1 and {most}"));
        }
        _ => {}
    }
}

fn acquisition_condition(condition: &Object<'_>) {
    if condition.choice("type", Need::Required, &["normal", "lottery"]) != Some("lottery") {
        return;
    }
    condition.integer("lotteryProbability", Need::Required, 1..=99);
    let count = condition.integer("maxAcquireCount", Need::Required, -1..=999_999);
    if count == Some(0) {
        condition.reject("maxAcquireCount", "Must be between 1 and 999999");
    }
}

fn reward_terms(reward: &Object<'_>) {
    let kinds: &[&str] = match reward.choice("type", Need::Required, &KINDS) {
        Some("discount") => &["fixed", "percentage", "explicit"],
        Some("cashBack") => &["fixed", "percentage"],
        Some(_) => {
            if reward.get("priceInfo", Need::Optional).is_some() {
                reward.reject("priceInfo", "Must not be specified");
            }
            return;
        }
        None => return,
    };
    let Some(price) = reward.object("priceInfo", Need::Required) else {
        return;
    };
    let Some(kind) = price.choice("type", Need::Required, kinds) else {
        return;
    };
    for (key, owner, most) in PRICES {
        if owner == kind {
            price.integer(key, Need::Required, 1..=most);
        } else if price.get(key, Need::Optional).is_some() {
            price.reject(key, "Must not be specified");
        }
    }
}
