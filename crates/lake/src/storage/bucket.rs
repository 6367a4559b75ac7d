//! Files in a bucket of an object store.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use tokio::time::Instant;

use super::{Listed, Put};
use crate::error::{BucketError, LakeError};
use crate::store::{Bucket, LakeStore};

/// How long the check at start may take in all, and how long it waits before it asks an unavailable store again: who starts
/// a process wants to know within ten seconds what is wrong.
const CHECK: Duration = Duration::from_secs(9);
const CHECK_AGAIN: Duration = Duration::from_millis(500);
/// How often the check begins anew after an answer that got lost: another key each time.
const CHECK_ATTEMPTS: u32 = 16;

/// The objects of a lake.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    bucket: Arc<Bucket>,
    /// Sends requests again that may be repeated.
    retrying: Arc<dyn ObjectStore>,
    salt: u64,
}

impl Objects {
    pub(super) fn new(store: &LakeStore, bucket: Arc<Bucket>, salt: u64) -> Self {
        Self {
            bucket,
            retrying: Arc::clone(store.objects()),
            salt,
        }
    }

    /// A put of the same bytes to a name that nobody else uses may be repeated.
    pub(super) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        match self.retrying.put(&object(path), bytes.into()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed("write", path, &error)),
        }
    }

    /// Sent once: when an answer is lost, only the object itself can tell whose it is.
    pub(super) async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
        match self.create(path, bytes).await {
            Ok(put) => Ok(put),
            Err(source) => Err(self.error("write", path, source)),
        }
    }

    async fn create(&self, path: &str, bytes: Vec<u8>) -> Result<Put, BucketError> {
        let put = self
            .bucket
            .once
            .put_opts(&object(path), bytes.into(), PutMode::Create.into())
            .await;
        let error = match put {
            Ok(_) => return Ok(Put::Created),
            Err(error) => error,
        };
        let cause = self.cause(&error);
        match (&error, cause) {
            // 409 is a race that is not decided yet, and no answer to who won.
            (_, cause @ BucketError::Conflict) => Err(cause),
            (object_store::Error::AlreadyExists { .. }, _) => Ok(Put::Exists),
            (_, cause) => Err(cause),
        }
    }

    pub(super) async fn exists(&self, path: &str) -> Result<bool, LakeError> {
        match self.retrying.head(&object(path)).await {
            Ok(_) => Ok(true),
            Err(error) => self.absent("look for", path, &error).map(|()| false),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        let read = async { self.retrying.get(&object(path)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) => self.absent("read", path, &error).map(|()| None),
        }
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Listed>, LakeError> {
        let listed = self
            .retrying
            .list_with_delimiter(Some(&object(path)))
            .await
            .map_err(|error| self.failed("list", path, &error))?;
        let files = listed.objects.into_iter().filter_map(|file| {
            Some(Listed {
                name: file.location.filename()?.to_owned(),
                modified_micros: file.last_modified.timestamp_micros(),
            })
        });
        Ok(files.collect())
    }

    pub(super) async fn remove(&self, path: &str) -> Result<(), LakeError> {
        match self.retrying.delete(&object(path)).await {
            Ok(()) => Ok(()),
            Err(error) => self.absent("remove", path, &error),
        }
    }

    /// Does once what landing does all the time, and finds out whether the store honours conditional puts.
    pub(super) async fn check(&self) -> Result<(), LakeError> {
        let deadline = Instant::now() + CHECK;
        let mut last = self.bucket.no_answer();
        for attempt in 0..CHECK_ATTEMPTS {
            // A key of this attempt alone: what became of an attempt without an answer does not matter to the next one.
            let key = format!("_probe/{:016x}-{attempt}", self.salt);
            let step = tokio::time::timeout_at(deadline, self.check_once(&key)).await;
            match step {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(cause)) if cause.may_pass() => last = cause,
                Ok(Err(cause)) => return Err(self.unusable(&cause)),
                Err(_) => break,
            }
            if Instant::now() + CHECK_AGAIN >= deadline {
                break;
            }
            tokio::time::sleep(CHECK_AGAIN).await;
        }
        Err(self.unusable(&last))
    }

    async fn check_once(&self, key: &str) -> Result<(), BucketError> {
        let path = object(key);
        let once = &self.bucket.once;
        once.list_with_delimiter(Some(&object("_probe")))
            .await
            .map_err(|error| self.cause(&error))?;
        // Absent must be told from forbidden: a key that may not list is answered 403 for both.
        if let Err(error) = once.head(&path).await
            && let Some(cause) = self.bucket.explain(&error)
        {
            return Err(cause);
        }
        let first = self.create(key, b"first".to_vec()).await?;
        let second = self.create(key, b"second".to_vec()).await;
        let found = once.get(&path).await;
        let removed = once.delete(&path).await;
        if first == Put::Exists {
            // Somebody else's object of that very name: nothing can be told from it.
            return Err(BucketError::Conflict);
        }
        if second? == Put::Created {
            return Err(BucketError::NoConditionalPut {
                detail: "a second put of one new object was taken, too".to_owned(),
            });
        }
        let found = found.map_err(|error| self.cause(&error))?;
        let bytes = found.bytes().await.map_err(|error| self.cause(&error))?;
        if bytes != b"first".as_slice() {
            return Err(BucketError::NoConditionalPut {
                detail: "a second put of one new object was refused and replaced it all the same"
                    .to_owned(),
            });
        }
        removed.map_err(|error| self.cause(&error))
    }

    /// The cause behind an error that can't mean that an object is absent.
    fn cause(&self, error: &object_store::Error) -> BucketError {
        self.bucket
            .explain(error)
            .unwrap_or_else(|| self.bucket.no_bucket())
    }

    fn failed(&self, action: &'static str, path: &str, error: &object_store::Error) -> LakeError {
        self.error(action, path, self.cause(error))
    }

    /// Nothing when the error says that there is no such object.
    fn absent(
        &self,
        action: &'static str,
        path: &str,
        error: &object_store::Error,
    ) -> Result<(), LakeError> {
        match self.bucket.explain(error) {
            None => Ok(()),
            Some(source) => Err(self.error(action, path, source)),
        }
    }

    fn error(&self, action: &'static str, path: &str, source: BucketError) -> LakeError {
        LakeError::Bucket {
            action,
            path: path.to_owned(),
            lake: self.bucket.shown.clone(),
            source,
        }
    }

    fn unusable(&self, cause: &BucketError) -> LakeError {
        LakeError::Path {
            path: self.bucket.shown.clone(),
            detail: cause.to_string(),
        }
    }
}

fn object(path: &str) -> Path {
    Path::from(path)
}

#[cfg(test)]
pub(crate) mod tests;
