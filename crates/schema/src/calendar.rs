//! The formats of LINE's dates and times, judged by the real calendar. It knows no clock.

use std::time::SystemTime;

use time::{Date, Month, OffsetDateTime, UtcOffset};

/// Says whether a text is of a format.
type Format = fn(&str) -> bool;

/// The formats by the name that a schema's `format` gives them.
pub(crate) const FORMATS: [(&str, Format); 4] = [
    ("yyyyMMdd", is_compact_date),
    ("picker-date", is_picker_date),
    ("picker-time", is_picker_time),
    ("picker-datetime", is_picker_datetime),
];

/// Whether a text is of the format of that name.
#[must_use]
pub fn is_of(name: &str, text: &str) -> bool {
    FORMATS
        .iter()
        .any(|(known, holds)| *known == name && holds(text))
}

fn is_compact_date(text: &str) -> bool {
    compact_day(text).is_some()
}

/// The day that a text of the format `yyyyMMdd` names.
pub(crate) fn compact_day(text: &str) -> Option<Date> {
    let year = digits(text, 0..4).filter(|_| text.len() == 8)?;
    day(year, text, 4..6, 6..8)
}

/// The first day, as `yyyyMMdd`, that is at most so many years before the one on which `now` falls in
/// UTC+9, if `text` is an earlier day.
#[must_use]
pub fn first_day_after(text: &str, years: u8, now: SystemTime) -> Option<String> {
    let zone = UtcOffset::from_hms(9, 0, 0).ok()?;
    let today = OffsetDateTime::from(now).checked_to_offset(zone)?.date();
    let year = today.year() - i32::from(years);
    // There is no 29 February in most years.
    let first = today
        .replace_year(year)
        .or_else(|_| Date::from_calendar_date(year, Month::March, 1));
    let first = first
        .ok()
        .filter(|first| compact_day(text).is_some_and(|day| day < *first))?;
    let (year, month, day) = first.to_calendar_date();
    Some(format!("{year:04}{:02}{day:02}", u8::from(month)))
}

fn is_picker_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && digits(text, 0..4)
            .filter(|year| (1900..=2100).contains(year))
            .is_some_and(|year| day(year, text, 5..7, 8..10).is_some())
}

fn is_picker_time(text: &str) -> bool {
    text.len() == 5
        && text.as_bytes()[2] == b':'
        && digits(text, 0..2).is_some_and(|hour| hour < 24)
        && digits(text, 3..5).is_some_and(|minute| minute < 60)
}

fn is_picker_datetime(text: &str) -> bool {
    text.split_once(['T', 't'])
        .is_some_and(|(date, clock)| is_picker_date(date) && is_picker_time(clock))
}

fn day(
    year: u16,
    text: &str,
    month: std::ops::Range<usize>,
    day: std::ops::Range<usize>,
) -> Option<Date> {
    let month = u8::try_from(digits(text, month)?).ok()?;
    let day = u8::try_from(digits(text, day)?).ok()?;
    Date::from_calendar_date(i32::from(year), Month::try_from(month).ok()?, day).ok()
}

fn digits(text: &str, range: std::ops::Range<usize>) -> Option<u16> {
    let part = text.get(range)?;
    part.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| part.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_date_is_a_day_of_the_calendar() {
        assert!(is_compact_date("20191231") && is_compact_date("20240229"));
        for wrong in [
            "20191232",
            "20190229",
            "2019-12-31",
            "2019123",
            "+2019123",
            "２０１９１２３１",
        ] {
            assert!(!is_compact_date(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_picker_value_keeps_to_its_mode() {
        assert!(is_picker_datetime("2017-06-18T06:15") && is_picker_datetime("2017-06-18t06:15"));
        assert!(is_picker_time("00:00") && is_picker_time("23:59"));
        assert!(is_picker_date("1900-01-01") && is_picker_date("2100-12-31"));
        assert!(!is_picker_date("2017-6-18") && !is_picker_date("2101-01-01"));
        assert!(!is_picker_time("24:00") && !is_picker_datetime("2017-06-18 06:15"));
    }
}
