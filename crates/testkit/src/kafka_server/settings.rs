//! The broker's settings file, its folder and its certificate.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Options, PASSWORD, STRANGER, USER};

/// The certificate of the TLS listener, in PEM.
pub(super) const CERTIFICATE: &str = "certificate.pem";

const KEY_STORE: &str = "broker.p12";

/// Any 16 bytes in base64: every broker is a cluster of its own.
const CLUSTER_ID: &str = "Z2FtZXBpcGUtdGVzdHMtMQ";

/// How long the controller takes a broker that was killed for alive. Its next start waits for that: 9 s by default.
const SESSION_TIMEOUT_MS: u32 = 2000;

/// The ports of a broker's listeners.
#[derive(Debug, Default)]
pub(super) struct Ports {
    pub(super) plain: u16,
    pub(super) controller: u16,
    pub(super) sasl: u16,
    pub(super) tls: u16,
    pub(super) behind: u16,
    pub(super) network: u16,
}

/// Which broker of its cluster it is.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Its number, from 1.
    pub(super) id: usize,
    /// The controllers' ports of all brokers, in the order of their numbers.
    pub(super) controllers: Vec<u16>,
    /// Where ZooKeeper is, for versions that need it instead.
    pub(super) zookeeper: Option<u16>,
}

impl Node {
    /// The only one.
    pub(super) fn alone(ports: &Ports) -> Self {
        Self {
            id: 1,
            controllers: vec![ports.controller],
            zookeeper: None,
        }
    }

    /// True when there are others.
    pub(super) fn has_peers(&self) -> bool {
        self.controllers.len() > 1
    }

    /// How it and its peers agree.
    fn settings(&self) -> String {
        if let Some(port) = self.zookeeper {
            return format!(
                "broker.id={}
zookeeper.connect=127.0.0.1:{port}
zookeeper.session.timeout.ms={SESSION_TIMEOUT_MS}
",
                self.id
            );
        }
        // One that is only slow must not be taken for dead: it would miss when another one dies.
        let session = SESSION_TIMEOUT_MS * if self.has_peers() { 3 } else { 1 };
        let voters = (1..).zip(&self.controllers);
        let voters: Vec<String> = voters
            .map(|(id, port)| format!("{id}@127.0.0.1:{port}"))
            .collect();
        format!(
            "process.roles=broker,controller
node.id={}
controller.quorum.voters={}
controller.listener.names=CONTROLLER
broker.session.timeout.ms={session}
broker.heartbeat.interval.ms={}
",
            self.id,
            voters.join(","),
            session / 5
        )
    }
}

/// Where the settings of the broker in `folder` are.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

/// Writes them.
pub(super) fn write(folder: &Path, ports: &Ports, options: &Options, node: &Node) {
    let mut advertised = vec![format!("PLAINTEXT://127.0.0.1:{}", ports.plain)];
    if options.sasl {
        advertised.push(format!("SASL_PLAINTEXT://127.0.0.1:{}", ports.sasl));
    }
    if options.tls {
        advertised.push(format!("SSL://localhost:{}", ports.tls));
    }
    let mut listeners = advertised.join(",").replace("localhost", "127.0.0.1");
    if options.behind_network || options.behind_proxy {
        listeners.push_str(&format!(",FAR://127.0.0.1:{}", ports.behind));
        advertised.push(format!("FAR://127.0.0.1:{}", ports.network));
    }
    let advertised = advertised.join(",");
    if node.zookeeper.is_none() {
        listeners.push_str(&format!(",CONTROLLER://127.0.0.1:{}", ports.controller));
    }
    let copies = node.controllers.len();
    // One of them may be gone.
    let in_sync = copies.saturating_sub(1).max(1);
    let mut text = node.settings();
    text.push_str(&format!(
        "listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,FAR:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
",
        data(folder, options).display()
    ));
    push_sign_in(&mut text, options);
    if options.tls {
        let store = folder.join(KEY_STORE);
        text.push_str(&format!(
            "ssl.keystore.location={}\nssl.keystore.password={PASSWORD}\nssl.keystore.type=PKCS12\n",
            store.display()
        ));
    }
    for property in &options.properties {
        text.push_str(property);
        text.push('\n');
    }
    if let Err(error) = std::fs::write(path(folder), text) {
        panic!("no settings file: {error}");
    }
}

/// Where the broker in `folder` stores records.
pub(super) fn data(folder: &Path, options: &Options) -> PathBuf {
    let own = || folder.join("data");
    options.data.clone().unwrap_or_else(own)
}

/// What a listener that asks for a password needs.
fn push_sign_in(text: &mut String, options: &Options) {
    if !options.sasl {
        return;
    }
    text.push_str("sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n");
    text.push_str(&format!(
        "listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
         user_{USER}=\"{PASSWORD}\" user_{STRANGER}=\"{PASSWORD}\";\n"
    ));
    for mechanism in ["scram-sha-256", "scram-sha-512"] {
        text.push_str(&format!(
            "listener.name.sasl_plaintext.{mechanism}.sasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
        ));
    }
    text.push_str(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n",
    );
    text.push_str(&format!("super.users=User:ANONYMOUS;User:{USER}\n"));
}

/// What makes the folder, besides the settings of the Java machine.
pub(super) fn format_arguments(folder: &Path, options: &Options) -> Vec<String> {
    // What a start on other ports has left is emptied: its voters are gone.
    let _ = std::fs::remove_dir_all(data(folder, options));
    let settings = path(folder).display().to_string();
    let mut arguments: Vec<String> = [
        "kafka.tools.StorageTool",
        "format",
        "-t",
        CLUSTER_ID,
        "-c",
        &settings,
    ]
    .map(str::to_owned)
    .to_vec();
    if options.sasl {
        for user in [USER, STRANGER] {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                arguments.push("--add-scram".to_owned());
                arguments.push(format!("{mechanism}=[name={user},password={PASSWORD}]"));
            }
        }
    }
    arguments
}

/// Makes a key and a certificate for `localhost` that signs itself.
///
/// # Panics
/// When Java's `keytool` can't.
pub(super) fn make_certificate(folder: &Path) {
    let keytool = |arguments: &[&str]| {
        let ran = Command::new("keytool")
            .args(arguments)
            .args(["-keystore", KEY_STORE, "-storepass", PASSWORD])
            .args(["-storetype", "PKCS12", "-alias", "broker"])
            .current_dir(folder)
            .output();
        match ran {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("keytool: {}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => panic!("keytool can't be run: {error}"),
        }
    };
    let names = "san=dns:localhost";
    keytool(&[
        "-genkeypair",
        "-keyalg",
        "RSA",
        "-keysize",
        "2048",
        "-validity",
        "30",
        "-dname",
        "CN=localhost",
        "-ext",
        names,
        "-ext",
        "bc:c",
    ]);
    keytool(&["-exportcert", "-rfc", "-file", CERTIFICATE]);
}
