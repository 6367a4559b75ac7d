//! Watches. Each stands alone: it has its own waits after failures, and its failures end here, counted. The controller, which would slow all of them
//! down for one, never sees any.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, DeserializeGuard, PartialObjectMeta, Resource, ResourceExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::runtime::{PredicateConfig, WatchStreamExt, predicates};
use serde::de::DeserializeOwned;

use super::context::Context;
use super::metrics::Metrics;
use crate::crd::{Game, GamePipeline};
use crate::stages::build::labels::{INSTANCE, MANAGED_BY, OPERATOR};
use crate::stages::known::{ChildRef, kind_name};

/// A pipeline, or an object that is none although it is called one.
pub(super) type Guarded = DeserializeGuard<GamePipeline>;

/// Which objects are watched.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The namespace; empty: all.
    pub(super) namespace: String,
}

impl Scope {
    /// The objects of a kind that is known by its type.
    pub(super) fn api<K>(&self, client: Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        if self.namespace.is_empty() {
            Api::all(client)
        } else {
            Api::namespaced(client, &self.namespace)
        }
    }

    fn metadata_of(
        &self,
        client: Client,
        kind: &ApiResource,
    ) -> Api<PartialObjectMeta<DynamicObject>> {
        if self.namespace.is_empty() {
            Api::all_with(client, kind)
        } else {
            Api::namespaced_with(client, &self.namespace, kind)
        }
    }
}

/// What a watch sees, without its failures: these are counted and waited out.
pub(super) fn events<K>(
    api: Api<K>,
    config: Config,
    kind: &'static str,
    metrics: Metrics,
    mut on_failure: impl FnMut() + Send + 'static,
) -> impl Stream<Item = Event<K>> + Send + 'static
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, config)
        .default_backoff()
        .filter_map(move |seen| {
            let event = seen.inspect_err(|error| {
                tracing::warn!(%error, kind, "a watch failed; it is opened again");
                metrics.watch_failed(kind);
                on_failure();
            });
            futures::future::ready(event.ok())
        })
}

/// The pipelines whose children of this kind changed in a way that nobody here did.
pub(super) fn children(
    scope: &Scope,
    kind: &ApiResource,
    context: &Arc<Context>,
) -> impl Stream<Item = ObjectRef<Guarded>> + Send + use<> {
    let name = kind_name(kind);
    let config = Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    let api = scope.metadata_of(context.client.clone(), kind);
    let (failing, scoped) = (Arc::clone(context), scope.namespace.clone());
    let on_failure = move || failing.known.set_fresh(&scoped, name, false);
    let seen = events(api, config, name, context.metrics.clone(), on_failure);
    let mut digest = Digest {
        scope: scope.namespace.clone(),
        kind: name,
        context: Arc::clone(context),
        shown: HashSet::new(),
        listed: false,
    };
    seen.map(move |event| stream::iter(digest.event(event)))
        .flatten()
}

/// Turns what a watch of children sees into what is known, and into pipelines to look at.
struct Digest {
    scope: String,
    kind: &'static str,
    context: Arc<Context>,
    /// What the list that is under way has shown.
    shown: HashSet<ChildRef>,
    /// A list has come to its end.
    listed: bool,
}

impl Digest {
    fn event(&mut self, event: Event<PartialObjectMeta<DynamicObject>>) -> Vec<ObjectRef<Guarded>> {
        match event {
            Event::Init => {
                self.shown.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                let child = self.child(&object);
                self.shown.insert(child);
                self.seen(&object)
            }
            Event::InitDone => {
                let shown = std::mem::take(&mut self.shown);
                self.listed = true;
                let bereft = self.context.known.complete(&self.scope, self.kind, &shown);
                bereft
                    .into_iter()
                    .map(|(namespace, pipeline)| reference(&namespace, &pipeline))
                    .collect()
            }
            Event::Apply(object) => {
                self.works();
                self.seen(&object)
            }
            Event::Delete(object) => {
                self.works();
                self.context.known.gone(&self.child(&object));
                pipeline_of(&object).into_iter().collect()
            }
        }
    }

    /// A watch that tells of changes has told of all that were before.
    fn works(&self) {
        if self.listed {
            self.context.known.set_fresh(&self.scope, self.kind, true);
        }
    }

    fn seen(&self, object: &PartialObjectMeta<DynamicObject>) -> Vec<ObjectRef<Guarded>> {
        let Some(pipeline) = pipeline_of(object) else {
            return Vec::new();
        };
        let (uid, version) = (
            object.uid().unwrap_or_default(),
            object.resource_version().unwrap_or_default(),
        );
        let news = self
            .context
            .known
            .seen(self.child(object), &uid, &version, &pipeline.name);
        if news { vec![pipeline] } else { Vec::new() }
    }

    fn child(&self, object: &PartialObjectMeta<DynamicObject>) -> ChildRef {
        ChildRef::new(
            &object.namespace().unwrap_or_default(),
            self.kind,
            &object.name_any(),
        )
    }
}

/// The pipeline that an object was made for. The label says it for what has no owner, too.
fn pipeline_of(object: &PartialObjectMeta<DynamicObject>) -> Option<ObjectRef<Guarded>> {
    Some(reference(
        &object.namespace()?,
        object.labels().get(INSTANCE)?,
    ))
}

fn reference(namespace: &str, name: &str) -> ObjectRef<Guarded> {
    ObjectRef::new(name).within(namespace)
}

/// The pipelines whose Game changed.
pub(super) fn games(
    scope: &Scope,
    pipelines: Store<Guarded>,
    context: &Context,
) -> impl Stream<Item = ObjectRef<Guarded>> + Send + use<> {
    let api: Api<PartialObjectMeta<Game>> = scope.api(context.client.clone());
    let seen = events(
        api,
        Config::default(),
        "Game",
        context.metrics.clone(),
        || (),
    );
    seen.map(Ok)
        .touched_objects()
        .predicate_filter(predicates::resource_version, PredicateConfig::default())
        .filter_map(|game| futures::future::ready(game.ok()))
        .map(move |game| {
            let (namespace, name) = (game.namespace(), game.name_any());
            let names_it = |guarded: &Guarded| {
                let pipeline = guarded.0.as_ref().ok();
                guarded.namespace() == namespace
                    && pipeline.is_some_and(|pipeline| pipeline.spec.game.name == name)
            };
            let found = pipelines.state_filter(names_it);
            stream::iter(
                found
                    .iter()
                    .map(|pipeline| ObjectRef::from_obj(&**pipeline))
                    .collect::<Vec<_>>(),
            )
        })
        .flatten()
}
