//! A query sees one consistent cut over all its tables, while epochs are being committed.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Endpoint;

#[tokio::test]
async fn two_tables_of_one_query_are_always_of_the_same_epoch() {
    let endpoint = Endpoint::start().await;
    let epochs = 30_u64;
    let land = async {
        for n in 0..epochs {
            let players = vec![json!({"username": format!("p{n}")})];
            let attacks = vec![json!({"attacker": format!("p{n}"), "defender": "zed"}); 2];
            endpoint
                .land(&[
                    ("player_events", players),
                    ("successful_attack_events", attacks),
                ])
                .await;
        }
    };
    let ask = async {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut last = 0;
        while last < epochs && Instant::now() < deadline {
            let sql = "select (select count(*) from player_events), (select count(*) from successful_attack_events), \
                       (select count(*) from arena_raw._epochs)";
            let rows = endpoint.rows(sql).await;
            let counts: Vec<u64> = rows[0]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_u64().unwrap())
                .collect();
            assert_eq!(counts[1], counts[0] * 2, "both tables are of one epoch");
            assert_eq!(counts[2], counts[0], "the audit trail is of that epoch too");
            assert!(counts[0] >= last, "a later query never sees less");
            last = counts[0];
        }
        last
    };
    let ((), last) = tokio::join!(land, ask);
    assert_eq!(last, epochs);
    endpoint.stop().await;
}

#[tokio::test]
async fn rows_that_no_epoch_covers_are_not_seen() {
    let endpoint = Endpoint::start().await;
    endpoint
        .land(&[("player_events", vec![json!({"username": "ann"})])])
        .await;
    assert_eq!(
        endpoint.rows("select count(*) from player_events").await,
        json!([[1]])
    );
    // The same answers again, from what is cached.
    for _ in 0..3 {
        assert_eq!(
            endpoint.rows("select username from player_events").await,
            json!([["ann"]])
        );
    }
    endpoint.stop().await;
}
