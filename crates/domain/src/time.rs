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
        // Digits and signs of ASCII: always text.
        String::from_utf8_lossy(&self.rfc3339_bytes()).into_owned()
    }

    /// The same text as bytes, without an allocation: it stands in every event.
    pub fn rfc3339_bytes(self) -> [u8; 27] {
        const YEAR_0: i64 = -62_167_219_200_000_000;
        const YEAR_9999_END: i64 = 253_402_300_799_999_999;
        let micros = self.0.clamp(YEAR_0, YEAR_9999_END);
        let seconds = micros.div_euclid(1_000_000);
        let (year, month, day) = civil_date(seconds.div_euclid(SECONDS_PER_DAY));
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put_digits(&mut text[0..4], year);
        put_digits(&mut text[5..7], month);
        put_digits(&mut text[8..10], day);
        put_digits(&mut text[11..13], second_of_day / 3600);
        put_digits(&mut text[14..16], second_of_day / 60 % 60);
        put_digits(&mut text[17..19], second_of_day % 60);
        put_digits(&mut text[20..26], micros.rem_euclid(1_000_000));
        text
    }

    /// Parses RFC 3339 text with any offset; `None` when it is not RFC 3339.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        // The usual form takes a tenth of the time of the general parser, which knows the rest.
        parse_usual_form(text.as_bytes()).or_else(|| {
            chrono::DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|moment| Self(moment.timestamp_micros()))
        })
    }
}

const SECONDS_PER_DAY: i64 = 86_400;

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
/// Counts in eras of 400 years that begin on a 1st of March, so that leap days come last.
fn civil_date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_date`].
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Writes the last digits of `number` into all of `place`.
fn put_digits(place: &mut [u8], number: i64) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

/// `2026-01-02T03:04:05Z` with up to nine fractional digits; `None` for any other form, right or wrong.
fn parse_usual_form(text: &[u8]) -> Option<Timestamp> {
    let (moment, rest) = text.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators
        .iter()
        .any(|(at, separator)| moment.get(*at) != Some(separator))
    {
        return None;
    }
    let number = |from: usize, to: usize| digits(moment.get(from..to)?);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let days = days_since_epoch(year, month, day);
    // A date that does not exist (30 February) is another one's number of days.
    if hour > 23
        || minute > 59
        || second > 59
        || !(1..=12).contains(&month)
        || civil_date(days) != (year, month, day)
    {
        return None;
    }
    let micros = match rest {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            let scale = 10_i64.pow(u32::try_from(9 - fraction.len()).ok()?);
            digits(fraction)? * scale / 1000
        }
        _ => return None,
    };
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * 1_000_000 + micros))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Timestamp, parse_usual_form};

    const YEAR_0: i64 = -62_167_219_200_000_000;
    const YEAR_9999_END: i64 = 253_402_300_799_999_999;

    proptest! {
        #[test]
        fn text_and_parser_agree_with_chrono(micros in YEAR_0..=YEAR_9999_END) {
            let moment = Timestamp::from_micros(micros);
            let text = moment.to_rfc3339();
            let reference = chrono::DateTime::from_timestamp_micros(micros).expect("in range");
            prop_assert_eq!(&text, &reference.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
            prop_assert_eq!(parse_usual_form(text.as_bytes()), Some(moment));
        }

        #[test]
        fn usual_forms_mean_what_chrono_says(
            text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?(Z|[+-][01][0-9]:[0-5][0-9])",
        ) {
            let reference = chrono::DateTime::parse_from_rfc3339(&text).ok().map(|found| found.timestamp_micros());
            if let Some(found) = parse_usual_form(text.as_bytes()) {
                prop_assert_eq!(Some(found.micros()), reference);
            }
            prop_assert_eq!(Timestamp::parse_rfc3339(&text).map(Timestamp::micros), reference);
        }
    }

    #[test]
    fn moments_beyond_four_digits_of_year_are_clamped() {
        assert_eq!(
            Timestamp::from_micros(i64::MAX).to_rfc3339(),
            "9999-12-31T23:59:59.999999Z"
        );
        assert_eq!(
            Timestamp::from_micros(i64::MIN).to_rfc3339(),
            "0000-01-01T00:00:00.000000Z"
        );
    }

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
