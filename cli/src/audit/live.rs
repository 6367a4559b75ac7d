//! The audit of a running pipeline: everything is asked in one query, so that it is one consistent cut.

use std::collections::BTreeMap;

use anyhow::Context;
use gamepipe_domain::definition::{Game, system};
use gamepipe_lake::epoch::OffsetRange;
use gamepipe_lake::schema::column;
use serde_json::Value;

use super::{Check, Report};
use crate::client::Client;
use crate::results::{ResultSet, fetch, text_of};

/// The most rows that are taken: three months of an epoch a second, and the tables.
const MAX_ROWS: u64 = 8_000_000;

/// What the query told.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The epochs in order.
    epochs: Vec<EpochRow>,
    /// Rows by table.
    rows: BTreeMap<String, u64>,
    /// How many different offsets of each partition the tables have.
    offsets: BTreeMap<u32, u64>,
    /// Rows with the same place on the log: table, partition, offset, how often.
    doubled: Vec<String>,
}

#[derive(Debug)]
struct EpochRow {
    number: u64,
    records: u64,
    ranges: Vec<OffsetRange>,
    rows: BTreeMap<String, u64>,
}

/// Audits the pipeline behind an SQL endpoint.
pub(crate) async fn audit(sql: &Client, game: &Game) -> anyhow::Result<Report> {
    let schema = format!("{}_raw", game.schema_name());
    let columns = fetch::query(sql, &columns_query(&schema), MAX_ROWS)
        .await
        .context("failed to list the lake's tables")?;
    let tables = audited(&columns);
    let result = fetch::query(sql, &query(&schema, &tables), MAX_ROWS)
        .await
        .context("failed to read the lake")?;
    anyhow::ensure!(
        !result.truncated,
        "the lake has more epochs than a live audit takes; stop the pipeline and use --data"
    );
    Ok(judge(&facts(&result)?))
}

/// The tables whose rows come from the log, and the columns that say from where. Tables that the definition no longer
/// has are among them.
fn columns_query(schema: &str) -> String {
    format!(
        "select table_name, column_name from information_schema.columns \
         where table_schema = '{schema}' and column_name in ('{}', '{}')",
        column::OFFSET,
        column::ROW
    )
}

/// Table -> whether one event may make many of its rows, each with a number of its own.
fn audited(columns: &ResultSet) -> BTreeMap<String, bool> {
    let mut tables: BTreeMap<String, bool> = BTreeMap::new();
    for row in &columns.rows {
        if let [Value::String(table), Value::String(name)] = row.as_slice() {
            *tables.entry(table.clone()).or_default() |= name == column::ROW;
        }
    }
    tables
}

/// One query over all tables; columns: kind, name, a, b, text.
fn query(schema: &str, tables: &BTreeMap<String, bool>) -> String {
    let mut parts = vec![format!(
        "select 'epoch' as kind, rows as name, epoch as a, records as b, ranges as text from {schema}.\"{}\"",
        system::EPOCHS
    )];
    for (name, many) in tables {
        parts.push(format!(
            "select 'table', '{name}', count(*), 0, '' from {schema}.\"{name}\""
        ));
        let place = match many {
            true => "\"_partition\", \"_offset\", \"_row\"",
            false => "\"_partition\", \"_offset\"",
        };
        parts.push(format!(
            "select 'doubled', '{name}', \"_offset\", count(*), cast(\"_partition\" as varchar) from {schema}.\"{name}\" \
             group by {place} having count(*) > 1"
        ));
    }
    let places: Vec<String> = tables
        .keys()
        .map(|name| format!("select \"_partition\", \"_offset\" from {schema}.\"{name}\""))
        .collect();
    parts.push(format!(
        "select 'partition', '', cast(\"_partition\" as bigint), count(distinct \"_offset\"), '' from ({}) as places group by \"_partition\"",
        places.join(" union all ")
    ));
    parts.join(" union all ")
}

fn facts(result: &ResultSet) -> anyhow::Result<Facts> {
    let mut facts = Facts::default();
    for row in &result.rows {
        let [kind, name, a, b, text] = row.as_slice() else {
            anyhow::bail!("the SQL endpoint sent something unexpected");
        };
        let number = |value: &Value| value.as_u64().context("a number is missing in the answer");
        let name = text_of(name).unwrap_or_default();
        let text = text_of(text).unwrap_or_default();
        match kind.as_str() {
            Some("epoch") => facts.epochs.push(EpochRow {
                number: number(a)?,
                records: number(b)?,
                ranges: serde_json::from_str(&text)
                    .context("the ranges of an epoch can't be read")?,
                rows: serde_json::from_str(&name).context("the rows of an epoch can't be read")?,
            }),
            Some("table") => {
                facts.rows.insert(name, number(a)?);
            }
            Some("partition") => {
                facts.offsets.insert(u32::try_from(number(a)?)?, number(b)?);
            }
            _ => facts.doubled.push(format!(
                "{name}: partition {text}, offset {}: {} rows",
                number(a)?,
                number(b)?
            )),
        }
    }
    facts.epochs.sort_by_key(|epoch| epoch.number);
    facts.doubled.sort();
    Ok(facts)
}

fn judge(facts: &Facts) -> Report {
    let landed: u64 = facts.epochs.iter().map(|epoch| epoch.records).sum();
    let rows: u64 = facts.rows.values().sum();
    Report {
        checks: vec![
            Check {
                what: "epochs follow one another without gap or overlap".to_owned(),
                extent: format!("{} epochs", facts.epochs.len()),
                offending: broken_chain(&facts.epochs),
            },
            Check {
                what: "every landed record of the log is in a table".to_owned(),
                extent: format!("{landed} records"),
                offending: gaps(facts),
            },
            Check {
                what: "no record is in a table twice".to_owned(),
                extent: format!("{} tables", facts.rows.len()),
                offending: facts.doubled.clone(),
            },
            Check {
                what: "tables have as many rows as their epochs say".to_owned(),
                extent: format!("{rows} rows"),
                offending: wrong_sums(facts),
            },
        ],
    }
}

/// Numbers go up by one from 1, each partition's slice begins where the one before ended, and the slices add up.
fn broken_chain(epochs: &[EpochRow]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut ends: BTreeMap<u32, u64> = BTreeMap::new();
    for (expected, epoch) in (1..).zip(epochs) {
        if epoch.number != expected {
            findings.push(format!(
                "epoch {} stands where {expected} was expected",
                epoch.number
            ));
            break;
        }
        let mut taken = 0;
        for range in &epoch.ranges {
            // A partition that is new may begin anywhere: retention may have taken its start.
            let end = ends.insert(range.partition, range.to).unwrap_or(range.from);
            if range.from != end || range.to < range.from {
                findings.push(format!(
                    "epoch {expected}: partition {} goes on at {} after {end}",
                    range.partition, range.from
                ));
            }
            taken += range.records();
        }
        if taken != epoch.records {
            findings.push(format!(
                "epoch {expected}: {} records, but its ranges hold {taken}",
                epoch.records
            ));
        }
    }
    findings
}

fn gaps(facts: &Facts) -> Vec<String> {
    let mut landed: BTreeMap<u32, u64> = BTreeMap::new();
    for range in facts.epochs.iter().flat_map(|epoch| &epoch.ranges) {
        *landed.entry(range.partition).or_default() += range.records();
    }
    let wrong = |(partition, landed): (&u32, &u64)| {
        let found = facts.offsets.get(partition).copied().unwrap_or(0);
        (found != *landed).then(|| {
            format!("partition {partition}: {landed} records landed, {found} are in the tables")
        })
    };
    let stray = |(partition, found): (&u32, &u64)| {
        (!landed.contains_key(partition))
            .then(|| format!("partition {partition}: {found} records that no epoch landed"))
    };
    landed
        .iter()
        .filter_map(wrong)
        .chain(facts.offsets.iter().filter_map(stray))
        .collect()
}

fn wrong_sums(facts: &Facts) -> Vec<String> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (table, rows) in facts.epochs.iter().flat_map(|epoch| &epoch.rows) {
        *sums.entry(table).or_default() += rows;
    }
    let wrong = |(table, rows): (&String, &u64)| {
        let said = sums.get(table.as_str()).copied().unwrap_or(0);
        (said != *rows).then(|| format!("{table}: {rows} rows, the epochs say {said}"))
    };
    facts.rows.iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{facts, judge};
    use crate::report::model::tests::result;

    fn findings(change: impl Fn(&mut Vec<Value>)) -> Vec<usize> {
        let ranges =
            |from: u64, to: u64| json!([{"partition": 0, "from": from, "to": to}]).to_string();
        let mut rows = vec![
            json!(["epoch", "{\"fights\": 2}", 1, 2, ranges(0, 2)]),
            json!([
                "epoch",
                "{\"fights\": 1, \"bad_events\": 1}",
                2,
                2,
                ranges(2, 4)
            ]),
            json!(["epoch", "{}", 3, 0, ranges(4, 4)]),
            json!(["table", "fights", 3, 0, ""]),
            json!(["table", "bad_events", 1, 0, ""]),
            json!(["partition", "", 0, 4, ""]),
        ];
        change(&mut rows);
        let columns = [
            ("kind", "varchar"),
            ("name", "varchar"),
            ("a", "bigint"),
            ("b", "bigint"),
            ("text", "varchar"),
        ];
        let report = judge(&facts(&result(&columns, json!(rows))).expect("well-formed facts"));
        report
            .checks
            .iter()
            .map(|check| check.offending.len())
            .collect()
    }

    #[test]
    fn a_sound_lake_has_no_findings() {
        assert_eq!(findings(|_| {}), [0, 0, 0, 0]);
    }

    #[test]
    fn a_gap_between_epochs_is_found() {
        assert_eq!(
            findings(|rows| rows[1][4] = json!("[{\"partition\": 0, \"from\": 3, \"to\": 5}]"))[0],
            2
        );
        assert_eq!(findings(|rows| drop(rows.remove(1)))[0], 1);
    }

    #[test]
    fn offsets_that_hold_no_record_are_no_gap_and_no_more_than_those() {
        let holes = |count: u64, found: u64| {
            findings(|rows| {
                let range = json!({"partition": 0, "from": 2, "to": 5, "holes": count});
                (rows[1][3], rows[1][4]) = (json!(2), json!(json!([range]).to_string()));
                rows[2][4] = json!("[{\"partition\": 0, \"from\": 5, \"to\": 5}]");
                rows[5][3] = json!(found);
            })
        };
        assert_eq!(holes(1, 4), [0, 0, 0, 0]);
        assert_eq!(holes(1, 3), [0, 1, 0, 0]);
        assert_eq!(holes(0, 4), [1, 1, 0, 0]);
    }

    #[test]
    fn a_lost_record_is_found() {
        assert_eq!(findings(|rows| rows[5][3] = json!(3)), [0, 1, 0, 0]);
        assert_eq!(findings(|rows| drop(rows.pop())), [0, 1, 0, 0]);
    }

    #[test]
    fn a_doubled_row_is_found_twice_over() {
        let doubled = |rows: &mut Vec<Value>| {
            rows[3][2] = json!(4);
            rows.push(json!(["doubled", "fights", 1, 2, "0"]));
        };
        assert_eq!(findings(doubled), [0, 0, 1, 1]);
    }
}
