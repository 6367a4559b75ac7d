//! The audit of a stopped pipeline, from its files alone: the lake's own, and how far the log goes beyond it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use gamepipe_config::lake::LakeConfig;
use gamepipe_domain::definition::Game;
use gamepipe_lake::Lake;
use gamepipe_lake::audit::{Audit, TableAudit};
use gamepipe_service::clock::SystemClock;

use super::{Check, Report};

/// Audits the lake below a data directory that this process holds.
pub(crate) async fn audit(data: &Path, game: Arc<Game>) -> anyhow::Result<Report> {
    let config = LakeConfig {
        path: data.join("lake").display().to_string(),
        ..LakeConfig::default()
    };
    let lake = Lake::open(&config, game, Arc::new(SystemClock))?;
    let audit = gamepipe_lake::audit::audit(&lake)
        .await
        .context("failed to read the lake")?;
    Ok(report(&audit))
}

fn report(audit: &Audit) -> Report {
    let per_table = |told: fn(&TableAudit) -> Option<String>| {
        audit.tables.iter().filter_map(told).collect::<Vec<_>>()
    };
    let gaps = audit.gaps.iter().map(|gap| {
        format!(
            "partition {}: offsets {} to {} are in no table",
            gap.partition,
            gap.from,
            gap.to - 1
        )
    });
    Report {
        checks: vec![
            Check {
                what: "epochs follow one another without gap or overlap".to_owned(),
                extent: match audit.under_way {
                    Some(next) => format!("{} epochs; {next} is under way", audit.epochs),
                    None => format!("{} epochs", audit.epochs),
                },
                offending: audit.broken_epochs.clone(),
            },
            Check {
                what: "every landed record of the log is in a table".to_owned(),
                extent: format!("{} records", audit.records),
                offending: gaps.collect(),
            },
            Check {
                what: "no record is in a table twice".to_owned(),
                extent: format!("{} tables", audit.tables.len()),
                offending: duplicates(audit),
            },
            Check {
                what: "tables have as many rows as their epochs say".to_owned(),
                extent: format!("{} rows", audit.rows()),
                offending: per_table(|table| {
                    let differs = table.rows != table.rows_by_epochs;
                    differs.then(|| {
                        format!(
                            "{}: {} rows, the epochs say {}",
                            table.table, table.rows, table.rows_by_epochs
                        )
                    })
                }),
            },
            Check {
                what: "every row comes from a landed record".to_owned(),
                extent: format!("{} rows", audit.rows()),
                offending: per_table(|table| {
                    (table.unexplained > 0)
                        .then(|| format!("{}: {} rows", table.table, table.unexplained))
                }),
            },
        ],
    }
}

fn duplicates(audit: &Audit) -> Vec<String> {
    let mut findings = Vec::new();
    for table in &audit.tables {
        let name = &table.table;
        for place in &table.duplicate_rows {
            findings.push(format!(
                "{name}: partition {}, offset {}, row {}",
                place.partition, place.offset, place.row
            ));
        }
        let named = u64::try_from(table.duplicate_rows.len()).unwrap_or(u64::MAX);
        if table.duplicates > named {
            findings.push(format!("{name}: {} more", table.duplicates - named));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use gamepipe_lake::audit::{Audit, RowPlace, TableAudit};
    use gamepipe_lake::epoch::OffsetRange;

    use super::report;

    fn audit() -> Audit {
        let table = TableAudit {
            table: "fights".to_owned(),
            version: 3,
            rows: 4,
            rows_by_epochs: 4,
            duplicates: 0,
            duplicate_rows: Vec::new(),
            unexplained: 0,
        };
        let (broken_epochs, gaps) = (Vec::new(), Vec::new());
        Audit {
            epoch: 2,
            under_way: None,
            epochs: 2,
            records: 4,
            landed: vec![4],
            broken_epochs,
            gaps,
            tables: vec![table],
        }
    }

    #[test]
    fn a_sound_lake_has_no_findings() {
        assert!(report(&audit()).is_clean());
    }

    #[test]
    fn whatever_the_lake_finds_unclean_is_told() {
        let changes: [fn(&mut Audit); 5] = [
            |audit| audit.broken_epochs.push("epoch 2 is missing".to_owned()),
            |audit| audit.gaps.push(OffsetRange::new(0, 1, 3)),
            |audit| {
                audit.tables[0].duplicates = 5;
                audit.tables[0].duplicate_rows.push(RowPlace {
                    partition: 0,
                    offset: 1,
                    row: 0,
                });
            },
            |audit| audit.tables[0].rows = 5,
            |audit| audit.tables[0].unexplained = 1,
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut audit = audit();
            change(&mut audit);
            let report = report(&audit);
            assert!(!report.is_clean(), "finding {index} was not told");
        }
    }
}
