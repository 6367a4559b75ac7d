//! Kafka for tests, laid out as the official image `apache/kafka` is: the same folders, user, start script and variables,
//! around the jars that the tests have anyway and a Java cut down to what a broker needs.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Content, Image, TAG, program};
use crate::shell::{answers, command, run};

/// The user `appuser`.
const USER: u64 = 1000;

/// What Kafka and its libraries use of Java.
const MODULES: &str = "java.base,java.desktop,java.logging,java.management,java.naming,java.rmi,java.security.jgss,\
                       java.security.sasl,java.sql,java.xml,jdk.crypto.ec,jdk.jcmd,jdk.management,jdk.unsupported,jdk.zipfs";

/// Parts of Java that are linked with libraries besides their own.
const LINKED: [&str; 4] = [
    "bin/java",
    "lib/libjli.so",
    "lib/libzip.so",
    "lib/server/libjvm.so",
];

/// Programs that scripts of the official image use.
const SHELL_TOOLS: [&str; 27] = [
    "bash", "basename", "cat", "chmod", "cp", "cut", "date", "df", "dirname", "env", "expr",
    "grep", "head", "hostname", "id", "ls", "mkdir", "mv", "rm", "sed", "sleep", "sort", "sync",
    "tail", "touch", "tr", "wc",
];

/// Kafka's command-line programs, and their classes.
const COMMANDS: [(&str, &str); 11] = [
    ("kafka-acls.sh", "org.apache.kafka.tools.AclCommand"),
    (
        "kafka-broker-api-versions.sh",
        "org.apache.kafka.tools.BrokerApiVersionsCommand",
    ),
    ("kafka-cluster.sh", "org.apache.kafka.tools.ClusterTool"),
    ("kafka-configs.sh", "kafka.admin.ConfigCommand"),
    (
        "kafka-console-consumer.sh",
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
    ),
    (
        "kafka-console-producer.sh",
        "org.apache.kafka.tools.ConsoleProducer",
    ),
    (
        "kafka-consumer-groups.sh",
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ),
    (
        "kafka-metadata-quorum.sh",
        "org.apache.kafka.tools.MetadataQuorumCommand",
    ),
    (
        "kafka-reassign-partitions.sh",
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    ),
    ("kafka-storage.sh", "kafka.tools.StorageTool"),
    ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
];

const RUN: &str = include_str!("../../../tests/cluster/images/kafka/run");
const RUN_CLASS: &str = include_str!("../../../tests/cluster/images/kafka/kafka-run-class.sh");
const SERVER_START: &str =
    include_str!("../../../tests/cluster/images/kafka/kafka-server-start.sh");
const SETTINGS: &str = include_str!("../../../tests/cluster/images/kafka/server.properties");

/// What the image follows from, besides the jars and the machine's Java.
pub(super) const RECIPE: [&str; 5] = [
    include_str!("kafka.rs"),
    RUN,
    RUN_CLASS,
    SERVER_START,
    SETTINGS,
];

/// The image around these jars; `java` is where a Java is put together.
pub(super) fn image(jars: &Path, java: &Path) -> Result<Image> {
    link_java(java)?;
    let mut content = Content::new();
    content.text(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nappuser:x:1000:1000::/opt/kafka:/bin/bash\n",
        0o644,
    );
    content.text("etc/group", "root:x:0:\nappuser:x:1000:\n", 0o644);
    content.text("etc/nsswitch.conf", "hosts: files dns\n", 0o644);
    add_java(&mut content, java)?;
    for tool in SHELL_TOOLS {
        content.program(&format!("usr/bin/{tool}"), &program(tool)?)?;
    }
    content.link("usr/bin/sh", "bash");
    for folder in [
        "etc/kafka",
        "etc/kafka/docker",
        "etc/kafka/secrets",
        "mnt/shared/config",
        "opt/kafka",
        "opt/kafka/config",
        "opt/kafka/logs",
        "usr/logs",
        "var/lib/kafka",
        "var/lib/kafka/data",
    ] {
        content.folder(folder, 0o775, USER);
    }
    add_kafka(&mut content, jars)?;
    Ok(Image {
        name: format!("localhost/kafka:{TAG}"),
        content,
        // The official image names its user, too: a pod that must not run as root has to say a number itself.
        user: "appuser",
        folder: "/",
        variables: vec![
            "JAVA_HOME=/opt/java/openjdk".to_owned(),
            "PATH=/opt/java/openjdk/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        ],
        entrypoint: Vec::new(),
        command: vec!["/etc/kafka/docker/run"],
        volumes: vec!["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"],
    })
}

fn add_kafka(content: &mut Content, jars: &Path) -> Result<()> {
    for entry in std::fs::read_dir(jars)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| name.ends_with(".jar")) {
            content.copy(&format!("opt/kafka/libs/{name}"), &path, 0o644);
        }
    }
    content.text("etc/kafka/docker/run", RUN, 0o755);
    content.text("etc/kafka/docker/server.properties", SETTINGS, 0o644);
    content.text("opt/kafka/bin/kafka-run-class.sh", RUN_CLASS, 0o755);
    content.text("opt/kafka/bin/kafka-server-start.sh", SERVER_START, 0o755);
    for (name, class) in COMMANDS {
        let script =
            format!("#!/bin/bash\nexec \"$(dirname \"$0\")/kafka-run-class.sh\" {class} \"$@\"\n");
        content.text(&format!("opt/kafka/bin/{name}"), &script, 0o755);
    }
    // The start script writes it, whoever the user is.
    content.text("opt/kafka/config/server.properties", SETTINGS, 0o666);
    Ok(())
}

fn link_java(java: &Path) -> Result<()> {
    if !answers("jlink", "--version") {
        bail!("jlink is not installed: it comes with a JDK (17 or newer)");
    }
    // What an attempt that was cut off has left is of no use.
    let _ = std::fs::remove_dir_all(java);
    run(command("jlink", &["--add-modules", MODULES])
        .args([
            "--strip-java-debug-attributes",
            "--no-header-files",
            "--no-man-pages",
            "--output",
        ])
        .arg(java))
}

fn add_java(content: &mut Content, java: &Path) -> Result<()> {
    content.tree("opt/java/openjdk", java)?;
    let own = [java.join("lib"), java.join("lib/server")];
    for part in LINKED {
        content.libraries(&java.join(part), &own, |library| !library.starts_with(java))?;
    }
    Ok(())
}
