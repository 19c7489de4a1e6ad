//! Coupons: their texts, their time, how they are acquired and what they are worth.

use serde_json::Value;

use super::count::{Unit, length};
use super::subject::{Need, Subject};

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

/// The members of `priceInfo` and the type to which each belongs.
const PRICES: [(&str, &str, i64); 4] = [
    ("fixedAmount", "fixed", i64::MAX),
    ("percentage", "percentage", 99),
    ("originalPrice", "explicit", i64::MAX),
    ("priceAfterDiscount", "explicit", i64::MAX),
];

pub(super) fn judge(coupon: &Subject<'_>, now: i64) {
    sized(coupon, "title", Need::Required, 60);
    sized(coupon, "description", Need::Optional, 1000);
    sized(coupon, "couponCode", Need::Optional, 16);
    sized(coupon, "usageCondition", Need::Optional, 100);
    coupon.https("imageUrl", Need::Optional);
    coupon.https("barcodeImageUrl", Need::Optional);
    coupon.choice("visibility", Need::Required, &["PUBLIC", "UNLISTED"]);
    coupon.choice("timezone", Need::Required, &TIMEZONES);
    let uses = coupon.integer("maxUseCountPerTicket", Need::Required, i64::MIN..=i64::MAX);
    if uses.is_some_and(|uses| uses != 1 && uses != -1) {
        let text = "Must be one of the following values: [1,-1]";
        coupon.fault("maxUseCountPerTicket", text);
    }
    let start = coupon.integer("startTimestamp", Need::Required, 0..=i64::MAX);
    let end = coupon.integer("endTimestamp", Need::Required, 0..=i64::MAX);
    if end.is_some_and(|end| end <= now.max(start.unwrap_or(now))) {
        coupon.fault("endTimestamp", "Must be later than now and startTimestamp");
    }
    if let Some(condition) = coupon.object("acquisitionCondition", Need::Required) {
        acquisition(&condition);
    }
    if let Some(reward) = coupon.object("reward", Need::Required) {
        worth(&reward);
    }
}

/// A string; LINE tells about its length as a size.
fn sized(coupon: &Subject<'_>, key: &str, need: Need, most: usize) {
    match coupon.get(key, need).map(Value::as_str) {
        Some(None) => coupon.unreadable(key),
        Some(Some(text)) if !(1..=most).contains(&length(text, Unit::Utf16)) => {
            coupon.fault(key, format!("Size must be between 1 and {most}"));
        }
        _ => {}
    }
}

fn acquisition(condition: &Subject<'_>) {
    if condition.choice("type", Need::Required, &["normal", "lottery"]) != Some("lottery") {
        return;
    }
    condition.integer("lotteryProbability", Need::Required, 1..=99);
    let count = condition.integer("maxAcquireCount", Need::Required, -1..=999_999);
    if count == Some(0) {
        condition.fault("maxAcquireCount", "Must be between 1 and 999999");
    }
}

fn worth(reward: &Subject<'_>) {
    let kinds: &[&str] = match reward.choice("type", Need::Required, &KINDS) {
        Some("discount") => &["fixed", "percentage", "explicit"],
        Some("cashBack") => &["fixed", "percentage"],
        Some(_) => {
            if reward.get("priceInfo", Need::Optional).is_some() {
                reward.fault("priceInfo", "Must not be specified");
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
            price.fault(key, "Must not be specified");
        }
    }
}
