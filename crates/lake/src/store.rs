//! Where a lake's files are, a directory or a prefix of a bucket, and how libraries reach them: as an object store, and as
//! Delta tables. Nothing is registered with any library: two lakes in one process never meet.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::DeltaTable;
use deltalake::logstore::{StorageConfig, default_logstore};
use gamepipe_config::lake::LakeConfig;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use crate::error::{Asked, BucketError, LakeError, explain};
use crate::reader::ReadError;

mod s3;

/// The objects of a lake that no settings name: whoever opens the lake brings the clients, as the simulation does.
#[derive(Debug, Clone)]
pub struct LakeObjects {
    /// What texts call the place: lower-case letters, digits and hyphens.
    pub name: String,
    /// May send a request again. Used for all that can be repeated.
    pub retrying: Arc<dyn ObjectStore>,
    /// Must send each request once, and take a put with [`object_store::PutMode::Create`] only if the name is free.
    pub once: Arc<dyn ObjectStore>,
}

/// A lake's files.
#[derive(Debug, Clone)]
pub(crate) struct LakeStore {
    /// All of the machine's files, or of the bucket.
    whole: Arc<dyn ObjectStore>,
    /// The lake's alone.
    lake: Arc<dyn ObjectStore>,
    /// The lake's root, with `/` at its end.
    url: Url,
    place: Place,
}

/// What kind of place it is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Directory(Arc<FilePath>),
    Bucket(Arc<Bucket>),
}

/// A lake's place in a bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Such as `s3://games/arena`.
    pub(crate) shown: String,
    name: String,
    endpoint: String,
    region: String,
    /// The lake's objects through a client that sends every request once. An answer is then an answer to that request: of
    /// a conditional put that is sent again after its answer was lost, one can't tell who met whom.
    pub(crate) once: Arc<dyn ObjectStore>,
}

impl LakeStore {
    /// The files of the lake that the settings name. Nothing is read yet; a directory need not exist.
    pub(crate) fn open(config: &LakeConfig) -> Result<Self, LakeError> {
        let refuse = |detail: String| LakeError::Path {
            path: config.path.clone(),
            detail,
        };
        if config.path.is_empty() {
            return Err(refuse("no path is configured".to_owned()));
        }
        match config.path.split_once("://") {
            None => Self::directory(FilePath::new(&config.path)).map_err(refuse),
            Some(("s3", rest)) => Self::bucket(rest, config).map_err(refuse),
            Some(_) => Err(refuse(
                "a lake is a directory or s3://BUCKET/PREFIX".to_owned(),
            )),
        }
    }

    /// The files below a directory.
    pub(crate) fn directory(path: &FilePath) -> Result<Self, String> {
        let absolute = std::path::absolute(path).map_err(|error| error.to_string())?;
        let prefix = Path::from_absolute_path(&absolute).map_err(|error| error.to_string())?;
        let url = Url::from_directory_path(&absolute)
            .map_err(|()| "it has no form as a URL".to_owned())?;
        let whole: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        Ok(Self {
            lake: Arc::new(PrefixStore::new(Arc::clone(&whole), prefix)),
            whole,
            url,
            place: Place::Directory(absolute.into()),
        })
    }

    fn bucket(path: &str, config: &LakeConfig) -> Result<Self, String> {
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        let prefix = prefix.trim_end_matches('/');
        s3::check_names(name, prefix)?;
        let prefix_path = Path::parse(prefix).map_err(|error| error.to_string())?;
        let shown = match prefix {
            "" => format!("s3://{name}"),
            prefix => format!("s3://{name}/{prefix}"),
        };
        let url = Url::parse(&format!("{shown}/")).map_err(|error| error.to_string())?;
        let clients = s3::clients(name, &config.s3)?;
        let below = |store: Arc<dyn ObjectStore>| -> Arc<dyn ObjectStore> {
            Arc::new(PrefixStore::new(store, prefix_path.clone()))
        };
        let place = Bucket {
            shown,
            name: name.to_owned(),
            endpoint: s3::endpoint(&config.s3),
            region: config.s3.region.clone(),
            once: below(clients.once),
        };
        Ok(Self {
            lake: below(Arc::clone(&clients.retrying)),
            whole: clients.retrying,
            url,
            place: Place::Bucket(Arc::new(place)),
        })
    }

    /// The files behind clients that are there already.
    pub(crate) fn on(objects: LakeObjects) -> Result<Self, LakeError> {
        let url = Url::parse(&format!("s3://{}/", objects.name));
        let place = Bucket {
            shown: objects.name.clone(),
            endpoint: objects.name.clone(),
            region: String::new(),
            once: objects.once,
            name: objects.name,
        };
        let url = url.map_err(|error| LakeError::Path {
            path: place.name.clone(),
            detail: error.to_string(),
        })?;
        Ok(Self {
            lake: Arc::clone(&objects.retrying),
            whole: objects.retrying,
            url,
            place: Place::Bucket(Arc::new(place)),
        })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// True when every request goes over a network.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Bucket(_))
    }

    /// The lake's files and nothing else. Paths are relative to the lake.
    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.lake
    }

    /// Where a file is, for texts.
    pub(crate) fn shown(&self, path: &str) -> String {
        match &self.place {
            Place::Directory(root) => root.join(path).display().to_string(),
            Place::Bucket(bucket) => format!("{}/{path}", bucket.shown),
        }
    }

    /// A table as Delta readers see it, of which nothing has been read yet.
    pub(crate) fn delta_table(&self, name: &str) -> Result<DeltaTable, LakeError> {
        let url = self
            .url
            .join(&format!("{name}/"))
            .map_err(|error| LakeError::corrupt(name, error.to_string()))?;
        let table: Arc<dyn ObjectStore> =
            Arc::new(PrefixStore::new(Arc::clone(&self.lake), Path::from(name)));
        let log = default_logstore(
            table,
            Arc::clone(&self.whole),
            &url,
            &StorageConfig::default(),
        );
        Ok(DeltaTable::new(log))
    }

    /// The bytes at `path`; `None` when there is nothing.
    pub(crate) async fn fetch(&self, path: &Path) -> Result<Option<Bytes>, ReadError> {
        let read = async { self.lake.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => self.absent(path, error).map(|()| None),
        }
    }

    /// True when there is something at `path`.
    pub(crate) async fn has(&self, path: &Path) -> Result<bool, ReadError> {
        match self.lake.head(path).await {
            Ok(_) => Ok(true),
            Err(error) => self.absent(path, error).map(|()| false),
        }
    }

    /// The names of the files directly in a folder; none when there is no such folder.
    pub(crate) async fn names(&self, folder: &Path) -> Result<Vec<String>, ReadError> {
        let listed = match self.lake.list_with_delimiter(Some(folder)).await {
            Ok(listed) => listed.objects,
            // A store has no folders: what is not found is the bucket.
            Err(error) => {
                self.absent(folder, error)?;
                Vec::new()
            }
        };
        let names = listed.iter().filter_map(|file| file.location.filename());
        Ok(names.map(str::to_owned).collect())
    }

    /// Nothing when the error says that there is no such file; else the error for readers.
    fn absent(&self, path: &Path, error: object_store::Error) -> Result<(), ReadError> {
        let Place::Bucket(bucket) = &self.place else {
            return match error {
                object_store::Error::NotFound { .. } => Ok(()),
                source => Err(ReadError::Store {
                    path: path.to_string(),
                    source,
                }),
            };
        };
        match bucket.explain(&error) {
            None => Ok(()),
            Some(source) => Err(ReadError::Bucket {
                path: path.to_string(),
                lake: bucket.shown.clone(),
                source,
            }),
        }
    }
}

impl Bucket {
    /// The cause behind an error of the client; `None` when there is no such object.
    pub(crate) fn explain(&self, error: &object_store::Error) -> Option<BucketError> {
        let asked = Asked {
            endpoint: &self.endpoint,
            region: &self.region,
            bucket: &self.name,
        };
        explain(error, asked)
    }

    /// The error for a request that got no answer in the time that its caller has.
    pub(crate) fn no_answer(&self) -> BucketError {
        BucketError::NoAnswer {
            endpoint: self.endpoint.clone(),
        }
    }

    /// The error for a bucket that is not there.
    pub(crate) fn no_bucket(&self) -> BucketError {
        BucketError::NoBucket {
            endpoint: self.endpoint.clone(),
            bucket: self.name.clone(),
        }
    }
}
