//! RFC 3339 moments, fast for the form that gamepipe itself writes.

use gamepipe_domain::time::Timestamp;

const DAY_MICROS: i64 = 86_400_000_000;

/// Microseconds since the Unix epoch of an RFC 3339 text; digits beyond microseconds are dropped. `None` when it is none.
pub(crate) fn parse_micros(text: &str) -> Option<i64> {
    fast_utc(text.as_bytes()).or_else(|| Timestamp::parse_rfc3339(text).map(Timestamp::micros))
}

/// The day of a moment, counted from 1970-01-01.
pub(crate) fn day_of(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(DAY_MICROS)).unwrap_or(0)
}

/// The day under which an event is filed: its own, unless its clock is off: more than 30 days before or a day after its
/// arrival. One client with a wrong clock can't make ten thousand partitions.
pub(crate) fn filing_day(event_micros: i64, arrival_micros: i64) -> i32 {
    let earliest = arrival_micros.saturating_sub(30 * DAY_MICROS);
    let latest = arrival_micros.saturating_add(DAY_MICROS);
    if (earliest..=latest).contains(&event_micros) {
        day_of(event_micros)
    } else {
        day_of(arrival_micros)
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.f{1,6}]Z` from 1970 on; `None` for every other form, valid or not.
fn fast_utc(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let digit = |at: usize| -> Option<i64> {
        let value = head.get(at)?.wrapping_sub(b'0');
        (value < 10).then_some(i64::from(value))
    };
    let two = |at: usize| Some(digit(at)? * 10 + digit(at + 1)?);
    if [head[4], head[7], head[10], head[13], head[16]] != *b"--T::" {
        return None;
    }
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = match tail {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=6).contains(&digits.len()) => {
            let mut micros = 0;
            for place in 0..6 {
                let value = digits.get(place).map_or(0, |byte| byte.wrapping_sub(b'0'));
                if value > 9 {
                    return None;
                }
                micros = micros * 10 + i64::from(value);
            }
            micros
        }
        _ => return None,
    };
    let days = days_since_1970(year, month, day)?;
    Some(((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` when there is no such date.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years are counted from March, so that the leap day is a year's last: months then follow a pattern of 153 days in five.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use gamepipe_domain::time::Timestamp;
    use proptest::prelude::*;

    use super::{DAY_MICROS, day_of, fast_utc, filing_day, parse_micros};

    proptest! {
        #[test]
        fn written_moments_read_back(micros in -62_167_219_200_000_000_i64..253_402_300_799_999_999) {
            let text = Timestamp::from_micros(micros).to_rfc3339();
            prop_assert_eq!(parse_micros(&text), Some(micros));
            if micros >= 0 {
                prop_assert_eq!(fast_utc(text.as_bytes()), Some(micros));
            }
        }

        #[test]
        fn quick_reading_agrees_with_the_full_one(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{1,7})?(Z|\\+02:00)") {
            if let Some(quick) = fast_utc(text.as_bytes()) {
                prop_assert_eq!(Timestamp::parse_rfc3339(&text).map(Timestamp::micros), Some(quick));
            }
        }
    }

    #[test]
    fn days_that_no_month_has_are_refused() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "1732200000",
            "",
        ] {
            assert_eq!(parse_micros(text), None, "{text}");
        }
        assert!(parse_micros("2024-02-29T00:00:00Z").is_some());
    }

    #[test]
    fn clocks_that_are_far_off_are_filed_by_arrival() {
        let arrival = 20_000 * DAY_MICROS + 5;
        assert_eq!(filing_day(arrival - 29 * DAY_MICROS, arrival), 19_971);
        assert_eq!(filing_day(arrival - 31 * DAY_MICROS, arrival), 20_000);
        assert_eq!(filing_day(arrival + 2 * DAY_MICROS, arrival), 20_000);
        assert_eq!(filing_day(i64::MIN, arrival), 20_000);
        assert_eq!(day_of(-1), -1);
    }
}
