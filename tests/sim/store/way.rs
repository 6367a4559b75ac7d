//! A client of the world, as the lake and the libraries below it see it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

use super::faults::{Call, Op};
use super::{Link, World, refused};

/// How long a client that may repeat a request waits before it does.
const FIRST_WAIT: Duration = Duration::from_millis(3);
/// All files look so old that clean-up and vacuum would take them, as far as age goes.
const AGE: TimeDelta = TimeDelta::days(30);

fn aged(mut file: ObjectMeta) -> ObjectMeta {
    file.last_modified -= AGE;
    file
}

/// A client of the world: with or without repetitions.
#[derive(Debug, Clone)]
pub(super) struct Way {
    link: Arc<Link>,
    retries: u32,
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sim ({} retries)", self.retries)
    }
}

impl Way {
    pub(super) fn new(link: &Arc<Link>, retries: u32) -> Self {
        Self {
            link: Arc::clone(link),
            retries,
        }
    }

    async fn call<T>(
        &self,
        op: Op,
        path: &Path,
        late: Option<(PutPayload, PutMode)>,
        work: impl Fn(Arc<World>) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let mut wait = FIRST_WAIT;
        for left in (0..=self.retries).rev() {
            let call = Call {
                op,
                path: path.clone(),
            };
            let world = &self.link.world;
            let done = self
                .link
                .call(call, late.clone(), || work(Arc::clone(world)));
            match done.await {
                Err(Error::Generic { .. }) if left > 0 => tokio::time::sleep(wait).await,
                done => return done,
            }
            wait *= 2;
        }
        Err(refused(503))
    }
}

#[async_trait]
impl ObjectStore for Way {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let op = match options.mode {
            PutMode::Create => Op::Create,
            _ => Op::Put,
        };
        let late = Some((payload.clone(), options.mode.clone()));
        self.call(op, location, late, |world| {
            let (path, payload, options) = (location.clone(), payload.clone(), options.clone());
            Box::pin(async move { world.files.put_opts(&path, payload, options).await })
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented {
            operation: "an upload in parts".to_owned(),
            implementer: "sim".to_owned(),
        })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.call(Op::Get, location, None, |world| {
            let (path, options) = (location.clone(), options.clone());
            Box::pin(async move {
                let mut got = world.files.get_opts(&path, options).await?;
                got.meta = aged(got.meta);
                Ok(got)
            })
        })
        .await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.call(Op::Get, location, None, |world| {
            let (path, ranges) = (location.clone(), ranges.to_vec());
            Box::pin(async move { world.files.get_ranges(&path, &ranges).await })
        })
        .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let way = self.clone();
        let delete = move |location: Result<Path>| {
            let way = way.clone();
            async move {
                let location = location?;
                let deleted = way.call(Op::Delete, &location, None, |world| {
                    let path = location.clone();
                    Box::pin(async move { world.files.delete(&path).await })
                });
                deleted.await.map(|()| location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (way, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let root = prefix.clone().unwrap_or_default();
            let files = way.call(Op::List, &root, None, |world| {
                let prefix = prefix.clone();
                Box::pin(async move {
                    let files = world.files.list(prefix.as_ref());
                    files.try_collect::<Vec<ObjectMeta>>().await
                })
            });
            let files = files.await?;
            Ok::<_, Error>(stream::iter(files.into_iter().map(|file| Ok(aged(file)))))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = prefix.cloned().unwrap_or_default();
        let listed = self.call(Op::List, &root, None, |world| {
            let prefix = prefix.cloned();
            Box::pin(async move { world.files.list_with_delimiter(prefix.as_ref()).await })
        });
        let mut listed = listed.await?;
        listed.objects = listed.objects.into_iter().map(aged).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented {
            operation: "a copy".to_owned(),
            implementer: "sim".to_owned(),
        })
    }
}
