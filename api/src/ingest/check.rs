//! One event: from what a client sent to a record for the log, or the reason why not.

use std::cell::Cell;

use gamepipe_domain::event::client::EventProblem;
use gamepipe_domain::event::encode_event;
use gamepipe_domain::request::RequestContext;
use gamepipe_eventlog::Record;
use serde::Deserialize;
use serde_json::Value;

use super::Receipt;
use crate::Api;
use crate::formats::EventForm;
use crate::problem::codes;

/// An event that may go on the log.
#[derive(Debug)]
pub(super) struct Good {
    pub(super) event_id: String,
    pub(super) record: Record,
}

/// Why something is no event.
#[derive(Debug)]
pub(super) struct Refused {
    /// The id that the client chose, where it can be read.
    pub(super) event_id: Option<String>,
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) pointer: String,
}

/// Judges one event by the game's definition.
pub(super) fn check(
    api: &Api,
    form: EventForm,
    sent: &[u8],
    context: &RequestContext,
    receipt: &Receipt,
) -> Result<Good, Refused> {
    if sent.len() > api.config.max_event_bytes {
        let detail = format!(
            "the event has {} bytes; the limit is {}",
            sent.len(),
            api.config.max_event_bytes
        );
        let code = codes::event::EVENT_TOO_LARGE.name;
        return Err(Refused {
            event_id: sent_id(form, sent),
            code,
            detail,
            pointer: String::new(),
        });
    }
    let made_up = Cell::new(false);
    let fallback_id = || {
        made_up.set(true);
        receipt.new_id()
    };
    let judged = match form {
        EventForm::Flat => {
            api.game
                .client_event_from_slice(sent, context, receipt.now, fallback_id)
        }
        EventForm::Cloud => {
            api.game
                .cloud_event_from_slice(sent, context, receipt.now, fallback_id)
        }
    };
    let event = judged.map_err(
        |EventProblem {
             code,
             detail,
             pointer,
         }| Refused {
            event_id: sent_id(form, sent),
            code,
            detail,
            pointer,
        },
    )?;
    let value = encode_event(&event).into();
    // Only an id that the client chose can come again: looking up the others would be for nothing.
    let dedupe_id = (!made_up.get()).then(|| event.id.clone());
    Ok(Good {
        event_id: event.id,
        record: Record {
            key: event.key,
            value,
            dedupe_id,
        },
    })
}

/// The id in something that is no event, so that its sender knows which one is meant.
fn sent_id(form: EventForm, sent: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Ids {
        event_id: Option<Value>,
        id: Option<Value>,
    }
    let ids: Ids = serde_json::from_slice(sent).ok()?;
    let id = match form {
        EventForm::Flat => ids.event_id,
        EventForm::Cloud => ids.id,
    };
    match id? {
        Value::String(text) if text.len() <= gamepipe_domain::event::client::MAX_EVENT_ID_BYTES => {
            Some(text)
        }
        _ => None,
    }
}
