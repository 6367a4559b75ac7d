//! The image that ships: the binary, the libraries that it is linked with, and the certificates of the world. No shell, no
//! package manager. `Containerfile` makes its file system with this, too, so that there is one list of what is in it.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Content, Image, TAG};

/// A user without a name anywhere else: the one that images without a shell commonly have.
const USER: u64 = 65_532;

/// Authorities whose certificates are trusted: for buckets, Kafka and Redis with TLS.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// What the image's file system holds.
pub(super) fn content(binary: &Path) -> Result<Content> {
    let mut content = Content::new();
    content.program("usr/local/bin/gamepipe", binary)?;
    let certificates = Path::new("/").join(CERTIFICATES);
    if !certificates.is_file() {
        bail!(
            "{} is missing: install ca-certificates",
            certificates.display()
        );
    }
    content.copy(CERTIFICATES, &certificates, 0o644);
    content.text(
        "etc/passwd",
        "root:x:0:0:root:/:/sbin/nologin\ngamepipe:x:65532:65532::/var/lib/gamepipe:/sbin/nologin\n",
        0o644,
    );
    content.text("etc/group", "root:x:0:\ngamepipe:x:65532:\n", 0o644);
    // Names are looked up in the hosts file first, then asked for.
    content.text("etc/nsswitch.conf", "hosts: files dns\n", 0o644);
    content.folder("var/lib/gamepipe", 0o755, USER);
    Ok(content)
}

/// The image with this binary.
pub(super) fn image(binary: &Path) -> Result<Image> {
    Ok(Image {
        name: format!("localhost/gamepipe:{TAG}"),
        content: content(binary)?,
        user: "65532:65532",
        folder: "/var/lib/gamepipe",
        variables: vec!["PATH=/usr/local/bin".to_owned()],
        entrypoint: vec!["/usr/local/bin/gamepipe"],
        command: Vec::new(),
        volumes: Vec::new(),
    })
}
