//! Events from clients: each is checked on its own, all that came together are appended at once.
//!
//! No task and no lock per event; one append per request; the reply is written straight to its buffer.

use bytes::Bytes;
use gamepipe_domain::event::bad::{self, BadEvent};
use gamepipe_domain::request::{RequestContext, hostname};
use gamepipe_domain::rules::random::event_id;
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::Record;
use serde_json::Value;

use crate::Api;
use crate::admit::{AdmitError, Admitted, admit};
use crate::formats::Batch;
use crate::metrics::EventOutcome;
use crate::problem::{Problem, codes};

mod check;

/// How many events are checked between two chances for other requests to run: about a millisecond of work.
const EVENTS_PER_TURN: usize = 128;
/// The key of bad events whose request names no host.
const NO_HOST: &str = "bad";

/// One event after its check: what the log gets, and what the client is told when the log has it.
enum Checked {
    Good {
        event_id: String,
    },
    Bad {
        event_id: Option<String>,
        code: &'static str,
        detail: String,
        pointer: String,
    },
}

/// Checks and appends a batch. The reply's body: `{"results": [..]}`, one per event, in order.
pub(crate) async fn ingest(
    api: &Api,
    batch: &Batch<'_>,
    context: &RequestContext,
) -> Result<Bytes, Problem> {
    let now = api.now();
    let seed = api.clock.seed();
    let mut checked = Vec::with_capacity(batch.events.len());
    let mut records = Vec::with_capacity(batch.events.len());
    for (index, sent) in batch.events.iter().enumerate() {
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        let receipt = Receipt { now, seed, number };
        match check::check(api, batch.form, sent, context, &receipt) {
            Ok(good) => {
                checked.push(Checked::Good {
                    event_id: good.event_id,
                });
                records.push(good.record);
            }
            Err(refused) => {
                records.push(bad_record(sent, &refused, context, &receipt));
                let check::Refused {
                    event_id,
                    code,
                    detail,
                    pointer,
                } = refused;
                checked.push(Checked::Bad {
                    event_id,
                    code,
                    detail,
                    pointer,
                });
            }
        }
        if index % EVENTS_PER_TURN == EVENTS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
    }
    if records.is_empty() {
        return Ok(Bytes::from_static(b"{\"results\":[]}"));
    }
    if !api.log.remembers_ids() {
        api.refuse_when_outbox_is_full()?;
    }
    match admit(api, records).await {
        Ok(admitted) => Ok(results(api, &checked, &admitted)),
        Err(error) => Err(not_durable(api, &checked, error)),
    }
}

/// When and as which of its batch an event was received: what its id is made of when it brings none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) now: Timestamp,
    pub(crate) seed: u64,
    pub(crate) number: u64,
}

impl Receipt {
    /// A new id, unique to this event of this request.
    fn new_id(&self) -> String {
        event_id(self.now, self.seed, self.number)
    }
}

fn bad_record(
    sent: &[u8],
    refused: &check::Refused,
    context: &RequestContext,
    receipt: &Receipt,
) -> Record {
    let bad = BadEvent {
        id: receipt.new_id(),
        time: receipt.now,
        origin: bad::ORIGIN_API.to_owned(),
        code: refused.code.to_owned(),
        detail: refused.detail.clone(),
        pointer: refused.pointer.clone(),
        payload: bad::payload_text(sent),
    };
    Record {
        key: context.host.as_deref().map_or(NO_HOST, hostname).to_owned(),
        value: bad::encode_bad_event(&bad).into(),
        dedupe_id: None,
    }
}

fn results(api: &Api, checked: &[Checked], admitted: &[Admitted]) -> Bytes {
    // The usual result of an event with a UUID.
    const RESULT_BYTES: usize = 72;
    let mut body = Vec::with_capacity(checked.len() * RESULT_BYTES + 16);
    let (mut accepted, mut duplicate, mut rejected) = (0, 0, 0);
    body.extend_from_slice(b"{\"results\":[");
    for (index, (event, admitted)) in checked.iter().zip(admitted).enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match event {
            Checked::Good { event_id } => {
                let status = match admitted {
                    Admitted::New => {
                        accepted += 1;
                        "accepted"
                    }
                    Admitted::Duplicate => {
                        duplicate += 1;
                        "duplicate"
                    }
                };
                body.extend_from_slice(b"{\"status\":\"");
                body.extend_from_slice(status.as_bytes());
                body.extend_from_slice(b"\",\"event_id\":");
                write_text(&mut body, event_id);
                body.push(b'}');
            }
            Checked::Bad {
                event_id,
                code,
                detail,
                pointer,
            } => {
                rejected += 1;
                let result = serde_json::json!({
                    "status": "rejected", "event_id": event_id, "code": code, "detail": detail, "pointer": pointer,
                });
                let _ = serde_json::to_writer(&mut body, &result);
            }
        }
    }
    body.extend_from_slice(b"]}");
    api.metrics.events(EventOutcome::Accepted, accepted);
    api.metrics.events(EventOutcome::Duplicate, duplicate);
    api.metrics.events(EventOutcome::Rejected, rejected);
    body.into()
}

fn write_text(body: &mut Vec<u8>, text: &str) {
    // Writing a string to memory can't fail.
    let _ = serde_json::to_writer(body, text);
}

/// The log did not take the batch: every event must be sent again, the bad ones too, since they are kept as well.
fn not_durable(api: &Api, checked: &[Checked], error: AdmitError) -> Problem {
    let reason = error.to_string();
    let problem = Problem::from(error);
    if problem.code() != codes::UNAVAILABLE.name {
        return problem;
    }
    api.note_log_refusal(reason);
    api.metrics.events(
        EventOutcome::Retry,
        u64::try_from(checked.len()).unwrap_or(u64::MAX),
    );
    let results: Vec<Value> = checked
        .iter()
        .map(|event| {
            let event_id = match event {
                Checked::Good { event_id } => Some(event_id.as_str()),
                Checked::Bad { event_id, .. } => event_id.as_deref(),
            };
            serde_json::json!({ "status": "retry", "event_id": event_id })
        })
        .collect();
    problem.with("results", results.into())
}
