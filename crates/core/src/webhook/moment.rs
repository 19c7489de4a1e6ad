//! Points in time as LINE's webhooks write them, milliseconds since 1970, and as our documents do:
//! RFC 3339 in UTC with milliseconds. It reads no clock.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// A point in time, milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The last millisecond of the last four-digit year, which is all that RFC 3339 can write.
    const END: i64 = 253_402_300_799_999;

    /// The beginning of 1970.
    pub const START: Self = Self(0);

    /// A moment between 1970 and the end of the year 9999.
    #[must_use]
    pub fn from_millis(millis: i64) -> Option<Self> {
        (0..=Self::END).contains(&millis).then_some(Self(millis))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The moment some milliseconds later, at most the end of the year 9999.
    #[must_use]
    pub fn later(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis).clamp(0, Self::END))
    }

    /// `2024-01-22T02:44:27.176Z`, in place.
    fn written(self) -> Option<[u8; 24]> {
        let at = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).ok()?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let year = u32::try_from(at.year()).ok()?;
        let millis = u32::try_from(self.0.rem_euclid(1000)).ok()?;
        for (place, digits, value) in [
            (0, 4, year),
            (5, 2, u32::from(u8::from(at.month()))),
            (8, 2, u32::from(at.day())),
            (11, 2, u32::from(at.hour())),
            (14, 2, u32::from(at.minute())),
            (17, 2, u32::from(at.second())),
            (20, 3, millis),
        ] {
            write_digits(&mut text[place..place + digits], value);
        }
        Some(text)
    }
}

fn write_digits(place: &mut [u8], mut value: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.written().unwrap_or(*b"1970-01-01T00:00:00.000Z");
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_705_891_467_176, "2024-01-22T02:44:27.176Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (Moment::END, "9999-12-31T23:59:59.999Z"),
        ] {
            let moment = Moment::from_millis(millis).unwrap();
            assert_eq!(serde_json::to_value(moment).unwrap(), text);
        }
        assert_eq!(Moment::from_millis(-1), None);
        assert_eq!(Moment::from_millis(Moment::END + 1), None);
    }
}
