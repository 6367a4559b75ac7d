//! Everything that can be wrong with a Redis is named, with what to change, and never with the password.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use gamepipe_config::state::{Durability, RedisConfig};
use gamepipe_service::clock::SystemClock;
use gamepipe_state::redis::RedisStore;
use gamepipe_state::{Commit, CommitOutcome, StateError, StateStore};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_testkit::transfers::{Ledger, money, transfer};
use gamepipe_testkit::wait;

const SECRET: &str = "hunter2";

fn config(url: &str) -> RedisConfig {
    RedisConfig {
        url: url.to_owned(),
        ..RedisConfig::default()
    }
}

async fn open(config: &RedisConfig) -> Result<Arc<RedisStore>, StateError> {
    wait::ready(
        "a start ends",
        RedisStore::open(config, Arc::new(SystemClock)),
    )
    .await
}

/// Why a store can't be opened.
async fn refusal(config: &RedisConfig) -> String {
    let text = open(config).await.unwrap_err().to_string();
    assert!(!text.contains(SECRET), "{text}");
    text
}

#[tokio::test]
async fn redis_with_a_wrong_password_is_named_without_telling_it() {
    let server = RedisServer::start(&["--requirepass", "correct"]);
    let port = server.port();
    for url in [
        format!("redis://:{SECRET}@127.0.0.1:{port}"),
        format!("redis://nobody:{SECRET}@127.0.0.1:{port}"),
        format!("redis://127.0.0.1:{port}"),
    ] {
        let text = refusal(&config(&url)).await;
        assert!(text.contains("refuses the user or password"), "{text}");
        assert!(text.contains("state.redis.password"), "{text}");
    }
    let right = RedisConfig {
        password: "correct".to_owned(),
        ..config(&server.url())
    };
    transfer(&*open(&right).await.unwrap(), "t", 0, 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn redis_that_is_not_there_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = refusal(&config(&format!("redis://:{SECRET}@{nobody}"))).await;
    assert!(
        text.contains(&nobody.to_string()) && text.contains("connection refused"),
        "{text}"
    );
    assert!(text.contains("state.redis.url"), "{text}");
    let text = refusal(&config("redis://no-such-host.invalid:6379")).await;
    assert!(
        text.contains("no-such-host.invalid:6379 can't be reached"),
        "{text}"
    );
    let text = refusal(&config("localhost")).await;
    assert!(text.contains("state.redis.url must be"), "{text}");
}

#[tokio::test]
async fn redis_whose_port_is_another_server_s_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let text = refusal(&config(&format!("redis://{address}"))).await;
    assert!(text.contains("does not speak Redis's protocol"), "{text}");
}

#[tokio::test]
async fn redis_that_accepts_and_says_nothing_is_named_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let text = refusal(&config(&format!("redis://{address}"))).await;
    assert!(text.contains("did not answer within 4 s"), "{text}");
}

#[tokio::test]
async fn redis_settings_that_would_lose_state_are_named() {
    let server = RedisServer::start(&["--appendonly", "no"]);
    let config = config(&server.url());
    let text = refusal(&config).await;
    assert!(
        text.contains("append-only file") && text.contains("set appendonly yes"),
        "{text}"
    );
    let careless = RedisConfig {
        durability: Durability::None,
        ..config.clone()
    };
    transfer(&*open(&careless).await.unwrap(), "t", 0, 1)
        .await
        .unwrap();
    server.ask(&["CONFIG", "SET", "appendonly", "yes", "appendfsync", "no"]);
    let text = refusal(&config).await;
    assert!(text.contains("set appendfsync everysec"), "{text}");
    server.ask(&["CONFIG", "SET", "appendfsync", "everysec"]);
    let strict = RedisConfig {
        durability: Durability::Always,
        ..config.clone()
    };
    let text = refusal(&strict).await;
    assert!(text.contains("set appendfsync always"), "{text}");
    let store = open(&config).await.unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let text = refusal(&config).await;
    assert!(text.contains("set maxmemory-policy noeviction"), "{text}");
    // A setting that is changed later is noticed, too, and so is that it was set right again.
    let is_refused = async || {
        let refused = transfer(&*store, "t2", 0, 1).await;
        refused.is_err_and(|error| error.to_string().contains("noeviction"))
    };
    wait::until("the change is noticed", is_refused).await;
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    wait::until("it goes on", async || {
        transfer(&*store, "t3", 0, 1).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn redis_out_of_memory_takes_nothing_and_can_be_drained() {
    let server = RedisServer::start(&[]);
    let store = open(&config(&server.url())).await.unwrap();
    transfer(&*store, "before", 0, 1).await.unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let text = transfer(&*store, "during", 0, 1)
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("out of memory and took nothing"), "{text}");
    assert_eq!(store.outbox_depth().await.unwrap(), 2);
    let again = open(&config(&server.url())).await.unwrap();
    let mut ledger = Ledger::default();
    ledger.drain(&*again).await;
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    transfer(&*store, "after", 0, 1).await.unwrap();
    ledger.drain(&*store).await;
    ledger
        .check(&*store, &["before".to_owned(), "after".to_owned()])
        .await;
    assert_eq!(ledger.transfers(), 2);
}

#[tokio::test]
async fn redis_users_who_may_too_little_are_found_before_the_first_commit() {
    let server = RedisServer::start(&[]);
    let url = format!("redis://game:{SECRET}@127.0.0.1:{}", server.port());
    let password = format!(">{SECRET}");
    let user = |rights: &[&str]| {
        let mut command = vec!["ACL", "SETUSER", "game", "reset", "on", &password];
        command.extend(rights);
        assert_eq!(server.ask(&command), "OK");
    };
    user(&["~{gamepipe:*", "+@all", "-zadd"]);
    let text = refusal(&config(&url)).await;
    assert!(text.contains("give the user more rights"), "{text}");
    user(&["~other*", "+@all"]);
    let text = refusal(&config(&url)).await;
    assert!(text.contains("give the user more rights"), "{text}");
    // Without the right to read settings, which managed servers withhold.
    user(&["~{gamepipe:*", "+@all", "-@admin"]);
    let store = open(&config(&url)).await.unwrap();
    transfer(&*store, "t", 0, 1).await.unwrap();
    assert_eq!(store.scan("player", None, 10).await.unwrap().len(), 2);
    let waits = async || store.outbox_changed(1).await;
    wait::ready("waiting is allowed", waits()).await;
}

#[tokio::test]
async fn redis_that_forgets_its_scripts_or_drops_connections_is_served_again() {
    let server = RedisServer::start(&[]);
    let store = open(&config(&server.url())).await.unwrap();
    transfer(&*store, "before", 0, 1).await.unwrap();
    server.ask(&["SCRIPT", "FLUSH"]);
    transfer(&*store, "between", 0, 1).await.unwrap();
    store.trim_outbox(2).await.unwrap();
    server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    wait::until("it connects again", async || {
        transfer(&*store, "after", 0, 1).await.is_ok()
    })
    .await;
    // The same server, the same run: nothing can be missing, and nobody has to confirm.
    assert_eq!(money(&*store, 1).await.0, 3);
}

#[tokio::test]
async fn redis_commits_that_are_too_large_are_refused_before_they_are_sent() {
    let server = RedisServer::start(&[]);
    let store = open(&config(&server.url())).await.unwrap();
    let large = Commit {
        events: vec![(String::new(), vec![0; 9 << 20].into())],
        ..Commit::default()
    };
    let many = Commit {
        events: vec![(String::new(), "x".into()); 2001],
        ..Commit::default()
    };
    for commit in [large, many] {
        let error = store.commit(commit).await.unwrap_err();
        assert!(
            matches!(&error, StateError::Invalid(text) if text.contains("limit")),
            "{error}"
        );
    }
    let most = Commit {
        expected: (0..2000)
            .map(|number| (gamepipe_testkit::transfers::player(number), 0))
            .collect(),
        writes: (0..2000)
            .map(|number| {
                (
                    gamepipe_testkit::transfers::player(number),
                    Default::default(),
                )
            })
            .collect(),
        events: vec![(String::new(), "x".into()); 2000],
        ..Commit::default()
    };
    assert_eq!(store.commit(most).await.unwrap(), CommitOutcome::Committed);
    assert_eq!(store.outbox(0, 5000).await.unwrap().len(), 2000);
    assert_eq!(store.scan("player", None, 5000).await.unwrap().len(), 2000);
}

#[tokio::test]
async fn redis_cluster_is_followed_to_the_node_that_has_the_store() {
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let node = || RedisServer::start(&["--cluster-enabled", "yes", "--cluster-port", &free()]);
    let (seed, owner) = (node(), node());
    owner.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let bus = owner.ask(&["CONFIG", "GET", "cluster-port"]);
    let bus = bus.lines().last().unwrap().to_owned();
    seed.ask(&[
        "CLUSTER",
        "MEET",
        "127.0.0.1",
        &owner.port().to_string(),
        &bus,
    ]);
    let knows = async || seed.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
    wait::until("the cluster is whole", knows).await;
    let owned = async || owner.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
    wait::until("its owner thinks so, too", owned).await;
    let store = open(&config(&seed.url())).await.unwrap();
    transfer(&*store, "t", 0, 1).await.unwrap();
    assert_eq!(store.scan("player", None, 10).await.unwrap().len(), 2);
    assert_eq!(owner.ask(&["XLEN", "{gamepipe:gamepipe}outbox"]), "2");
    let mut ledger = Ledger::default();
    ledger.drain(&*store).await;
    ledger.check(&*store, &["t".to_owned()]).await;
}
