//! The streamer itself: wires the stages forward, begins anew after trouble, and lands what it holds before it stops.

use std::sync::Arc;
use std::time::Duration;

use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::Game;
use gamepipe_eventlog::EventLog;
use gamepipe_lake::Lake;
use gamepipe_lake::commit::{EncodedEpoch, Resume};
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SharedClock;
use gamepipe_service::probes::Probes;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use crate::error::StreamerError;
use crate::messages::{LogSlice, RowsEpoch};
use crate::metrics::Metrics;
use crate::stages::buffer::{Buffer, Limits};
use crate::stages::{commit, encode, source};

/// The part of the process that probes name.
const PART: &str = "landing";
/// Slices between the log and the buffer: one being decoded, the next ones being read.
const SLICES_IN_FLIGHT: usize = 2;
/// Epochs between two stages. One waits while one is worked on; more would only take memory.
const EPOCHS_IN_FLIGHT: usize = 1;
/// How long the current epoch may take to land after the word to stop.
const SHUTDOWN_SECONDS: u64 = 10;
/// Waits between attempts after trouble: short at first (a lost race), at most as long as somebody would wait to see an
/// outage end.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Lands one game's log in its lake. Only one may do so at a time; a second one is fenced off, not harmful.
#[derive(Debug)]
pub struct Streamer {
    config: StreamerConfig,
    game: Arc<str>,
    log: Arc<dyn EventLog>,
    lake: Arc<Lake>,
    clock: SharedClock,
    probes: Probes,
    metrics: Metrics,
}

impl Streamer {
    /// A streamer, not started.
    pub fn build(
        config: StreamerConfig,
        game: Arc<Game>,
        log: Arc<dyn EventLog>,
        lake: Arc<Lake>,
        clock: SharedClock,
        probes: Probes,
    ) -> Self {
        Self::build_for(config, game.name(), log, lake, clock, probes)
    }

    /// As [`Self::build`], for a game that is known by its name and by the tables of its lake.
    pub fn build_for(
        config: StreamerConfig,
        game: &str,
        log: Arc<dyn EventLog>,
        lake: Arc<Lake>,
        clock: SharedClock,
        probes: Probes,
    ) -> Self {
        let metrics = Metrics::register(&probes);
        Self {
            config,
            game: game.into(),
            log,
            lake,
            clock,
            probes,
            metrics,
        }
    }

    /// Makes and grows all tables, so that they are there before the first event, and refuses a log and a lake that don't
    /// belong together.
    pub async fn prepare(&self) -> Result<(), StreamerError> {
        if self.lake.game() != &*self.game {
            return Err(StreamerError::OtherGame {
                lake: self.lake.game().to_owned(),
                game: self.game.to_string(),
            });
        }
        self.lake.prepare().await?;
        // Before anybody is promised anything: a log that was cut gives offsets again that count as landed.
        self.resume().await?;
        Ok(())
    }

    /// Lands until `shutdown`, then lands what is left and returns. Trouble that may pass is waited out, and shows in the
    /// probes meanwhile; an error comes back only when somebody has to do something.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), StreamerError> {
        let maintenance = self.lake.maintain(&self.config, shutdown.child_token());
        let landing = async {
            let done = self.land(&shutdown).await;
            shutdown.cancel();
            done
        };
        tokio::join!(landing, maintenance).0
    }

    async fn land(&self, shutdown: &Shutdown) -> Result<(), StreamerError> {
        let mut wait = FIRST_WAIT;
        loop {
            let before = self.metrics.epochs.get();
            let error = match self.attempt(shutdown).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.metrics.failures.inc();
            self.probes.not_ready(PART, error.to_string());
            if error.is_final() || shutdown.is_cancelled() {
                return Err(error);
            }
            if self.metrics.epochs.get() > before {
                wait = FIRST_WAIT;
            }
            tracing::warn!(%error, wait_ms = wait.as_millis(), "landing begins anew from the last epoch");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Lands from the resume point on, until shutdown or trouble.
    async fn attempt(&self, shutdown: &Shutdown) -> Result<(), StreamerError> {
        let resume = self.resume().await?;
        self.probes.ready(PART);
        let (slices_in, slices_out) = channel(SLICES_IN_FLIGHT);
        let (rows_in, rows_out) = channel(EPOCHS_IN_FLIGHT);
        let (files_in, files_out) = channel(EPOCHS_IN_FLIGHT);
        let buffer = Buffer::new(self.lake.tables(), &resume.next, &resume.ahead);
        // Each stage ends when the one before it is done, or the one after it is gone; so all end when one fails.
        let stages = async {
            let done = tokio::join!(
                async {
                    Ok(source::run(
                        Arc::clone(&self.log),
                        resume.next.clone(),
                        slices_in,
                        shutdown.clone(),
                    )
                    .await?)
                },
                self.gather(buffer, slices_out, rows_in),
                self.encode(&resume, rows_out, files_in),
                self.commit(files_out),
            );
            // The last stage's error is the cause where there are several.
            done.3.and(done.2).and(done.1).and(done.0)
        };
        let too_late = async {
            shutdown.cancelled().await;
            tokio::time::sleep(Duration::from_secs(SHUTDOWN_SECONDS)).await;
        };
        tokio::select! {
            done = stages => done,
            () = too_late => Err(StreamerError::Shutdown { seconds: SHUTDOWN_SECONDS }),
        }
    }

    /// Where to begin, checked against what the log still has.
    async fn resume(&self) -> Result<Resume, StreamerError> {
        let mut resume = self
            .lake
            .resume(self.log.generation(), self.log.partitions())
            .await?;
        for (offsets, landed) in self.log.offsets().await?.iter().zip(&mut resume.next) {
            let partition = offsets.partition;
            if *landed > offsets.high {
                return Err(StreamerError::Behind {
                    partition,
                    high: offsets.high,
                    landed: *landed,
                });
            }
            if *landed < offsets.low {
                if !self.config.accept_gap {
                    return Err(StreamerError::Gap {
                        partition,
                        low: offsets.low,
                        landed: *landed,
                    });
                }
                tracing::error!(
                    partition,
                    from = *landed,
                    to = offsets.low,
                    "records are gone and are passed over"
                );
                *landed = offsets.low;
            }
        }
        if let Some(last) = &resume.last {
            tracing::info!(epoch = last.epoch, "landing goes on after the last epoch");
        }
        Ok(resume)
    }

    /// Decode, route and buffer: gathers epochs and cuts them by time and size.
    async fn gather(
        &self,
        mut buffer: Buffer,
        mut slices: Receiver<LogSlice>,
        out: Sender<RowsEpoch>,
    ) -> Result<(), StreamerError> {
        let limits = Limits {
            interval: Duration::from_millis(self.config.commit_interval_ms),
            records: self.config.max_epoch_events,
            bytes: self.config.max_epoch_bytes,
        };
        let mut deadline = Instant::now();
        loop {
            let full = buffer.is_full(&limits);
            let due = buffer.may_be_cut() && (full || Instant::now() >= deadline);
            tokio::select! {
                biased;
                room = out.reserve(), if due => {
                    let Ok(room) = room else { return Ok(()) };
                    room.send(cut(&mut buffer)?);
                }
                slice = slices.recv(), if !full || !buffer.may_be_cut() => {
                    let Some(slice) = slice else { break };
                    if buffer.is_empty() {
                        deadline = Instant::now() + limits.interval;
                    }
                    let bad = buffer.bad_records();
                    let taken = tokio::task::spawn_blocking(move || {
                        buffer.take(&slice);
                        buffer
                    });
                    buffer = taken.await.map_err(|error| StreamerError::Worker(error.to_string()))?;
                    self.metrics.bad_records.inc_by(buffer.bad_records() - bad);
                }
                () = tokio::time::sleep_until(deadline), if !due && buffer.may_be_cut() => {}
                // A later stage has failed: on a quiet log nothing else would tell, and its epoch would wait for the next
                // event to come.
                () = out.closed(), if !due => return Ok(()),
            }
        }
        if buffer.may_be_cut() {
            // Nobody takes it when a later stage has failed: then that is the error that counts.
            let _ = out.send(cut(&mut buffer)?).await;
        }
        Ok(())
    }

    async fn encode(
        &self,
        resume: &Resume,
        mut epochs: Receiver<RowsEpoch>,
        out: Sender<EncodedEpoch>,
    ) -> Result<(), StreamerError> {
        loop {
            let epoch = tokio::select! {
                epoch = epochs.recv() => epoch,
                // The commit has failed: see `gather`.
                () = out.closed() => None,
            };
            let Some(epoch) = epoch else { break };
            let encoded = encode::step(&self.lake, epoch, &resume.ahead).await?;
            self.metrics
                .file_bytes
                .inc_by(encoded.tables.iter().map(|files| files.bytes()).sum());
            if out.send(encoded).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn commit(&self, mut epochs: Receiver<EncodedEpoch>) -> Result<(), StreamerError> {
        while let Some(epoch) = epochs.recv().await {
            let begun = self.clock.now_micros();
            let record = commit::step(&self.lake, self.log.as_ref(), epoch).await?;
            let micros = self.clock.now_micros().saturating_sub(begun);
            self.metrics
                .commit_seconds
                .observe(Duration::from_micros(micros.unsigned_abs()).as_secs_f64());
            self.metrics.epochs.inc();
            self.metrics.records.inc_by(record.records);
            let highs = self.log.offsets().await?;
            let lag = highs
                .iter()
                .zip(&record.ranges)
                .map(|(log, landed)| log.high.saturating_sub(landed.to))
                .sum();
            self.metrics.lag.set(lag);
            tracing::debug!(
                epoch = record.epoch,
                records = record.records,
                commit_us = micros,
                "an epoch has landed"
            );
        }
        Ok(())
    }
}

fn cut(buffer: &mut Buffer) -> Result<RowsEpoch, StreamerError> {
    buffer.cut().map_err(|error| {
        StreamerError::Worker(format!("rows of an epoch don't fit their tables: {error}"))
    })
}
