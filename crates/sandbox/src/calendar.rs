//! Dates as LINE writes them. LINE's statistics count days in UTC+9; everything else is in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime};

/// `yyyyMMdd`.
const COMPACT: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]");

/// `2020-12-03T10:15:30.121Z`.
const ISO_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// `Thu, 03 Dec 2020 10:15:30 GMT`.
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// The offset of Japan's time, in which LINE counts days, from UTC.
const LINE_OFFSET: Duration = Duration::from_hours(9);

/// Whole seconds since 1970, or 0 before it.
pub(crate) fn unix_seconds(moment: SystemTime) -> u64 {
    since_1970(moment).as_secs()
}

/// Milliseconds since 1970, or 0 before it.
pub(crate) fn unix_millis(moment: SystemTime) -> u64 {
    u64::try_from(since_1970(moment).as_millis()).unwrap_or(u64::MAX)
}

/// The day in UTC+9, by which LINE counts.
pub(crate) fn line_day(moment: SystemTime) -> Date {
    utc(moment + LINE_OFFSET).date()
}

/// The month in UTC+9, with its year.
pub(crate) fn line_month(moment: SystemTime) -> (i32, Month) {
    let day = line_day(moment);
    (day.year(), day.month())
}

/// Parses `yyyyMMdd`; `None` for any other format, and for a day that does not exist.
pub(crate) fn parse_day(text: &str) -> Option<Date> {
    // `time` would also accept a sign before the year.
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    Date::parse(text, COMPACT).ok().filter(|_| digits)
}

/// Formats a day as `yyyyMMdd`.
pub(crate) fn compact(day: Date) -> String {
    day.format(COMPACT).unwrap_or_default()
}

/// Formats a time as `2020-12-03T10:15:30.121Z`.
pub(crate) fn iso_millis(moment: SystemTime) -> String {
    utc(moment).format(ISO_MILLIS).unwrap_or_default()
}

/// Formats a time as `Thu, 03 Dec 2020 10:15:30 GMT`, for HTTP's `Date`.
pub(crate) fn http_date(moment: SystemTime) -> String {
    utc(moment).format(HTTP_DATE).unwrap_or_default()
}

fn since_1970(moment: SystemTime) -> Duration {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The date and time in UTC: 1970 for anything earlier, the year 9999 for anything later.
fn utc(moment: SystemTime) -> OffsetDateTime {
    let since = time::Duration::try_from(since_1970(moment)).ok();
    since
        .and_then(|since| OffsetDateTime::UNIX_EPOCH.checked_add(since))
        .unwrap_or(PrimitiveDateTime::MAX.assume_utc())
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_known_moment_reads_the_same_in_every_format() {
        let moment = UNIX_EPOCH + Duration::from_millis(1_606_990_530_121);
        assert_eq!(iso_millis(moment), "2020-12-03T10:15:30.121Z");
        assert_eq!(http_date(moment), "Thu, 03 Dec 2020 10:15:30 GMT");
        assert_eq!(compact(line_day(moment)), "20201203");
    }

    #[test]
    fn days_turn_over_at_fifteen_hours_utc() {
        let before = UNIX_EPOCH + Duration::from_secs(1_606_990_530) + Duration::from_hours(4);
        assert_eq!(line_day(before), date!(2020 - 12 - 03));
        let after = before + Duration::from_hours(1);
        assert_eq!(line_day(after), date!(2020 - 12 - 04));
    }

    #[test]
    fn only_days_that_exist_are_read() {
        assert_eq!(parse_day("20240229"), Some(date!(2024 - 02 - 29)));
        for wrong in [
            "20230229",
            "20191232",
            "20191301",
            "2019-12-31",
            "2019123",
            "+2019123",
            "-2019123",
            "２０１９1231",
        ] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }
}
