//! Audits: is everything that the log says it landed in the tables, once?
//!
//! [`live`] asks a running pipeline over SQL, in one query and so on one cut. A stopped one is read by the lake's own
//! audit. Both give a [`Report`].

pub(crate) mod live;

pub(crate) mod stopped;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::results::{ResultSet, table};
use crate::terminal::Paint;

/// What an audit found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What was checked, in order.
    pub(crate) checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Debug)]
pub(crate) struct Check {
    /// What must hold.
    pub(crate) what: String,
    /// Over how much it was checked, such as `12 epochs`.
    pub(crate) extent: String,
    /// What contradicts it; empty when it holds.
    pub(crate) offending: Vec<String>,
}

impl Report {
    /// True when everything holds.
    pub(crate) fn is_clean(&self) -> bool {
        self.checks.iter().all(|check| check.offending.is_empty())
    }

    /// A table of the checks, then what offends.
    pub(crate) fn render(&self, paint: Paint, width: Option<u16>) -> String {
        let row = |check: &Check| {
            let verdict = match check.offending.len() {
                0 => "ok".to_owned(),
                1 => "1 finding".to_owned(),
                count => format!("{count} findings"),
            };
            json!([check.what, check.extent, verdict])
        };
        let rows: Vec<Value> = self.checks.iter().map(row).collect();
        let columns =
            ["check", "over", "result"].map(|name| json!({"name": name, "type": "varchar"}));
        let result: ResultSet =
            serde_json::from_value(json!({ "columns": columns, "rows": rows })).unwrap_or_default();
        let mut text = table::draw(&result, width);
        for check in self
            .checks
            .iter()
            .filter(|check| !check.offending.is_empty())
        {
            let _ = write!(text, "\n{}", paint.bad(&format!("not so: {}", check.what)));
            for line in check.offending.iter().take(MAX_SHOWN) {
                let _ = write!(text, "\n  {line}");
            }
            let more = check.offending.len().saturating_sub(MAX_SHOWN);
            if more > 0 {
                let _ = write!(text, "\n  and {more} more");
            }
        }
        text
    }
}

/// As many findings of one check as are shown: enough to see what they have in common.
pub(crate) const MAX_SHOWN: usize = 20;
