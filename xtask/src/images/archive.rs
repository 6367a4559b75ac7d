//! An image as one file: a tar archive in the layout of the Open Container Initiative, which `ctr images import`,
//! `podman load`, `kind load image-archive` and `docker load` (25 or newer) take.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tar::{Builder, Header};

use super::content::Content;
use crate::digest;

/// An image: what its file system holds, and how a container of it runs.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its name with a tag, such as `localhost/gamepipe:test`.
    pub(crate) name: String,
    pub(crate) content: Content,
    /// The user's number, and the group's after a colon if it is another.
    pub(crate) user: &'static str,
    pub(crate) folder: &'static str,
    /// `NAME=value`.
    pub(crate) variables: Vec<String>,
    pub(crate) entrypoint: Vec<&'static str>,
    pub(crate) command: Vec<&'static str>,
    /// Folders that get a volume of their own if a pod mounts none there.
    pub(crate) volumes: Vec<&'static str>,
}

impl Image {
    /// Writes the file; one that is there is replaced when the new one is whole.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let folder = path.parent().context("an image needs a folder")?;
        std::fs::create_dir_all(folder)?;
        let process = std::process::id();
        let [layer_path, part] =
            ["layer", "part"].map(|kind| path.with_extension(format!("{kind}-{process}")));
        let written = self.write_parts(&layer_path, &part);
        let moved = written.and_then(|()| Ok(std::fs::rename(&part, path)?));
        // Litter at worst.
        let _ = std::fs::remove_file(&layer_path);
        let _ = std::fs::remove_file(&part);
        moved.with_context(|| format!("failed to write the image {}", path.display()))
    }

    fn write_parts(&self, layer_path: &Path, part: &Path) -> Result<()> {
        let mut layer = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(layer_path)?;
        let mut buffered = std::io::BufWriter::new(&layer);
        self.content.write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        layer.rewind()?;
        let (digest, size) = digest::of_reader(std::io::BufReader::new(&layer))?;
        layer.rewind()?;

        let mut archive = Archive(Builder::new(File::create(part)?));
        archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let config = archive.blob("image.config", &self.config(&digest))?;
        let layer_at = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": format!("sha256:{digest}"),
            "size": size,
        });
        archive.append(&format!("blobs/sha256/{digest}"), size, &mut layer)?;
        let manifest = archive.blob(
            "image.manifest",
            &json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": [layer_at],
            }),
        )?;
        archive.file("index.json", self.index(manifest).to_string().as_bytes())?;
        Ok(archive.0.finish()?)
    }

    fn config(&self, layer: &str) -> Value {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let volumes: serde_json::Map<String, Value> = self
            .volumes
            .iter()
            .map(|path| ((*path).to_owned(), json!({})))
            .collect();
        json!({
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "User": self.user,
                "WorkingDir": self.folder,
                "Env": self.variables,
                "Entrypoint": self.entrypoint,
                "Cmd": self.command,
                "Volumes": volumes,
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask images"}],
        })
    }

    fn index(&self, mut manifest: Value) -> Value {
        let tag = self.name.rsplit(':').next().unwrap_or_default();
        manifest["annotations"] = json!({
            "io.containerd.image.name": self.name,
            "org.opencontainers.image.ref.name": tag,
        });
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        })
    }
}

struct Archive(Builder<File>);

impl Archive {
    /// Adds a document under its digest, and gives what refers to it.
    fn blob(&mut self, kind: &str, value: &Value) -> Result<Value> {
        let text = value.to_string();
        let digest = digest::of_bytes(text.as_bytes());
        self.file(&format!("blobs/sha256/{digest}"), text.as_bytes())?;
        Ok(json!({
            "mediaType": format!("application/vnd.oci.{kind}.v1+json"),
            "digest": format!("sha256:{digest}"),
            "size": text.len(),
        }))
    }

    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        self.append(path, u64::try_from(bytes.len())?, bytes)
    }

    fn append(&mut self, path: &str, size: u64, data: impl std::io::Read) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size);
        Ok(self.0.append_data(&mut header, path, data)?)
    }
}
