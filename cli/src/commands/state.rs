//! `gamepipe state`: what a person decides about the players' state after a loss.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use gamepipe_config::settings::Settings;
use gamepipe_domain::definition::Game;
use gamepipe_domain::entity::{Entity, EntityId};
use gamepipe_domain::event::decode_event;
use gamepipe_eventlog::{EventLog, LogError, LogRecord};
use gamepipe_service::clock::{SharedClock, SystemClock};
use gamepipe_state::redis::{Repair, Restore};
use tokio::time::Instant;

use crate::args::Pipeline;
use crate::configuration;
use crate::exit::Outcome;
use crate::games;
use crate::output::{remark, say};
use crate::serve::backends;

/// How much of the log is read at a time.
const READ_BYTES: usize = 4 << 20;
/// How many entities are put into Redis at a time.
const PUT_ENTITIES: usize = 1000;
/// How long a partition that has more may give nothing, and how often it is asked meanwhile: a broker that fetches from disk
/// answers in milliseconds, one that is being elected in seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
/// What every event that changed state has in its text. Others need not be parsed.
const WRITES: &[u8] = b"\"writes\":[";

const AFTER_HELP: &str = "\
Examples:
  gamepipe state rebuild --game arena --dry-run       what the log would restore
  gamepipe state rebuild --game arena                 into a Redis that has no store of this name
  gamepipe state rebuild --game arena --replace       in the place of what Redis has
  gamepipe state accept-loss --game arena             go on without what Redis has lost

Before `rebuild`, stop all API processes. What was acknowledged and had not reached the log when Redis
was lost is lost; idempotency keys and clients' event ids are forgotten. After `accept-loss` running
processes go on by themselves. Settings are those of `gamepipe serve api`.";

/// Restore the players' state in Redis, or go on without what it lost
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Debug, Subcommand)]
enum StateCommand {
    /// Make the state anew from the events on the log
    Rebuild {
        #[command(flatten)]
        pipeline: Pipeline,
        /// Remove the store that Redis has first
        #[arg(long)]
        replace: bool,
        /// Only say what the log holds
        #[arg(long)]
        dry_run: bool,
    },
    /// Go on with a store that lacks commits which had been acknowledged
    AcceptLoss {
        #[command(flatten)]
        pipeline: Pipeline,
    },
}

/// What a command works with.
struct Place {
    settings: Settings,
    game: Arc<Game>,
    clock: SharedClock,
}

impl Place {
    fn of(pipeline: &Pipeline) -> anyhow::Result<Self> {
        let (game, _) = games::load_with_source(&pipeline.game)?;
        let file = pipeline.config.as_deref();
        let settings = configuration::effective(Vec::new(), &[], file)?.settings;
        backends::require_redis(&settings)?;
        backends::require_kafka(&settings)?;
        Ok(Self {
            settings,
            game,
            clock: Arc::new(SystemClock),
        })
    }

    /// The log as it is; a command that repairs must not make an empty one.
    async fn log(&mut self) -> anyhow::Result<Arc<dyn EventLog>> {
        self.settings.log.kafka.create = false;
        Ok(backends::log(&self.settings, &self.game, &self.clock).await?)
    }
}

pub(crate) async fn run(args: StateArgs) -> anyhow::Result<Outcome> {
    match args.command {
        StateCommand::Rebuild {
            pipeline,
            replace,
            dry_run,
        } => rebuild(Place::of(&pipeline)?, replace, dry_run).await,
        StateCommand::AcceptLoss { pipeline } => accept_loss(Place::of(&pipeline)?).await,
    }
}

async fn rebuild(mut place: Place, replace: bool, dry_run: bool) -> anyhow::Result<Outcome> {
    let log = place.log().await?;
    let folded = fold(log.as_ref()).await?;
    let found = format!(
        "{} entities from {} changes in {} events",
        folded.entities.len(),
        folded.writes,
        folded.events
    );
    if dry_run {
        say(&format!("{found}; nothing was changed (--dry-run)"))?;
        return Ok(Outcome::Done);
    }
    let redis = &place.settings.state.redis;
    let restore = Restore::begin(redis, Arc::clone(&place.clock), replace).await?;
    let entities: Vec<_> = folded.entities.into_iter().collect();
    for page in entities.chunks(PUT_ENTITIES) {
        restore.put(page).await?;
    }
    restore.finish().await?;
    say(&format!("restored {found}; start the API again"))?;
    Ok(Outcome::Done)
}

/// Reads the whole log.
async fn fold(log: &dyn EventLog) -> anyhow::Result<Folded> {
    let mut folded = Folded::default();
    for offsets in log.offsets().await? {
        let partition = offsets.partition;
        if offsets.low > 0 {
            return Err(not_whole(partition, offsets.low));
        }
        let mut next = offsets.low;
        let mut moved = Instant::now();
        while next < offsets.high {
            let batch = match log.read(partition, next, READ_BYTES).await {
                // Retention goes on while this reads.
                Err(LogError::OutOfRange { low, .. }) if low > next => {
                    return Err(not_whole(partition, low));
                }
                read => read?,
            };
            batch.records.iter().for_each(|record| folded.take(record));
            if batch.next > next {
                (next, moved) = (batch.next, Instant::now());
            } else if moved.elapsed() > PATIENCE {
                bail!(
                    "partition {partition} of the log gives nothing at offset {next}, though it ends at {} only; are its brokers well?",
                    offsets.high
                );
            } else {
                tokio::time::sleep(PAUSE).await;
            }
        }
        remark(&format!(
            "partition {partition}: {} events read, {} entities so far",
            folded.events,
            folded.entities.len()
        ));
    }
    Ok(folded)
}

/// A log that lacks its begin can't restore the state.
fn not_whole(partition: u32, low: u64) -> anyhow::Error {
    anyhow!(
        "partition {partition} of the log begins at offset {low}: what was before is gone from it, and the state can't be restored from the rest; bring back a copy of Redis, or go on with what it has (`gamepipe state accept-loss`)"
    )
}

/// The newest version of each entity that events tell of.
#[derive(Debug, Default)]
struct Folded {
    entities: HashMap<EntityId, Entity>,
    events: u64,
    writes: u64,
}

impl Folded {
    fn take(&mut self, record: &LogRecord) {
        self.events += 1;
        let tells = record
            .value
            .windows(WRITES.len())
            .any(|window| window == WRITES);
        if !tells {
            return;
        }
        let Ok(key) = std::str::from_utf8(&record.key) else {
            return;
        };
        // What is no event of ours changed nothing.
        let Ok(event) = decode_event(key, &record.value) else {
            return;
        };
        for (id, entity) in event.origin.into_iter().flat_map(|origin| origin.writes) {
            self.writes += 1;
            let known = self.entities.get(&id).map_or(0, |known| known.version);
            if entity.version > known {
                self.entities.insert(id, entity);
            }
        }
    }
}

async fn accept_loss(mut place: Place) -> anyhow::Result<Outcome> {
    let log = place.log().await?;
    let redis = &place.settings.state.redis;
    let repair = Repair::connect(redis, Arc::clone(&place.clock)).await?;
    let position = log.outbox_position(repair.outbox_id()).await?;
    repair.accept_loss(position).await?;
    say(&format!(
        "the store goes on after entry {position} of its outbox; events of lost changes stay in the tables"
    ))?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use gamepipe_config::log::LogConfig;
    use gamepipe_domain::JsonMap;
    use gamepipe_domain::entity::{Entity, EntityId};
    use gamepipe_domain::event::{Event, Origin, encode_event};
    use gamepipe_domain::request::RequestContext;
    use gamepipe_domain::time::Timestamp;
    use gamepipe_eventlog::embedded::EmbeddedLog;
    use gamepipe_eventlog::{EventLog, LogRecord, Record};
    use gamepipe_service::clock::SystemClock;
    use serde_json::json;

    use super::{Folded, fold};

    fn record(name: &str, version: u64, gold: i64) -> LogRecord {
        let id = EntityId {
            entity_type: "player".to_owned(),
            key: name.to_owned(),
        };
        let state = JsonMap::from_iter([("gold".to_owned(), json!(gold))]);
        let event = Event {
            id: format!("{name}-{version}"),
            event_type: "dig".to_owned(),
            time: Timestamp::from_micros(0),
            key: name.to_owned(),
            data: JsonMap::new(),
            context: RequestContext::default(),
            origin: Some(Origin {
                action: "dig".to_owned(),
                seed: 1,
                rules: "x".to_owned(),
                writes: vec![(id, Entity { version, state })],
            }),
        };
        LogRecord {
            offset: 0,
            appended: Timestamp::from_micros(0),
            key: Bytes::from(name.to_owned()),
            value: encode_event(&event).into(),
        }
    }

    #[test]
    fn the_newest_version_counts_whatever_order_partitions_are_read_in() {
        let mut folded = Folded::default();
        for record in [
            record("ann", 2, 20),
            record("ann", 3, 30),
            record("ann", 1, 10),
            record("bob", 1, 5),
        ] {
            folded.take(&record);
        }
        folded.take(&LogRecord {
            value: Bytes::from_static(b"no json, though it says \"writes\":["),
            ..record("ann", 9, 0)
        });
        let gold = |name: &str| {
            let found = folded.entities.iter().find(|(id, _)| id.key == name);
            found.map(|(_, entity)| (entity.version, entity.state["gold"].clone()))
        };
        assert_eq!(gold("ann"), Some((3, json!(30))));
        assert_eq!(gold("bob"), Some((1, json!(5))));
        assert_eq!((folded.events, folded.writes), (5, 4));
    }

    #[tokio::test]
    async fn a_log_is_read_whole_and_one_that_lacks_its_begin_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = LogConfig {
            path: folder.path().display().to_string(),
            partitions: 2,
            retention_bytes: 0,
            ..LogConfig::default()
        };
        let log = EmbeddedLog::open(&config, Arc::new(SystemClock)).expect("a log");
        let appended = |number: u64| {
            let record = record("ann", number, 1);
            Record {
                key: "ann".to_owned(),
                value: record.value,
                dedupe_id: None,
            }
        };
        for number in 1..=50 {
            log.append(vec![appended(number)]).await.expect("durable");
        }
        let folded = fold(log.as_ref()).await.expect("a whole log");
        assert_eq!((folded.events, folded.entities.len()), (50, 1));

        let ends: Vec<u64> = log
            .offsets()
            .await
            .expect("offsets")
            .iter()
            .map(|known| known.high)
            .collect();
        log.release(&ends).await.expect("released");
        let waiting = async {
            loop {
                match fold(log.as_ref()).await {
                    Err(error) => return error.to_string(),
                    // What has landed goes a little later.
                    Ok(_) => tokio::task::yield_now().await,
                }
            }
        };
        let refused = tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await;
        let refused = refused.expect("retention takes what has landed");
        assert!(refused.contains("what was before is gone"), "{refused}");
    }
}
