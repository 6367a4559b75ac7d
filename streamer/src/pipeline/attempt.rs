//! One attempt: lands one share of the partitions from the resume point on, until the share changes, the word to stop, or
//! trouble.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use gamepipe_eventlog::{Membership, PartitionOffsets, Share};
use gamepipe_lake::commit::EncodedEpoch;
use gamepipe_service::Shutdown;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::{PART, Streamer};
use crate::error::StreamerError;
use crate::messages::{LogSlice, RowsEpoch};
use crate::stages::buffer::{Buffer, Limits};
use crate::stages::{commit, encode, source};

/// Slices between the log and the buffer: one being decoded, the next ones being read.
const SLICES_IN_FLIGHT: usize = 2;
/// Epochs between two stages. One waits while one is worked on; more would only take memory.
const EPOCHS_IN_FLIGHT: usize = 1;
/// How long the current epoch may take to land after the word to stop.
const SHUTDOWN_SECONDS: u64 = 10;
/// How long what is held may take to land after the share has changed: who gets the partitions is waiting for it, and goes
/// on without it after a few seconds more. Landing pauses for less than 5 s in all.
const HANDOVER: Duration = Duration::from_secs(3);
/// How long the first share may take to come. More processes than partitions get none.
const FIRST_SHARE: Duration = Duration::from_secs(15);

/// Where an attempt begins.
#[derive(Debug)]
pub(super) struct Begin {
    /// Partition and offset, for each that is this process's own.
    next: Vec<(u32, u64)>,
    /// Records between an epoch and an offset of `next` are gone, and that was accepted.
    passes_gaps: bool,
}

impl Streamer {
    /// Lands a share until it changes, or until shutdown, and then what it holds.
    pub(super) async fn attempt(
        &self,
        membership: &dyn Membership,
        share: &Share,
        shutdown: &Shutdown,
    ) -> Result<(), StreamerError> {
        if share.partitions.is_empty() {
            self.lag.begins(&[]);
            let changes = membership.changed(share.turn);
            tokio::select! {
                never = self.stand_by(share) => match never {},
                () = changes => {}
                () = shutdown.cancelled() => {}
            }
            return Ok(());
        }
        let begin = self.begin(&share.partitions).await?;
        self.lag.begins(&begin.next);
        self.probes.ready(PART);
        let stop = shutdown.child_token();
        let stages = self.stages(&begin, stop.clone(), shutdown.clone());
        let too_late = async {
            shutdown.cancelled().await;
            tokio::time::sleep(Duration::from_secs(SHUTDOWN_SECONDS)).await;
        };
        let given_up = async {
            membership.changed(share.turn).await;
            stop.cancel();
            tokio::time::sleep(HANDOVER).await;
        };
        tokio::select! {
            done = stages => done,
            () = too_late => Err(StreamerError::Shutdown { seconds: SHUTDOWN_SECONDS }),
            () = given_up => {
                tracing::info!("an epoch was not landed before its partitions went to others; they land it");
                Ok(())
            }
        }
    }

    /// Is ready without any partitions: at once when others have taken them, after a while when none has come yet. Who restarts
    /// one process after the other goes on when this one is ready, and no sooner should all be given anew.
    async fn stand_by(&self, share: &Share) -> Infallible {
        if share.turn == 0 {
            tokio::time::sleep(FIRST_SHARE).await;
        }
        self.probes.ready(PART);
        std::future::pending().await
    }

    async fn stages(
        &self,
        begin: &Begin,
        stop: Shutdown,
        shutdown: Shutdown,
    ) -> Result<(), StreamerError> {
        let (slices_in, slices_out) = channel(SLICES_IN_FLIGHT);
        let (rows_in, rows_out) = channel(EPOCHS_IN_FLIGHT);
        let (files_in, files_out) = channel(EPOCHS_IN_FLIGHT);
        let buffer = Buffer::new(self.lake.tables(), &begin.next);
        let log = Arc::clone(&self.log);
        // Each stage ends when the one before it is done, or the one after it is gone; so all end when one fails.
        let done = tokio::join!(
            async { Ok(source::run(log, begin.next.clone(), slices_in, stop, shutdown).await?) },
            self.gather(buffer, slices_out, rows_in),
            self.encode(begin.passes_gaps, rows_out, files_in),
            self.commit(files_out),
        );
        // The last stage's error is the cause where there are several.
        done.3.and(done.2).and(done.1).and(done.0)
    }

    /// Where to begin with these partitions, checked against what the log still has.
    pub(super) async fn begin(&self, partitions: &[u32]) -> Result<Begin, StreamerError> {
        let mut before = None;
        loop {
            let resume = self
                .lake
                .resume(self.log.generation(), self.log.partitions())
                .await?;
            let offsets = self.log.offsets().await?;
            let own = offsets
                .iter()
                .filter(|offsets| partitions.contains(&offsets.partition));
            let next = own.clone().map(|offsets| {
                let landed = resume.next.get(offsets.partition as usize);
                (offsets.partition, landed.copied().unwrap_or(0))
            });
            let mut begin = Begin {
                next: next.collect(),
                passes_gaps: false,
            };
            match self.check(&mut begin, own) {
                // While the offsets were read others may have landed more, and the log may have let go of it.
                Err(_) if before.as_ref() != Some(&begin.next) => before = Some(begin.next),
                done => {
                    done?;
                    if let Some(last) = &resume.last {
                        tracing::info!(
                            epoch = last.epoch,
                            partitions = begin.next.len(),
                            "landing goes on after the last epoch"
                        );
                    }
                    return Ok(begin);
                }
            }
        }
    }

    fn check<'a>(
        &self,
        begin: &mut Begin,
        log: impl Iterator<Item = &'a PartitionOffsets>,
    ) -> Result<(), StreamerError> {
        for (offsets, (partition, landed)) in log.zip(&mut begin.next) {
            let partition = *partition;
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
                begin.passes_gaps = true;
            }
        }
        Ok(())
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
            let due = !buffer.is_empty() && (full || Instant::now() >= deadline);
            tokio::select! {
                biased;
                room = out.reserve(), if due => {
                    let Ok(room) = room else { return Ok(()) };
                    room.send(cut(&mut buffer)?);
                }
                slice = slices.recv(), if !full => {
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
                () = tokio::time::sleep_until(deadline), if !due && !buffer.is_empty() => {}
                // A later stage has failed: on a quiet log nothing else would tell, and its epoch would wait for the next
                // event to come.
                () = out.closed(), if !due => return Ok(()),
            }
        }
        if !buffer.is_empty() {
            // Nobody takes it when a later stage has failed: then that is the error that counts.
            let _ = out.send(cut(&mut buffer)?).await;
        }
        Ok(())
    }

    async fn encode(
        &self,
        passes_gaps: bool,
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
            let encoded = encode::step(&self.lake, epoch, passes_gaps).await?;
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
            for (partition, range) in (0..).zip(&record.ranges) {
                self.lag.has_landed(partition, range.to);
            }
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
