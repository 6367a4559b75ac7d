//! Bodies of every shape against every limit (ME-1).

use std::io::Write;

use axum::body::Body;
use bytes::Bytes;
use gamepipe_config::api::ApiConfig;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::{BodyLimits, ReadBody};
use crate::problem::Problem;

fn config() -> ApiConfig {
    ApiConfig {
        max_body_bytes: 1000,
        max_decompressed_bytes: 10_000,
        max_body_bytes_in_flight: 64 << 10,
        body_timeout_ms: 50,
        ..ApiConfig::default()
    }
}

fn encoded(encoding: &'static str) -> HeaderMap {
    [(header::CONTENT_ENCODING, HeaderValue::from_static(encoding))]
        .into_iter()
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 19).unwrap()
}

async fn read(headers: &HeaderMap, sent: impl Into<Body>) -> Result<ReadBody, Problem> {
    BodyLimits::new(&config()).read(headers, sent.into()).await
}

#[tokio::test]
async fn body_of_many_frames_arrives_whole() {
    let frames = (0..10_u8).map(|n| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![n; 7]))));
    let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
    let bytes = read(&HeaderMap::new(), body).await.unwrap().bytes;
    assert_eq!(bytes, (0..10_u8).flat_map(|n| [n; 7]).collect::<Vec<_>>());
}

#[tokio::test]
async fn both_encodings_are_inflated() {
    let text = b"{\"a\":1}".repeat(100);
    assert_eq!(
        read(&encoded("gzip"), gzip(&text)).await.unwrap().bytes,
        text
    );
    assert_eq!(
        read(&encoded("zstd"), zstd(&text)).await.unwrap().bytes,
        text
    );
}

#[tokio::test]
async fn bombs_are_refused_at_the_limit() {
    let zeros = vec![0; 500_000];
    for (encoding, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        assert!(bomb.len() < 1000, "{}", bomb.len());
        let problem = read(&encoded(encoding), bomb).await.unwrap_err();
        assert_eq!(problem.code(), "body_too_large", "{encoding}");
    }
    let whole = vec![0; config().max_decompressed_bytes];
    assert_eq!(
        read(&encoded("gzip"), gzip(&whole))
            .await
            .unwrap()
            .bytes
            .len(),
        whole.len()
    );
}

#[tokio::test]
async fn broken_compression_and_unknown_encodings_have_their_codes() {
    for encoding in ["gzip", "zstd"] {
        let problem = read(&encoded(encoding), "plainly not compressed")
            .await
            .unwrap_err();
        assert_eq!(problem.code(), "invalid_body", "{encoding}");
    }
    let half = gzip(b"hello world");
    assert_eq!(
        read(&encoded("gzip"), half[..half.len() / 2].to_vec())
            .await
            .unwrap_err()
            .code(),
        "invalid_body"
    );
    for encoding in ["br", "gzip, gzip", "deflate"] {
        assert_eq!(
            read(&encoded(encoding), "x").await.unwrap_err().code(),
            "unsupported_encoding",
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn oversized_body_is_refused_whether_announced_or_not() {
    assert_eq!(
        read(&HeaderMap::new(), vec![0; 1001])
            .await
            .unwrap_err()
            .code(),
        "body_too_large"
    );
    let frames = (0..11).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![0; 100]))));
    let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
    assert_eq!(
        read(&HeaderMap::new(), body).await.unwrap_err().code(),
        "body_too_large"
    );
}

#[tokio::test]
async fn stalled_body_times_out() {
    let stalled = futures::stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
    let problem = read(&HeaderMap::new(), Body::new(StreamBody::new(stalled)))
        .await
        .unwrap_err();
    assert_eq!(problem.code(), "body_timeout");
}

#[tokio::test]
async fn bodies_together_stay_within_their_memory() {
    let limits = BodyLimits::new(&ApiConfig {
        max_body_bytes_in_flight: 2 << 10,
        ..config()
    });
    let held: Vec<ReadBody> = [
        limits
            .read(&HeaderMap::new(), vec![0; 1000].into())
            .await
            .unwrap(),
        limits
            .read(&HeaderMap::new(), vec![0; 1000].into())
            .await
            .unwrap(),
    ]
    .into();
    let refused = limits
        .read(&HeaderMap::new(), vec![0; 1000].into())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "overloaded");
    drop(held);
    assert!(
        limits
            .read(&HeaderMap::new(), vec![0; 1000].into())
            .await
            .is_ok()
    );
}
