//! Dates, times, timestamps and intervals as Trino writes them.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMillisecondType, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, TimeUnit,
};
use arrow::error::ArrowError;
use arrow::temporal_conversions::date32_to_datetime;
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, Timelike};

use super::super::types::digits;
use super::{per_second, write_padded};

/// Writes values that are points or spans of time.
pub(crate) enum Moments {
    /// Units since midnight.
    Time {
        values: PrimitiveArray<Int64Type>,
        unit: TimeUnit,
        digits: u32,
    },
    /// Units since the epoch, with the zone that is shown behind.
    Timestamp {
        values: PrimitiveArray<Int64Type>,
        unit: TimeUnit,
        digits: u32,
        zone: Option<Zone>,
    },
    /// Milliseconds.
    Span(PrimitiveArray<DurationMillisecondType>),
    DayTime(PrimitiveArray<IntervalDayTimeType>),
    MonthDayNano(PrimitiveArray<IntervalMonthDayNanoType>),
    YearMonth(PrimitiveArray<IntervalYearMonthType>),
}

/// A time zone and its name.
pub(crate) struct Zone {
    zone: arrow::array::timezone::Tz,
    name: String,
}

impl Moments {
    pub(super) fn new(array: &ArrayRef, most_digits: Option<u32>) -> Result<Self, ArrowError> {
        let shown = |unit: &TimeUnit| digits(unit).min(most_digits.unwrap_or(9));
        Ok(match array.data_type() {
            DataType::Time32(unit) => {
                let values = cast(&cast(array, &DataType::Int32)?, &DataType::Int64)?
                    .as_primitive()
                    .clone();
                Self::Time {
                    values,
                    unit: *unit,
                    digits: shown(unit),
                }
            }
            DataType::Time64(unit) => {
                let values = cast(array, &DataType::Int64)?.as_primitive().clone();
                Self::Time {
                    values,
                    unit: *unit,
                    digits: shown(unit),
                }
            }
            DataType::Timestamp(unit, zone) => {
                let values = cast(array, &DataType::Int64)?.as_primitive().clone();
                let zone = zone.as_deref().map(Zone::parse).transpose()?;
                Self::Timestamp {
                    values,
                    unit: *unit,
                    digits: shown(unit),
                    zone,
                }
            }
            DataType::Interval(IntervalUnit::DayTime) => {
                Self::DayTime(array.as_primitive().clone())
            }
            DataType::Interval(IntervalUnit::YearMonth) => {
                Self::YearMonth(array.as_primitive().clone())
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                Self::MonthDayNano(array.as_primitive().clone())
            }
            _ => Self::Span(
                cast(array, &DataType::Duration(TimeUnit::Millisecond))?
                    .as_primitive()
                    .clone(),
            ),
        })
    }

    pub(super) fn is_null(&self, index: usize) -> bool {
        match self {
            Self::Time { values, .. } | Self::Timestamp { values, .. } => values.is_null(index),
            Self::Span(values) => values.is_null(index),
            Self::DayTime(values) => values.is_null(index),
            Self::MonthDayNano(values) => values.is_null(index),
            Self::YearMonth(values) => values.is_null(index),
        }
    }

    pub(super) fn write(&self, index: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        match self {
            Self::Time {
                values,
                unit,
                digits,
            } => {
                let per = per_second(unit);
                let value = values.value(index);
                write_clock(
                    value.div_euclid(per),
                    value.rem_euclid(per),
                    per,
                    *digits,
                    out,
                );
            }
            Self::Timestamp {
                values,
                unit,
                digits,
                zone,
            } => {
                write_timestamp(values.value(index), unit, *digits, zone.as_ref(), out);
            }
            Self::Span(values) => write_day_to_second(values.value(index), out),
            Self::DayTime(values) => {
                let value = values.value(index);
                write_day_to_second(
                    i64::from(value.days) * DAY_MILLIS + i64::from(value.milliseconds),
                    out,
                );
            }
            Self::MonthDayNano(values) => {
                let value = values.value(index);
                // Trino has no interval of months and days in one; thirty days is what its own conversions use.
                let days = i64::from(value.months) * 30 + i64::from(value.days);
                write_day_to_second(days * DAY_MILLIS + value.nanoseconds / 1_000_000, out);
            }
            Self::YearMonth(values) => {
                let months = values.value(index);
                if months < 0 {
                    out.push(b'-');
                }
                write_padded(u64::from(months.unsigned_abs() / 12), 1, out);
                out.push(b'-');
                write_padded(u64::from(months.unsigned_abs() % 12), 1, out);
            }
        }
        out.push(b'"');
    }
}

impl Zone {
    fn parse(name: &str) -> Result<Self, ArrowError> {
        let shown = if name == "+00:00" || name == "Z" {
            "UTC"
        } else {
            name
        };
        Ok(Self {
            zone: name.parse()?,
            name: shown.to_owned(),
        })
    }
}

const DAY_MILLIS: i64 = 86_400_000;

/// Writes a date as `2026-01-31`, without quotes around a part of a longer text.
pub(super) fn write_date(days: i32, out: &mut Vec<u8>) {
    out.push(b'"');
    if let Some(date) = date32_to_datetime(days) {
        write_day(&date, out);
    }
    out.push(b'"');
}

fn write_day(moment: &NaiveDateTime, out: &mut Vec<u8>) {
    if moment.year() < 0 {
        out.push(b'-');
    }
    write_padded(u64::from(moment.year().unsigned_abs()), 4, out);
    out.push(b'-');
    write_padded(u64::from(moment.month()), 2, out);
    out.push(b'-');
    write_padded(u64::from(moment.day()), 2, out);
}

fn write_timestamp(
    value: i64,
    unit: &TimeUnit,
    digits: u32,
    zone: Option<&Zone>,
    out: &mut Vec<u8>,
) {
    let per = per_second(unit);
    let (seconds, fraction) = (value.div_euclid(per), value.rem_euclid(per));
    let Some(utc) = DateTime::from_timestamp(seconds, 0) else {
        return;
    };
    let local = match zone {
        Some(zone) => {
            let offset =
                chrono::TimeZone::offset_from_utc_datetime(&zone.zone, &utc.naive_utc()).fix();
            utc.with_timezone(&offset).naive_local()
        }
        None => utc.naive_utc(),
    };
    write_day(&local, out);
    out.push(b' ');
    write_clock(
        i64::from(local.num_seconds_from_midnight()),
        fraction,
        per,
        digits,
        out,
    );
    if let Some(zone) = zone {
        out.push(b' ');
        out.extend_from_slice(zone.name.as_bytes());
    }
}

/// Writes `12:34:56.789` from seconds since midnight and a fraction in `1 / per` seconds.
fn write_clock(seconds: i64, fraction: i64, per: i64, digits: u32, out: &mut Vec<u8>) {
    let seconds = seconds.unsigned_abs();
    for (place, part) in [seconds / 3600, seconds / 60 % 60, seconds % 60]
        .into_iter()
        .enumerate()
    {
        if place > 0 {
            out.push(b':');
        }
        write_padded(part, 2, out);
    }
    if digits > 0 {
        out.push(b'.');
        let shown = i128::from(fraction) * 10_i128.pow(digits) / i128::from(per);
        write_padded(u64::try_from(shown).unwrap_or(0), digits as usize, out);
    }
}

/// `2 03:04:05.678`, with a minus in front when it goes backwards.
fn write_day_to_second(millis: i64, out: &mut Vec<u8>) {
    if millis < 0 {
        out.push(b'-');
    }
    let size = i64::try_from(millis.unsigned_abs()).unwrap_or(i64::MAX);
    write_padded((size / DAY_MILLIS).unsigned_abs(), 1, out);
    out.push(b' ');
    write_clock(size % DAY_MILLIS / 1000, size % 1000, 1000, 3, out);
}
