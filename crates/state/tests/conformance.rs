//! The embedded store passes every check of the port.

#![expect(clippy::unwrap_used, reason = "a test")]

use gamepipe_config::state::StateConfig;
use gamepipe_state::embedded::EmbeddedStore;
use gamepipe_testkit::conformance::state::Store;
use gamepipe_testkit::place::Place;

async fn open(place: &Place) -> Store {
    let config = StateConfig {
        path: place.path_text(),
        ..StateConfig::default()
    };
    EmbeddedStore::open(&config, place.shared_clock()).unwrap()
}

gamepipe_testkit::state_store_conformance!(open);
