//! Amounts of CPU, memory and disk as Kubernetes writes them: `250m`, `1.5`, `512Mi`, `20Gi`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// What an amount of CPU or memory looks like. Exponents (`1e3`) are Kubernetes' too, but nobody means them.
const PATTERN: &str = "^[0-9]{1,12}(\\.[0-9]{1,6})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$";

/// An amount of CPU or memory: text, or a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Amount(String);

impl Amount {
    /// The amount as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The amount in its base unit (bytes, or cores), rounded down; `None` for what is no amount or none that fits.
    pub fn whole(&self) -> Option<u64> {
        parse(&self.0)
    }
}

impl From<&str> for Amount {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    /// `cpu: 2` is a number to YAML and an amount to everybody else.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Whole(u64),
            Fraction(f64),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Whole(number) => number.to_string(),
            Written::Fraction(number) => number.to_string(),
        }))
    }
}

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": PATTERN,
            "maxLength": 24,
        })
    }
}

/// The whole number of base units (bytes, cores) in a Kubernetes quantity without exponent, rounded down.
pub fn parse(text: &str) -> Option<u64> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return None;
    }
    // In thousandths, so that `m` and fractions stay exact.
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let thousandths: u128 = format!("{whole}{:0<3}", fraction.get(..3).unwrap_or(fraction))
        .parse()
        .ok()?;
    let scale: u128 = match unit {
        "m" => return u64::try_from(thousandths / 1_000_000).ok(),
        "" => 1,
        "k" => 1000,
        "M" => 1000_u128.pow(2),
        "G" => 1000_u128.pow(3),
        "T" => 1000_u128.pow(4),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    u64::try_from(thousandths.checked_mul(scale)? / 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::{Amount, parse};

    #[test]
    fn amounts_are_read_in_every_unit() {
        let cases = [
            ("1", 1),
            ("1.5", 1),
            ("1500m", 1),
            ("2k", 2000),
            ("512Mi", 512 << 20),
            ("1.5Gi", 3 << 29),
            ("3G", 3_000_000_000),
            ("2Ti", 2 << 40),
        ];
        for (text, wanted) in cases {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        for text in ["", "Gi", "1Zi", "x", "1.2.3Gi", "-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_an_amount_too() {
        let amounts: Vec<Amount> = serde_json::from_str(r#"[2, 0.5, "250m"]"#).unwrap();
        let texts: Vec<&str> = amounts.iter().map(Amount::as_str).collect();
        assert_eq!(texts, ["2", "0.5", "250m"]);
    }
}
