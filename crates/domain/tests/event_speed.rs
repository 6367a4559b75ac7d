//! Prints what an event from a client costs, from the bytes that were posted to the bytes for the log.

use std::hint::black_box;
use std::time::Instant;

use gamepipe_domain::definition::Game;
use gamepipe_domain::event::{decode_event, encode_event};
use gamepipe_domain::request::RequestContext;
use gamepipe_domain::time::Timestamp;

const EVENTS: u32 = 100_000;

const GAME: &str = r#"
apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {name: speed}
spec:
  events:
    purchase_sword:
      from: [client]
      key: userid
      properties:
        userid: {type: string, maxLength: 64}
        item_type: {type: string}
        description: {type: string}
        amount_purchased: {type: integer, minimum: 1}
        price: {type: integer, minimum: 0}
"#;

const SENT: &str = r#"{"event_id":"0193e5f0-0000-7000-8000-000000000001","event_type":"purchase_sword","event_time":"2026-01-02T03:04:05.678Z","userid":"user042","item_type":"sword","description":"very sharp steel sword","amount_purchased":1,"price":100}"#;

#[test]
fn events_per_second_are_printed() {
    let game = Game::load("speed.yaml", GAME, &|_| Err("no files".to_owned())).expect("a game");
    let context = RequestContext {
        host: Some("user1.example.com:5000".to_owned()),
        user_agent: Some("speed/1.0".to_owned()),
        accept: Some("*/*".to_owned()),
    };
    let now = Timestamp::from_micros(1_767_323_045_000_006);
    let taken = || {
        game.client_event_from_slice(black_box(SENT.as_bytes()), &context, now, String::new)
            .expect("an event")
    };
    let sample = taken();
    let text = encode_event(&sample);
    print("parse and check", || drop(black_box(taken())));
    print("encode", || {
        drop(black_box(encode_event(black_box(&sample))))
    });
    print("parse, check and encode", || {
        drop(black_box(encode_event(&taken())))
    });
    print("decode", || {
        drop(black_box(decode_event("user042", black_box(&text))))
    });
}

fn print(what: &str, work: impl Fn()) {
    let start = Instant::now();
    for _ in 0..EVENTS {
        work();
    }
    let nanos = start.elapsed().as_nanos() / u128::from(EVENTS);
    eprintln!("{what}: {nanos} ns an event");
}
