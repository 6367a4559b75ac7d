//! Points in time, as microseconds since the Unix epoch, and their RFC 3339 text.

use serde::{Deserialize, Serialize};

/// A moment in UTC with microsecond resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A moment from microseconds since 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// RFC 3339 text in UTC with six fractional digits, for example `2026-01-02T03:04:05.000006Z`.
    /// A moment outside the years 0 to 9999 is clamped to that range.
    pub fn to_rfc3339(self) -> String {
        const YEAR_0: i64 = -62_167_219_200_000_000;
        const YEAR_9999_END: i64 = 253_402_300_799_999_999;
        let clamped = self.0.clamp(YEAR_0, YEAR_9999_END);
        chrono::DateTime::from_timestamp_micros(clamped)
            .map(|moment| moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
            .unwrap_or_default()
    }

    /// Parses RFC 3339 text with any offset; `None` when it is not RFC 3339.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|moment| Self(moment.timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn rfc3339_text_round_trips() {
        for micros in [0, 1, 1_767_323_045_000_006, -1] {
            let moment = Timestamp::from_micros(micros);
            assert_eq!(
                Timestamp::parse_rfc3339(&moment.to_rfc3339()),
                Some(moment),
                "{micros}"
            );
        }
    }
}
