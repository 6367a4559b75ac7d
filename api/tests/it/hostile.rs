//! Hostile and clumsy clients (LI-1): a clear refusal, and a service that stays up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use gamepipe_config::api::ApiConfig;
use serde_json::json;

use crate::harness::{BANK, DEADLINE, TestApi, game};

/// Sends bytes as they are and reads until the server ends the connection.
async fn raw(api: &TestApi, bytes: &'static [u8]) -> String {
    let address = api.address;
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = stream.write_all(bytes);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    });
    exchange.await.unwrap()
}

#[tokio::test]
async fn bytes_that_are_no_http_are_refused() {
    let api = TestApi::bank().await;
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls?\r\n\r\n".as_slice(),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        b"POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ] {
        let reply = raw(&api, bytes).await;
        assert!(
            reply.is_empty() || reply.starts_with("HTTP/1.1 400"),
            "{bytes:?}: {reply}"
        );
    }
    assert_eq!(api.get("/livez").await.status, 200);
}

#[tokio::test]
async fn smuggled_lengths_are_refused() {
    let api = TestApi::bank().await;
    let both = b"POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\nGET /spend?name=a HTTP/1.1\r\n\r\n";
    let reply = raw(&api, both).await;
    assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{reply}");
}

#[tokio::test]
async fn oversized_heads_and_uris_are_refused() {
    let api = TestApi::bank().await;
    let long = format!("/spend?name={}", "a".repeat(9000));
    api.get(&long).await.is_problem(414, "uri_too_long");
    let huge = "x".repeat(20_000);
    let reply = api
        .try_send("GET", "/livez", &[("x-huge", &huge)], "")
        .await;
    assert!(reply.is_none_or(|reply| reply.status == 431));
    assert_eq!(api.get("/livez").await.status, 200);
}

#[tokio::test]
async fn slow_heads_are_cut_off() {
    let config = ApiConfig {
        head_timeout_ms: 100,
        ..ApiConfig::default()
    };
    let api = TestApi::start(game(BANK), config).await;
    let reply = raw(&api, b"GET /livez HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
    assert!(
        reply.is_empty() || reply.starts_with("HTTP/1.1 408"),
        "{reply}"
    );
}

#[tokio::test]
async fn slow_bodies_are_408() {
    let config = ApiConfig {
        body_timeout_ms: 100,
        head_timeout_ms: 500,
        ..ApiConfig::default()
    };
    let api = TestApi::start(game(BANK), config).await;
    let slow = b"POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"name\":";
    let reply = raw(&api, slow).await;
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    assert!(reply.contains("body_timeout"), "{reply}");
}

#[tokio::test]
async fn malformed_bodies_have_their_codes() {
    let api = TestApi::bank().await;
    let json_type = [("content-type", "application/json")];
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(70), "]".repeat(70));
    for (headers, body, status, code) in [
        (&json_type, "{", 400, "invalid_json"),
        (&json_type, "[]", 400, "invalid_json"),
        (&json_type, "null", 400, "invalid_json"),
        (&json_type, "\u{feff}{}", 400, "invalid_json"),
        (&json_type, "{\"name\":\"a\"}{", 400, "invalid_json"),
        (&json_type, "{\"name\":1e999}", 400, "invalid_json"),
        (&json_type, deep.as_str(), 400, "invalid_json"),
        (&form, "name=%zz", 400, "invalid_query"),
        (
            &[("content-type", "multipart/form-data; boundary=x")],
            "--x--",
            415,
            "unsupported_media_type",
        ),
        (
            &[("content-type", "text/xml")],
            "<a/>",
            415,
            "unsupported_media_type",
        ),
        (
            &[("content-type", "garbage")],
            "x",
            415,
            "unsupported_media_type",
        ),
    ] {
        api.send("POST", "/open", headers, body)
            .await
            .is_problem(status, code);
    }
    api.send("POST", "/v1/actions/open", &form, "name=a")
        .await
        .is_problem(415, "unsupported_media_type");
    api.send("POST", "/open", &json_type, vec![0xff, 0xfe])
        .await
        .is_problem(400, "invalid_json");
    api.send("POST", "/open", &json_type, vec![b'x'; (1 << 20) + 1])
        .await
        .is_problem(413, "body_too_large");
}

#[tokio::test]
async fn names_that_no_entity_can_have_are_refused() {
    let api = TestApi::bank().await;
    api.post_json("/open", &json!({"name": ""}))
        .await
        .is_problem(409, "invalid_key");
    api.post_json("/open", &json!({"name": "a\u{0}b"}))
        .await
        .is_problem(409, "invalid_key");
    api.post_json("/open", &json!({"name": "x".repeat(65)}))
        .await
        .is_problem(400, "out_of_bounds");
    let huge_host = format!("{}.example", "h".repeat(300));
    api.send("GET", "/whoami", &[("host", &huge_host)], "")
        .await
        .is_problem(409, "invalid_key");
}

#[tokio::test]
async fn client_that_leaves_does_not_leave_a_request_behind() {
    let api = TestApi::bank().await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(api.address).unwrap();
        stream
            .write_all(b"POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\n{")
            .unwrap();
        drop(stream);
    }
    crate::harness::until("no request is left", async || {
        let metrics = api.get("/metrics").await;
        metrics.text().contains("gamepipe_api_requests_in_flight 0")
    })
    .await;
    tokio::time::timeout(Duration::from_secs(5), api.get("/livez"))
        .await
        .unwrap();
}
