//! `gamepipe watch`: the event log as it grows, one line per event.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use gamepipe_domain::definition::did_you_mean;
use gamepipe_domain::event::{ACTION_REJECTED, field};
use gamepipe_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::args::ApiAddress;
use crate::client::{Client, Role};
use crate::exit::{Outcome, Usage};
use crate::output;
use crate::served;
use crate::terminal::{Paint, printable};

const AFTER_HELP: &str = "\
Examples:
  gamepipe watch                                events from now on
  gamepipe watch --from start --type trade      every trade on the log, then the new ones
  gamepipe watch --from 20 -n 20                the last events, then stop
  gamepipe watch --json | jq .event.username    for other programs: one JSON object a line";

/// How long to wait before asking again when there was nothing new: soon enough for the eye.
const PAUSE: Duration = Duration::from_millis(200);
/// How many events one request takes.
const BATCH: u64 = 1000;

/// Show events as they arrive on the log
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    api: ApiAddress,
    /// Only events of this type; may be given more than once
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Where to begin: `now`, `start`, or how many of the last events
    #[arg(long, value_name = "WHERE", default_value = "now", value_parser = parse_start)]
    from: Start,
    /// Stop after this many events
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<u64>,
    /// Print JSON, one object a line: partition, offset, key, event
    #[arg(long)]
    json: bool,
}

/// Where watching begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Now,
    Beginning,
    Last(u64),
}

fn parse_start(text: &str) -> Result<Start, String> {
    match text {
        "now" => Ok(Start::Now),
        "start" => Ok(Start::Beginning),
        number => number
            .parse()
            .map(Start::Last)
            .map_err(|_| "expected `now`, `start` or a number of events".to_owned()),
    }
}

/// An entry of `GET /v1/log`.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Offsets {
    partition: u32,
    low: u64,
    high: u64,
}

/// The answer of `GET /v1/log`.
#[derive(Debug, Deserialize)]
struct LogState {
    partitions: Vec<Offsets>,
}

/// A line of `GET /v1/log/{partition}`.
#[derive(Debug, Deserialize)]
struct Record {
    partition: u32,
    offset: u64,
    #[serde(default)]
    key: String,
    event: Value,
}

pub(crate) async fn run(args: WatchArgs) -> anyhow::Result<Outcome> {
    let client = Client::new(&args.api.api, Role::Api)?;
    check_types(&client, &args.types).await?;
    let mut cursors = start(&client, args.from).await?;
    let mut shown = 0;
    if let Start::Last(count) = args.from {
        // The last events of the whole log are among the last of each partition.
        let mut records = read_new(&client, &mut cursors).await?;
        let keep = usize::try_from(count).unwrap_or(usize::MAX);
        records.drain(..records.len().saturating_sub(keep));
        if show(&args, &records, &mut shown)? {
            return Ok(Outcome::Done);
        }
    }
    loop {
        let records = read_new(&client, &mut cursors).await?;
        if show(&args, &records, &mut shown)? {
            return Ok(Outcome::Done);
        }
        if records.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// An event of a type that the game does not have would never come.
async fn check_types(client: &Client, types: &[String]) -> anyhow::Result<()> {
    if types.is_empty() {
        return Ok(());
    }
    let game = served::game(client).await?;
    let mut known: Vec<&str> = game.events().map(|event| event.name.as_str()).collect();
    known.push(ACTION_REJECTED);
    match types
        .iter()
        .find(|wanted| !known.contains(&wanted.as_str()))
    {
        None => Ok(()),
        Some(wanted) => {
            let hint = did_you_mean(wanted, known.iter().copied());
            let (name, known) = (game.name(), known.join(", "));
            Err(Usage(format!(
                "the game {name} has no event {wanted:?}{hint}; it has {known}"
            ))
            .into())
        }
    }
}

/// Where to read on in each partition.
async fn start(client: &Client, from: Start) -> anyhow::Result<Vec<Offsets>> {
    let mut partitions = offsets(client).await?;
    for partition in &mut partitions {
        let begin = match from {
            Start::Now => partition.high,
            Start::Beginning => partition.low,
            Start::Last(count) => partition.high.saturating_sub(count).max(partition.low),
        };
        partition.low = begin;
    }
    Ok(partitions)
}

async fn offsets(client: &Client) -> anyhow::Result<Vec<Offsets>> {
    let state: LogState = client.get_json("/v1/log").await?;
    Ok(state.partitions)
}

/// What has come since the cursors (`low`), in order of time, and the cursors after it.
async fn read_new(client: &Client, cursors: &mut [Offsets]) -> anyhow::Result<Vec<Record>> {
    let now = offsets(client).await?;
    let mut records = Vec::new();
    for cursor in cursors {
        let Some(current) = now
            .iter()
            .find(|offsets| offsets.partition == cursor.partition)
        else {
            continue;
        };
        while cursor.low < current.high {
            // Retention may have taken what the cursor points at.
            let from = cursor.low.max(current.low);
            let path = format!("/v1/log/{}?from={from}&max={BATCH}", cursor.partition);
            let text = client.get_text(&path, "application/x-ndjson").await?;
            let before = records.len();
            for line in text
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                let record: Record =
                    serde_json::from_slice(line).context("the API sent something unexpected")?;
                cursor.low = record.offset + 1;
                records.push(record);
            }
            if records.len() == before {
                break;
            }
        }
    }
    records.sort_by(|a, b| time_text(a).cmp(time_text(b)));
    Ok(records)
}

fn time_text(record: &Record) -> &str {
    record
        .event
        .get(field::EVENT_TIME)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Prints the records that are wanted; true when enough have been printed.
fn show(args: &WatchArgs, records: &[Record], shown: &mut u64) -> anyhow::Result<bool> {
    let paint = Paint::for_stdout();
    let mut out = output::stdout();
    for record in records {
        if args.number.is_some_and(|number| *shown >= number) {
            break;
        }
        let kind = record
            .event
            .get(field::EVENT_TYPE)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !args.types.is_empty() && !args.types.iter().any(|wanted| wanted == kind) {
            continue;
        }
        if args.json {
            let line = serde_json::json!({
                "partition": record.partition, "offset": record.offset, "key": record.key, "event": record.event,
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{}", line(record, paint))?;
        }
        *shown += 1;
    }
    out.flush()?;
    Ok(args.number.is_some_and(|number| *shown >= number))
}

/// `12:34:56.789  successful_attack  alice  attacker=alice defender=bob  3/17`
fn line(record: &Record, paint: Paint) -> String {
    let Value::Object(event) = &record.event else {
        return format!(
            "{}  {}",
            paint.bad("not an event"),
            printable(&record.event.to_string())
        );
    };
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let clock = Timestamp::parse_rfc3339(text(field::EVENT_TIME))
        .and_then(|time| time.to_rfc3339().get(11..23).map(str::to_owned))
        .unwrap_or_else(|| "??:??:??.???".to_owned());
    let kind = text(field::EVENT_TYPE);
    let kind = if kind == ACTION_REJECTED {
        paint.bad(kind)
    } else {
        paint.accent(&printable(kind))
    };
    let place = format!("{}/{}", record.partition, record.offset);
    format!(
        "{}  {kind}  {}  {}  {}",
        paint.dim(&clock),
        paint.bold(&printable(&record.key)),
        data(event),
        paint.dim(&place)
    )
}

/// The data fields; the envelope, the context and the origin are left out.
fn data(event: &Map<String, Value>) -> String {
    const HIDDEN: [&str; 7] = [
        field::EVENT_ID,
        field::EVENT_TYPE,
        field::EVENT_TIME,
        field::HOST,
        field::USER_AGENT,
        field::ACCEPT,
        field::ORIGIN,
    ];
    let fields = event
        .iter()
        .filter(|(name, _)| !HIDDEN.contains(&name.as_str()));
    let text: Vec<String> = fields
        .map(|(name, value)| match value {
            Value::String(text) if !text.contains([' ', '"']) => {
                format!("{name}={}", printable(text))
            }
            other => format!("{name}={}", printable(&other.to_string())),
        })
        .collect();
    text.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Record, Start, line, parse_start};
    use crate::terminal::Paint;

    #[test]
    fn an_event_is_one_line_without_its_envelope() {
        let event = json!({
            "event_id": "018f", "event_type": "dig_for_gold", "event_time": "2026-01-02T03:04:05.678901Z",
            "gold_found": 7, "username": "bob\u{1b}[2J", "note": "two words", "Host": "x", "_origin": {"action": "dig"},
        });
        let record = Record {
            partition: 3,
            offset: 17,
            key: "bob".to_owned(),
            event,
        };
        let expected = "03:04:05.678  dig_for_gold  bob  gold_found=7 note=\"two words\" username=bob\\u{1b}[2J  3/17";
        assert_eq!(line(&record, Paint::never()), expected);
    }

    #[test]
    fn what_is_not_an_event_is_shown_as_such() {
        let record = Record {
            partition: 0,
            offset: 0,
            key: String::new(),
            event: json!("poison"),
        };
        assert_eq!(line(&record, Paint::never()), "not an event  \"poison\"");
    }

    #[test]
    fn watching_begins_now_at_the_start_or_at_the_last_events() {
        assert_eq!(parse_start("now"), Ok(Start::Now));
        assert_eq!(parse_start("start"), Ok(Start::Beginning));
        assert_eq!(parse_start("20"), Ok(Start::Last(20)));
        assert!(parse_start("yesterday").is_err());
    }
}
