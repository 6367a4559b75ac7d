//! The store in Redis passes every check of the port, on a real server.

use gamepipe_config::state::RedisConfig;
use gamepipe_state::redis::RedisStore;
use gamepipe_testkit::conformance::state::Store;
use gamepipe_testkit::place::Place;
use gamepipe_testkit::redis_server::RedisServer;

/// All places share a server; each has a store of its own, named by its folder.
async fn open(place: &Place) -> Store {
    let name = place.path().file_name().unwrap_or_default();
    let config = RedisConfig {
        url: RedisServer::shared().url(),
        name: name.display().to_string(),
        ..RedisConfig::default()
    };
    match RedisStore::open(&config, place.shared_clock()).await {
        Ok(store) => store,
        Err(error) => panic!("{error}"),
    }
}

mod redis_store {
    gamepipe_testkit::state_store_conformance!(super::open);
}
