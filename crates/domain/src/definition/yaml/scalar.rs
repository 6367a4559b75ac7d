//! What a plain (unquoted) scalar is, by the core schema of YAML 1.2.

use super::NodeValue;

/// The value of a plain scalar, or why it is refused.
pub(super) fn resolve(text: &str) -> Result<NodeValue, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeValue::Null),
        "true" | "True" | "TRUE" => return Ok(NodeValue::Boolean(true)),
        "false" | "False" | "FALSE" => return Ok(NodeValue::Boolean(false)),
        _ => {}
    }
    if let Some(digits) = text
        .strip_prefix("0x")
        .filter(|digits| is_of(digits, |d| d.is_ascii_hexdigit()))
    {
        return integer(text, i64::from_str_radix(digits, 16));
    }
    if let Some(digits) = text
        .strip_prefix("0o")
        .filter(|digits| is_of(digits, |d| (b'0'..=b'7').contains(&d)))
    {
        return integer(text, i64::from_str_radix(digits, 8));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if is_of(unsigned, |digit| digit.is_ascii_digit()) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return Err(format!(
                "{text} begins with 0, which some readers take for octal: drop the zeros, or put it in quotes if it is text"
            ));
        }
        return integer(text, text.strip_prefix('+').unwrap_or(text).parse());
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(format!(
            "{text} is not a number that JSON has: give a finite one"
        ));
    }
    if is_float(unsigned) {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(NodeValue::Number(value)),
            _ => Err(format!("{text} is out of the range of 64-bit floats")),
        };
    }
    Ok(NodeValue::Text(text.to_owned()))
}

fn integer(text: &str, parsed: Result<i64, std::num::ParseIntError>) -> Result<NodeValue, String> {
    parsed.map(NodeValue::Integer).map_err(|_| {
        format!(
            "{text} is out of the range of 64-bit integers ({} to {})",
            i64::MIN,
            i64::MAX
        )
    })
}

fn is_of(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

/// `( \.[0-9]+ | [0-9]+ ( \.[0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            is_digits(whole) && is_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && is_digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|digits| !digits.is_empty() && is_digits(digits))
}
