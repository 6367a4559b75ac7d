//! Is every acknowledged event in its tables, exactly once?

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use gamepipe_domain::definition::{Game, system};
use gamepipe_domain::event::ACTION_REJECTED;
use gamepipe_domain::time::Timestamp;

use super::event_id::{format_uuid, parse_uuid};
use crate::client::{Client, each_line};
use crate::results::fetch;

/// How long the lake may stand still before events that are not there count as missing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(300);
/// Events may carry a time this long before the play began: clocks of two machines differ.
const CLOCK_SKEW_MICROS: i64 = 60_000_000;
/// As many tables as a set of bits can hold; a game has a dozen.
const MAX_TABLES: usize = 128;

/// A table as the check sees it.
#[derive(Debug)]
struct CheckedTable {
    name: String,
    /// True when one event can make many rows.
    many_rows: bool,
}

/// Where an acknowledged event was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// A bit per table.
    tables: u128,
    /// A bit per table that has it more often than it should.
    doubled: u128,
}

/// What the comparison found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// How many events were looked for.
    pub(crate) events: u64,
    /// Ids of events in no table.
    pub(crate) missing: Vec<String>,
    /// Events that a table has more than once: id and table.
    pub(crate) doubled: Vec<(String, String)>,
    /// Events that are not in all tables of one event type, or in others besides: id and where they are.
    pub(crate) misplaced: Vec<(String, String)>,
}

impl Comparison {
    /// True when every event is where it belongs, once.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.doubled.is_empty() && self.misplaced.is_empty()
    }
}

/// A game's tables, and which sets of them one event may be in.
#[derive(Debug)]
pub(crate) struct Tables {
    schema: String,
    tables: Vec<CheckedTable>,
    allowed: Vec<u128>,
}

impl Tables {
    /// The tables of the game with events' rows, system tables included.
    pub(crate) fn of(game: &Game) -> Self {
        let all = gamepipe_lake::schema::tables(game);
        let bit = |index: usize| 1_u128 << index.min(MAX_TABLES - 1);
        let set = |event: &str| {
            let takes = |(_, table): &(usize, &gamepipe_domain::definition::game::Table)| {
                table.events.iter().any(|name| name == event)
            };
            all.iter()
                .enumerate()
                .filter(takes)
                .map(|(index, _)| bit(index))
                .fold(0, |set, bit| set | bit)
        };
        let other = all
            .iter()
            .position(|table| table.name == system::OTHER_EVENTS)
            .map_or(0, bit);
        let types = game
            .events()
            .map(|event| event.name.as_str())
            .chain([ACTION_REJECTED]);
        let allowed = types
            .map(|event| if set(event) == 0 { other } else { set(event) })
            .collect();
        let tables = all
            .iter()
            .map(|table| CheckedTable {
                name: table.name.clone(),
                many_rows: table.rows.is_some(),
            })
            .collect();
        Self {
            schema: format!("{}_raw", game.schema_name()),
            tables,
            allowed,
        }
    }

    /// Their names as SQL takes them.
    pub(crate) fn in_sql(&self) -> Vec<String> {
        self.tables
            .iter()
            .map(|table| self.sql_name(table))
            .collect()
    }

    fn sql_name(&self, table: &CheckedTable) -> String {
        format!("{}.\"{}\"", self.schema, table.name)
    }
}

/// Looks for the acknowledged events until all are there, or the lake has stood still for too long.
pub(crate) async fn compare(
    client: &Client,
    tables: &Tables,
    acknowledged: &[u128],
    began_micros: i64,
) -> anyhow::Result<Comparison> {
    let since = Timestamp::from_micros(began_micros - CLOCK_SKEW_MICROS);
    let mut last_change = Instant::now();
    let mut fewest_unsettled = usize::MAX;
    loop {
        let found = find(client, tables, acknowledged, since).await?;
        let unsettled = unsettled(tables, &found);
        if unsettled < fewest_unsettled {
            (fewest_unsettled, last_change) = (unsettled, Instant::now());
        }
        if unsettled == 0 || last_change.elapsed() >= PATIENCE {
            return Ok(judge(tables, &found));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How many events are not in their tables yet, all of them. The tables are read one after another, each at a cut of its
/// own: an event that landed in between was found in one of its two tables only, and is in both by the next look.
fn unsettled(tables: &Tables, found: &HashMap<u128, Found>) -> usize {
    let settled = |found: &&Found| tables.allowed.contains(&found.tables);
    found.len() - found.values().filter(settled).count()
}

async fn find(
    client: &Client,
    tables: &Tables,
    acknowledged: &[u128],
    since: Timestamp,
) -> anyhow::Result<HashMap<u128, Found>> {
    let mut found: HashMap<u128, Found> = acknowledged
        .iter()
        .map(|id| (*id, Found::default()))
        .collect();
    let since = since.to_rfc3339().replace('T', " ").replace('Z', "");
    for (index, table) in tables.tables.iter().enumerate().take(MAX_TABLES) {
        let bit = 1_u128 << index;
        // One event may make many rows of a table, each with a number of its own.
        let count = if table.many_rows {
            "count(*) - count(distinct \"_row\") + 1"
        } else {
            "count(*)"
        };
        let sql = format!(
            "select \"_event_id\", {count} from {} where \"_event_time\" >= timestamp '{since}' group by \"_event_id\"",
            tables.sql_name(table)
        );
        let answer = fetch::stream(client, &sql, "text/csv")
            .await
            .with_context(|| format!("failed to read {}", table.name))?;
        let mut header = true;
        each_line(answer.into_body(), |line| {
            if std::mem::take(&mut header) {
                return Ok(());
            }
            let line = std::str::from_utf8(line)
                .context("the SQL endpoint sent no text")?
                .trim_end();
            let Some((id, count)) = line.rsplit_once(',') else {
                return Ok(());
            };
            if let Some(found) = parse_uuid(id.trim_matches('"')).and_then(|id| found.get_mut(&id))
            {
                found.tables |= bit;
                if count != "1" {
                    found.doubled |= bit;
                }
            }
            Ok(())
        })
        .await?;
    }
    Ok(found)
}

fn judge(tables: &Tables, found: &HashMap<u128, Found>) -> Comparison {
    let names = |set: u128| {
        let inside = tables
            .tables
            .iter()
            .enumerate()
            .filter(|(index, _)| set & (1_u128 << index.min(&(MAX_TABLES - 1))) != 0);
        inside
            .map(|(_, table)| table.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut comparison = Comparison {
        events: u64::try_from(found.len()).unwrap_or(u64::MAX),
        ..Comparison::default()
    };
    for (id, found) in found {
        if found.tables == 0 {
            comparison.missing.push(format_uuid(*id));
        } else if found.doubled != 0 {
            comparison
                .doubled
                .push((format_uuid(*id), names(found.doubled)));
        } else if !tables.allowed.contains(&found.tables) {
            comparison
                .misplaced
                .push((format_uuid(*id), names(found.tables)));
        }
    }
    comparison.missing.sort();
    comparison.doubled.sort();
    comparison.misplaced.sort();
    comparison
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Found, Tables, judge, unsettled};

    /// Market: purchases land in `purchases` and in `transactions`.
    fn tables() -> Tables {
        Tables::of(&crate::games::load("market").expect("a reference game"))
    }

    fn found(tables: &Tables, names: &[&str], doubled: bool) -> HashMap<u128, Found> {
        let position = |name: &&str| {
            tables
                .tables
                .iter()
                .position(|table| table.name == **name)
                .expect("a table of market")
        };
        let set = names
            .iter()
            .map(position)
            .fold(0, |set, index| set | 1_u128 << index);
        HashMap::from([(
            7,
            Found {
                tables: set,
                doubled: if doubled { set } else { 0 },
            },
        )])
    }

    #[test]
    fn an_event_in_all_tables_of_its_type_is_whole() {
        let tables = tables();
        for names in [
            &["purchases", "transactions"][..],
            &["messages"],
            &["rejected_actions"],
        ] {
            let found = found(&tables, names, false);
            assert_eq!(unsettled(&tables, &found), 0, "{names:?}");
            assert!(judge(&tables, &found).is_whole(), "{names:?}");
        }
    }

    #[test]
    fn missing_doubled_and_misplaced_events_are_told() {
        let tables = tables();
        assert_eq!(judge(&tables, &found(&tables, &[], false)).missing.len(), 1);
        assert_eq!(
            judge(&tables, &found(&tables, &["messages"], true)).doubled[0].1,
            "messages"
        );
        let half = found(&tables, &["purchases"], false);
        assert_eq!(unsettled(&tables, &half), 1, "it is looked for again");
        let half = judge(&tables, &half);
        assert_eq!(half.misplaced[0].1, "purchases");
        assert_eq!(
            judge(&tables, &found(&tables, &["bad_events"], false))
                .misplaced
                .len(),
            1
        );
    }
}
