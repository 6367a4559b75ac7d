//! Redis for tests, laid out as the official image `redis` is: programs in `/usr/local/bin`, data in `/data`, started as
//! root unless a pod says otherwise, the user `redis` being number 999.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Content, Image, TAG, program};

const USER: u64 = 999;

/// Hands the command over; the official script also takes `redis-server`'s options alone.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -e
case "${1-}" in
    -* | *.conf) set -- redis-server "$@" ;;
esac
exec "$@"
"#;

/// What the image follows from, besides Redis.
pub(super) const RECIPE: [&str; 1] = [include_str!("redis.rs")];

/// The image around this `redis-server` and `redis-cli`, whose libraries may lie in `folders`.
pub(super) fn image(programs: [&Path; 2], folders: &[PathBuf]) -> Result<Image> {
    let mut content = Content::new();
    content.text(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nredis:x:999:999::/data:/bin/sh\n",
        0o644,
    );
    content.text("etc/group", "root:x:0:\nredis:x:999:\n", 0o644);
    content.text("etc/nsswitch.conf", "hosts: files dns\n", 0o644);
    for (name, program) in ["redis-server", "redis-cli"].into_iter().zip(programs) {
        content.copy(&format!("usr/local/bin/{name}"), program, 0o755);
        content.libraries(program, folders, |_| true)?;
    }
    for tool in ["sh", "cat", "sleep", "timeout", "grep", "ls"] {
        content.program(&format!("usr/bin/{tool}"), &program(tool)?)?;
    }
    content.text("usr/local/bin/docker-entrypoint.sh", ENTRYPOINT, 0o755);
    content.folder("data", 0o755, USER);
    Ok(Image {
        name: format!("localhost/redis:{TAG}"),
        content,
        user: "",
        folder: "/data",
        variables: vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        ],
        entrypoint: vec!["docker-entrypoint.sh"],
        command: vec!["redis-server"],
        volumes: vec!["/data"],
    })
}
