//! The hours in which an account sends, in its zone, over midnight and through the nights in which
//! clocks are turned.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use crate::document;

/// Hours of the day in a zone.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    from: Time,
    to: Time,
    zone: TimeZone,
}

/// A zone by its IANA name.
///
/// # Errors
///
/// Why there is none.
pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        format!("`{name}` is not a time zone that this system knows, such as Asia/Tokyo (the package `tzdata` brings them)")
    })
}

impl Window {
    /// The window of a document.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(crate) fn new(window: &document::Window) -> Result<Self, String> {
        let time = |text: &str| {
            Time::strptime("%H:%M", text)
                .map_err(|_| format!("`{text}` is not a time such as 09:00"))
        };
        Ok(Self {
            from: time(&window.from)?,
            to: time(&window.to)?,
            zone: zone(&window.zone)?,
        })
    }

    /// When it opens next: `now` where it is open.
    #[must_use]
    pub(crate) fn next_open(&self, now: Timestamp) -> Timestamp {
        let today = self.zone.to_datetime(now).date();
        // Yesterday's may still be open, over midnight; tomorrow's follows today's. A date may be
        // skipped altogether where a zone changes sides of the date line.
        let days = (-1..=3).filter_map(|days| today.checked_add(days.days()).ok());
        let spans = days.filter_map(|day| self.span(day));
        let still = spans.filter(|(_, end)| *end > now);
        let next = still.map(|(start, _)| start.max(now)).min();
        next.unwrap_or(now)
    }

    /// The instants of the window that opens on a day. An hour that is skipped counts as its end, one
    /// that comes twice as its first turn.
    fn span(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let end = if self.to > self.from {
            day
        } else {
            day.tomorrow().ok()?
        };
        let (start, end) = (self.instant(day, self.from)?, self.instant(end, self.to)?);
        (start < end).then_some((start, end))
    }

    fn instant(&self, day: Date, time: Time) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(day.to_datetime(time));
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => {
                let after = ambiguous.later().ok()?;
                let turn = self.zone.preceding(after).next()?;
                Some(turn.timestamp())
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                ambiguous.earlier().ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str, zone: &str) -> Window {
        Window::new(&document::Window {
            from: from.to_owned(),
            to: to.to_owned(),
            zone: zone.to_owned(),
        })
        .unwrap()
    }

    fn opens(window: &Window, now: &str) -> String {
        let now: Timestamp = now.parse().unwrap();
        window.next_open(now).to_string()
    }

    #[test]
    fn a_window_of_a_day_opens_in_its_zone() {
        let day = window("09:00", "21:00", "Asia/Tokyo");
        assert_eq!(opens(&day, "2026-11-27T23:59:59Z"), "2026-11-28T00:00:00Z");
        assert_eq!(opens(&day, "2026-11-28T11:59:59Z"), "2026-11-28T11:59:59Z");
        assert_eq!(opens(&day, "2026-11-28T12:00:00Z"), "2026-11-29T00:00:00Z");
    }

    #[test]
    fn a_window_over_midnight_stays_open() {
        let night = window("22:00", "06:00", "Europe/Berlin");
        assert_eq!(
            opens(&night, "2026-11-28T20:59:00Z"),
            "2026-11-28T21:00:00Z"
        );
        assert_eq!(
            opens(&night, "2026-11-28T23:30:00Z"),
            "2026-11-28T23:30:00Z"
        );
        assert_eq!(
            opens(&night, "2026-11-29T04:59:59Z"),
            "2026-11-29T04:59:59Z"
        );
        assert_eq!(
            opens(&night, "2026-11-29T05:00:00Z"),
            "2026-11-29T21:00:00Z"
        );
    }

    /// In Berlin 02:00 becomes 03:00 on 2026-03-29, at 01:00 UTC.
    #[test]
    fn an_hour_that_is_skipped_opens_and_closes_at_its_end() {
        let opening = window("02:30", "05:00", "Europe/Berlin");
        assert_eq!(
            opens(&opening, "2026-03-29T00:45:00Z"),
            "2026-03-29T01:00:00Z"
        );
        let closing = window("01:00", "02:30", "Europe/Berlin");
        assert_eq!(
            opens(&closing, "2026-03-29T00:59:59Z"),
            "2026-03-29T00:59:59Z"
        );
        assert_eq!(
            opens(&closing, "2026-03-29T01:00:00Z"),
            "2026-03-29T23:00:00Z"
        );
        let inside = window("02:10", "02:50", "Europe/Berlin");
        assert_eq!(
            opens(&inside, "2026-03-29T00:30:00Z"),
            "2026-03-30T00:10:00Z"
        );
    }

    /// In Berlin 03:00 becomes 02:00 on 2026-10-25, at 01:00 UTC: 02:30 comes twice.
    #[test]
    fn an_hour_that_comes_twice_opens_and_closes_the_first_time() {
        let opening = window("02:30", "05:00", "Europe/Berlin");
        assert_eq!(
            opens(&opening, "2026-10-25T00:00:00Z"),
            "2026-10-25T00:30:00Z"
        );
        assert_eq!(
            opens(&opening, "2026-10-25T01:10:00Z"),
            "2026-10-25T01:10:00Z"
        );
        let closing = window("01:00", "02:30", "Europe/Berlin");
        assert_eq!(
            opens(&closing, "2026-10-25T00:29:59Z"),
            "2026-10-25T00:29:59Z"
        );
        assert_eq!(
            opens(&closing, "2026-10-25T00:30:00Z"),
            "2026-10-26T00:00:00Z"
        );
    }

    #[test]
    fn a_zone_that_nobody_knows_is_told() {
        assert!(zone("Asia/Tokio").unwrap_err().contains("Asia/Tokio"));
    }
}
