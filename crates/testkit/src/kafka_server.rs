//! A real Kafka for tests: brokers on free ports with folders of their own, killed, stopped and started again at will, and
//! gone with the test, however that ends.

mod broker_proxy;
mod cluster;
mod settings;
mod wire;
mod zookeeper;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::broker_proxy::BrokerProxy;
pub use self::cluster::KafkaCluster;
use self::settings::{Node, Ports};
use self::zookeeper::ZooKeeper;
use crate::network::Network;
use crate::process::{Process, free_port, insist};

/// The folder of the broker's jars.
pub const VARIABLE: &str = "GAMEPIPE_TEST_KAFKA";

/// The folder of the jars of a broker that is too old.
pub const OLD_VARIABLE: &str = "GAMEPIPE_TEST_KAFKA_OLD";

/// How long a broker may take until it answers: two seconds on an idle machine.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// How often a broker is looked at that starts or ends.
const PAUSE: Duration = Duration::from_millis(20);

/// How often a start is tried: another process may take a free port first.
const START_ATTEMPTS: usize = 5;

/// The user who may do everything, and one who may do nothing.
pub const USER: &str = "gamepipe";
/// A user who can sign in and may do nothing.
pub const STRANGER: &str = "stranger";
/// The password of both.
pub const PASSWORD: &str = "kafka-secret-of-tests";

/// What a broker offers besides its plain listener.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A listener that asks [`USER`] and [`STRANGER`] for [`PASSWORD`] (PLAIN and SCRAM-SHA-256 and -512), and rights that are
    /// checked on it.
    pub sasl: bool,
    /// A listener with TLS; [`KafkaServer::ca_file`] has the certificate.
    pub tls: bool,
    /// More settings of the broker, `name=value`.
    pub properties: Vec<String>,
    /// Run it as one that is measured: a heap of 1 GiB and the full compiler.
    pub measured: bool,
    /// A listener behind a network that can be cut: [`KafkaServer::network`].
    pub behind_network: bool,
    /// A listener behind a proxy that can have the broker answer what it would not: [`KafkaServer::proxy`]. Not together with a network.
    pub behind_proxy: bool,
    /// The folder of what the broker stores, instead of one of its own.
    pub data: Option<PathBuf>,
    /// Run the jars of [`OLD_VARIABLE`].
    pub old: bool,
}

/// A running broker.
#[derive(Debug)]
pub struct KafkaServer {
    folder: TempDir,
    jars: PathBuf,
    options: Options,
    ports: Ports,
    node: Node,
    process: Option<Process>,
    network: Option<Network>,
    proxy: Option<BrokerProxy>,
    /// For versions that need one.
    zookeeper: Option<ZooKeeper>,
}

impl KafkaServer {
    /// Starts a broker and waits until it answers.
    ///
    /// # Panics
    /// When it can't be started; the message says why.
    pub fn start(options: Options) -> Self {
        let mut server = Self::new(options);
        for _ in 0..START_ATTEMPTS {
            server.choose_ports();
            server.node = Node::alone(&server.ports);
            server.format();
            if server.spawn() {
                return server;
            }
        }
        panic!("Kafka does not start: {}", server.log());
    }

    /// One that was not started yet.
    fn new(options: Options) -> Self {
        let variable = if options.old { OLD_VARIABLE } else { VARIABLE };
        let Some(jars) = std::env::var_os(variable) else {
            panic!(
                "where are Kafka's jars? use `cargo xtask test`, which fetches them, or set {variable} to their folder"
            );
        };
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("no temporary folder: {error}"),
        };
        let server = Self {
            folder,
            jars: jars.into(),
            options,
            ports: Ports::default(),
            node: Node::default(),
            process: None,
            network: None,
            proxy: None,
            zookeeper: None,
        };
        if server.options.tls {
            settings::make_certificate(server.path());
        }
        server
    }

    fn choose_ports(&mut self) {
        self.ports = Ports {
            plain: free_port(),
            controller: free_port(),
            sasl: free_port(),
            tls: free_port(),
            behind: free_port(),
            network: 0,
        };
        if self.options.behind_network {
            let network = Network::to(self.ports.behind);
            self.ports.network = network.port();
            self.network = Some(network);
        }
        if self.options.behind_proxy {
            let proxy = BrokerProxy::to(self.ports.behind);
            self.ports.network = proxy.port();
            self.proxy = Some(proxy);
        }
    }

    /// A broker for all tests of a process whose topics have names of their own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<KafkaServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Options::default()))
    }

    /// Its address as settings have it.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// The address of the listener that asks for a password.
    pub fn sasl_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.sasl)
    }

    /// The address of the listener with TLS, by the name that its certificate has.
    pub fn tls_bootstrap(&self) -> String {
        format!("localhost:{}", self.ports.tls)
    }

    /// The network in front of the listener of [`Self::far_bootstrap`].
    ///
    /// # Panics
    /// When it was not asked for.
    pub fn network(&self) -> &Network {
        match &self.network {
            Some(network) => network,
            None => panic!("the broker was started without a network that can be cut"),
        }
    }

    /// The proxy in front of the listener of [`Self::far_bootstrap`].
    ///
    /// # Panics
    /// When it was not asked for.
    pub fn proxy(&self) -> &BrokerProxy {
        match &self.proxy {
            Some(proxy) => proxy,
            None => panic!("the broker was started without a proxy"),
        }
    }

    /// The address behind the network that can be cut, or behind the proxy.
    ///
    /// # Panics
    /// When none of them was asked for.
    pub fn far_bootstrap(&self) -> String {
        assert!(
            self.ports.network != 0,
            "the broker was started with nothing in front of it"
        );
        format!("127.0.0.1:{}", self.ports.network)
    }

    /// The file with the certificate that the TLS listener shows.
    pub fn ca_file(&self) -> String {
        self.path()
            .join(settings::CERTIFICATE)
            .display()
            .to_string()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    pub fn process_id(&self) -> &str {
        match &self.process {
            Some(process) => process.id(),
            None => panic!("the broker is not running"),
        }
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end (SIGTERM) and waits: it hands the partitions that it leads to others first.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let begun = Instant::now();
        while self.is_alive() {
            assert!(begun.elapsed() < START_DEADLINE, "no end: {}", self.log());
            std::thread::sleep(PAUSE);
        }
        self.process = None;
    }

    /// True while its process runs.
    pub fn is_alive(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_alive)
    }

    /// Starts it again, on the same ports and folder.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let is_up = insist(START_DEADLINE, || self.spawn());
        assert!(is_up, "no restart: {}", self.log());
    }

    /// Stops it where it stands (SIGSTOP): it answers nothing and keeps its connections.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// The file with the first records of a partition.
    pub fn segment(&self, topic: &str, partition: u32) -> PathBuf {
        let folder = settings::data(self.path(), &self.options);
        folder
            .join(format!("{topic}-{partition}"))
            .join("00000000000000000000.log")
    }

    /// What it has said.
    pub fn log(&self) -> String {
        let path = self.log_path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        format!("{}:\n{text}", path.display())
    }

    fn log_path(&self) -> PathBuf {
        self.path().join("broker.log")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn signal(&self, name: &str) {
        match &self.process {
            Some(process) => process.signal(name),
            None => panic!("the broker is not running"),
        }
    }

    /// Makes an empty broker's folder, for the ports that it has now.
    fn format(&mut self) {
        if ZooKeeper::is_needed(&self.jars) {
            let java = self.java();
            let zookeeper = self
                .zookeeper
                .get_or_insert_with(|| ZooKeeper::start(self.folder.path(), java));
            self.node.zookeeper = Some(zookeeper.port());
        }
        settings::write(self.path(), &self.ports, &self.options, &self.node);
        if self.node.zookeeper.is_some() {
            return;
        }
        let mut arguments = self.java();
        arguments.extend(settings::format_arguments(self.path(), &self.options));
        let output = std::process::Command::new("java").args(&arguments).output();
        match output {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!(
                "Kafka's folder can't be made: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(error) => panic!("java can't be run: {error}"),
        }
    }

    /// True when it answers in time.
    fn spawn(&mut self) -> bool {
        self.launch();
        self.answers()
    }

    fn launch(&mut self) {
        self.process = None;
        let opened = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = match opened {
            Ok(log) => log,
            Err(error) => panic!("no log file: {error}"),
        };
        let mut arguments = self.java();
        arguments.push("kafka.Kafka".to_owned());
        arguments.push(settings::path(self.path()).display().to_string());
        self.process = Some(Process::start("java", &arguments, log));
    }

    /// Waits until it answers; false when it ends or the time is up.
    fn answers(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < START_DEADLINE && self.is_alive() {
            if wire::has_brokers(self.ports.plain) {
                return true;
            }
            std::thread::sleep(PAUSE);
        }
        self.process = None;
        false
    }

    fn java(&self) -> Vec<String> {
        let jars = format!("{}/*", self.jars.display());
        // A small heap, and a compiler that is quick rather than good: a test broker lives for seconds.
        let (heap, collector, compiler) = if self.options.measured {
            ("-Xmx1g", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=4")
        } else if self.node.has_peers() {
            ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        } else {
            ("-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        };
        let arguments = [
            "-Xms96m",
            heap,
            collector,
            compiler,
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            &jars,
        ];
        arguments.map(str::to_owned).to_vec()
    }
}
