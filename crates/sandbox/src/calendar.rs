//! Dates as LINE writes them, worked out from UNIX seconds by hand so that the sandbox reads a
//! calendar differently from the connector. It knows no time zone but UTC and LINE's UTC+9.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_SECONDS: u64 = 86_400;

/// LINE's statistics count days in Japan's time.
const LINE_OFFSET: Duration = Duration::from_hours(9);

/// A calendar day of the proleptic Gregorian calendar; orders by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
}

impl Date {
    /// Days since 1970.
    pub(crate) fn number(self) -> u64 {
        let years = (1970..self.year).map(year_length).sum::<u64>();
        let months = (1..self.month).map(|month| month_length(self.year, month));
        years + months.sum::<u64>() + self.day - 1
    }

    /// `yyyyMMdd`.
    pub(crate) fn compact(self) -> String {
        let Date { year, month, day } = self;
        format!("{year:04}{month:02}{day:02}")
    }
}

/// Whole seconds since 1970, or 0 before it.
pub(crate) fn seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// The day in UTC+9, by which LINE counts.
pub(crate) fn line_day(moment: SystemTime) -> Date {
    day_number(seconds(moment + LINE_OFFSET) / DAY_SECONDS)
}

/// Reads `yyyyMMdd`; nothing else, and no day that does not exist.
pub(crate) fn parse_day(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse().ok();
    let day = Date {
        year: part(0..4)?,
        month: part(4..6)?,
        day: part(6..8)?,
    };
    let exists =
        (1..=12).contains(&day.month) && (1..=month_length(day.year, day.month)).contains(&day.day);
    exists.then_some(day)
}

/// `2020-12-03T10:15:30.121Z`.
pub(crate) fn iso_millis(moment: SystemTime) -> String {
    let total = seconds(moment);
    let millis = moment
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_millis();
    let Date { year, month, day } = day_number(total / DAY_SECONDS);
    let (hour, minute, second) = clock_face(total);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// `Thu, 03 Dec 2020 10:15:30 GMT`, as HTTP's `Date` wants it.
pub(crate) fn http_date(moment: SystemTime) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let pick = |names: &'static [&'static str], index: u64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index))
            .copied()
            .unwrap_or_default()
    };
    let total = seconds(moment);
    let Date { year, month, day } = day_number(total / DAY_SECONDS);
    let (hour, minute, second) = clock_face(total);
    let weekday = pick(&WEEKDAYS, total / DAY_SECONDS % 7);
    let month = pick(&MONTHS, month - 1);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

fn clock_face(total: u64) -> (u64, u64, u64) {
    (total / 3600 % 24, total / 60 % 60, total % 60)
}

/// The day that is so many days after the first of 1970.
pub(crate) fn day_number(since_1970: u64) -> Date {
    let (mut year, mut left) = (1970, since_1970);
    while left >= year_length(year) {
        left -= year_length(year);
        year += 1;
    }
    let mut month = 1;
    while left >= month_length(year, month) {
        left -= month_length(year, month);
        month += 1;
    }
    Date {
        year,
        month,
        day: left + 1,
    }
}

fn year_length(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_length(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_moment_reads_the_same_in_every_format() {
        let moment = UNIX_EPOCH + Duration::from_millis(1_606_990_530_121);
        assert_eq!(iso_millis(moment), "2020-12-03T10:15:30.121Z");
        assert_eq!(http_date(moment), "Thu, 03 Dec 2020 10:15:30 GMT");
    }

    #[test]
    fn days_turn_over_at_fifteen_hours_utc() {
        let before = UNIX_EPOCH + Duration::from_secs(1_606_990_530) + Duration::from_hours(4);
        assert_eq!(
            line_day(before),
            Date {
                year: 2020,
                month: 12,
                day: 3
            }
        );
        let after = before + Duration::from_hours(1);
        assert_eq!(
            line_day(after),
            Date {
                year: 2020,
                month: 12,
                day: 4
            }
        );
    }

    #[test]
    fn only_days_that_exist_are_read() {
        assert_eq!(
            parse_day("20240229"),
            Some(Date {
                year: 2024,
                month: 2,
                day: 29
            })
        );
        for wrong in [
            "20230229",
            "20191232",
            "20191301",
            "2019-12-31",
            "2019123",
            "２０１９1231",
        ] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }
}
