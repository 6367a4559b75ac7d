//! An API server in memory: it keeps objects, merges what is applied, records every call, and can be told to refuse some.

pub(crate) mod call;
pub(crate) mod defaults;
pub(crate) mod merge;
pub(crate) mod store;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use call::{Call, Place};
use store::{Change, Refusal, Store};

/// Instead of a code: the call is never answered.
pub(crate) const HANGS: u16 = 0;

/// The namespace of all tests.
pub(crate) const NAMESPACE: &str = "games";

/// What is answered: an object, or lines of a watch.
type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// Says which code a call is refused with, if it is.
type Fault = Box<dyn FnMut(&Call) -> Option<u16> + Send>;

#[derive(Default)]
struct Inner {
    store: Store,
    calls: Vec<Call>,
    rights: BTreeSet<String>,
    fault: Option<Fault>,
}

/// The server.
#[derive(Clone)]
pub(crate) struct FakeApi {
    inner: Arc<Mutex<Inner>>,
    watches: broadcast::Sender<Change>,
}

impl FakeApi {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::default(),
            watches: broadcast::channel(4096).0,
        }
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, NAMESPACE)
    }

    /// Refuses calls from now on; `None` ends it.
    pub(crate) fn fail(&self, fault: impl FnMut(&Call) -> Option<u16> + Send + 'static) {
        self.lock().fault = Some(Box::new(fault));
    }

    pub(crate) fn heal(&self) {
        self.lock().fault = None;
    }

    /// The calls since this was last asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    /// The writes since calls were last asked for, without events.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self
            .calls()
            .into_iter()
            .filter(|call| call.is_write() && call.place.resource != "events");
        writes.map(|call| call.to_string()).collect()
    }

    /// What a Role has to allow for all that was asked since the beginning.
    pub(crate) fn rights(&self) -> BTreeSet<String> {
        self.lock().rights.clone()
    }

    /// Does something to the objects as somebody else would.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Store) -> T) -> T {
        let mut inner = self.lock();
        let done = act(&mut inner.store);
        self.tell(&mut inner);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn tell(&self, inner: &mut Inner) {
        for change in inner.store.news() {
            let _ = self.watches.send(change);
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Answer> {
        let (parts, body) = request.into_parts();
        let call = Call::read(&parts);
        let bytes = body.collect().await.unwrap().to_bytes();
        let sent = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        match self.decide(&call, sent) {
            Some(answer) => answer,
            None => futures::future::pending().await,
        }
    }

    /// The answer, or none to a call that hangs.
    fn decide(&self, call: &Call, sent: Value) -> Option<Response<Answer>> {
        let mut inner = self.lock();
        inner.calls.push(call.clone());
        inner.rights.insert(call.right());
        let refusal = inner.fault.as_mut().and_then(|fault| fault(call));
        let done = match refusal {
            Some(HANGS) => return None,
            Some(code) => Err(Refusal(
                code,
                reason(code),
                "told to by the test".to_owned(),
            )),
            None if call.verb == "watch" => return Some(self.watch(&inner, call)),
            None => {
                // An apply that makes an object needs the right to create it, too.
                if call.verb == "patch" && inner.store.get(&call.place).is_err() {
                    inner.rights.insert(
                        Call {
                            verb: "create",
                            ..call.clone()
                        }
                        .right(),
                    );
                }
                perform(&mut inner.store, call, sent)
            }
        };
        self.tell(&mut inner);
        drop(inner);
        Some(match done {
            Ok(object) if call.metadata_only && call.verb != "list" => {
                reply(200, &metadata(&object))
            }
            Ok(object) => reply(200, &object),
            Err(Refusal(code, reason, message)) => reply(
                code,
                &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}),
            ),
        })
    }

    /// Every change since the version that the client has.
    fn watch(&self, inner: &Inner, call: &Call) -> Response<Answer> {
        let since = call
            .query("resourceVersion")
            .and_then(|version| version.parse().ok())
            .unwrap_or_default();
        let missed = futures::stream::iter(inner.store.since(since));
        let changes = missed.chain(tokio_stream(self.watches.subscribe()));
        let (collection, labels, metadata_only) =
            (call.place.clone(), labels(call), call.metadata_only);
        let lines = changes.filter_map(move |change| {
            let place = &change.place;
            let fits = place.group == collection.group
                && place.resource == collection.resource
                && (collection.namespace.is_empty() || collection.namespace == place.namespace)
                && labels
                    .iter()
                    .all(|(name, value)| change.object["metadata"]["labels"][name] == **value);
            let object = if metadata_only {
                metadata(&change.object)
            } else {
                change.object.clone()
            };
            let line = format!("{}\n", json!({"type": change.kind, "object": object}));
            futures::future::ready(
                fits.then(|| Ok::<_, Infallible>(Frame::data(Bytes::from(line)))),
            )
        });
        Response::builder()
            .status(200)
            .body(StreamBody::new(lines).boxed_unsync())
            .unwrap()
    }
}

fn tokio_stream(
    receiver: broadcast::Receiver<Change>,
) -> impl futures::Stream<Item = Change> + Send {
    futures::stream::unfold(receiver, |mut receiver| async move {
        let change = receiver.recv().await.ok()?;
        Some((change, receiver))
    })
}

fn perform(store: &mut Store, call: &Call, sent: Value) -> Result<Value, Refusal> {
    let manager = call.query("fieldManager").unwrap_or_default();
    let place = &call.place;
    match (call.verb, call.subresource.as_str()) {
        ("get", _) => store.get(place),
        ("list", _) => Ok(list(store, call)),
        ("create", _) => {
            let name = sent["metadata"]["name"].as_str().unwrap_or_default();
            store.create(
                &Place::new(&place.group, &place.resource, &place.namespace, name),
                sent,
            )
        }
        ("update", _) => store.replace(place, sent),
        ("delete", _) => store.delete(place, &sent),
        ("patch", sub) if call.content == "application/apply-patch+yaml" => {
            assert_eq!(call.query("fieldValidation"), Some("Strict"), "{call}");
            assert_eq!(call.query("force"), Some("true"), "{call}");
            if sub == "status" {
                store.apply_status(place, manager, &sent)
            } else {
                store.apply(place, manager, sent)
            }
        }
        ("patch", "") if call.content == "application/merge-patch+json" => {
            store.merge(place, &sent)
        }
        other => panic!("nobody does this: {other:?} {}", call.content),
    }
}

fn list(store: &Store, call: &Call) -> Value {
    let mut items = store.list(&call.place, &labels(call));
    if call.metadata_only {
        items = items.iter().map(metadata).collect();
    }
    let kind = if call.metadata_only {
        "PartialObjectMetadataList"
    } else {
        "List"
    };
    let version = if call.metadata_only {
        "meta.k8s.io/v1"
    } else {
        "v1"
    };
    json!({"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": store.version().max(1).to_string()}, "items": items})
}

fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

fn labels(call: &Call) -> Vec<(String, String)> {
    let selector = call.query("labelSelector").unwrap_or_default();
    let pairs = selector.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        422 => "Invalid",
        _ => "InternalError",
    }
}

fn reply(code: u16, value: &Value) -> Response<Answer> {
    Response::builder()
        .status(code)
        .body(Full::new(Bytes::from(value.to_string())).boxed_unsync())
        .unwrap()
}
