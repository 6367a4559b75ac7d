//! What a bucket promises, and what is said of one that can't be a lake.

mod identity;

use std::time::Duration;

use gamepipe_config::lake::{LakeConfig, S3Config};
use gamepipe_testkit::s3_proxy::{Canned, S3Proxy};
use gamepipe_testkit::s3_server::{BUCKET, KEY_ID, S3Server, SECRET};
use tokio::time::Instant;

use super::super::{Put, Storage};
use crate::error::LakeError;

/// Who starts a process wants to know by then.
const SOON: Duration = Duration::from_secs(10);

/// The settings of a lake in the bucket of a test's server, or of a proxy before it.
pub(crate) fn at(endpoint: &str, prefix: &str) -> LakeConfig {
    LakeConfig {
        path: format!("s3://{BUCKET}/{prefix}"),
        s3: S3Config {
            endpoint: endpoint.to_owned(),
            access_key_id: KEY_ID.to_owned(),
            secret_access_key: SECRET.to_owned(),
            allow_http: true,
            timeout_ms: 5000,
            ..S3Config::default()
        },
    }
}

fn open(config: &LakeConfig) -> Storage {
    Storage::open(config, 7).unwrap()
}

/// What is said of a lake that can't be used: soon, and without the secret.
async fn refusal(config: &LakeConfig) -> String {
    let begun = Instant::now();
    let error = match Storage::open(config, 7) {
        Ok(storage) => storage.check().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(begun.elapsed() < SOON, "{:?}: {error}", begun.elapsed());
    let texts = [error.to_string(), format!("{error:?}")];
    for text in &texts {
        assert!(!text.contains(SECRET), "{text}");
    }
    let [text, _] = texts;
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_of_many_writers_of_a_new_object_exactly_one_succeeds() {
    let server = S3Server::start();
    for round in 0..5_u64 {
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..8_u8 {
            let storage = open(&at(&server.endpoint(), "lake"));
            racers.spawn(async move {
                let path = format!("t/_delta_log/{round}.json");
                // 409 is an open outcome: nobody else's answer tells whether it was written.
                loop {
                    match storage.put_new(&path, vec![racer; 100]).await {
                        Ok(put) => return put,
                        Err(LakeError::Bucket { source, .. }) if source.may_pass() => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        let outcomes = racers.join_all().await;
        let created = outcomes.iter().filter(|put| **put == Put::Created).count();
        assert_eq!(created, 1, "{outcomes:?}");
    }
    let storage = open(&at(&server.endpoint(), "lake"));
    assert_eq!(storage.list("t/_delta_log").await.unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_objects_are_found_listed_flatly_and_removed() {
    let server = S3Server::start();
    let storage = open(&at(&server.endpoint(), "a/lake"));
    assert_eq!(storage.get("nope").await.unwrap(), None);
    assert!(!storage.exists("nope").await.unwrap());
    assert!(storage.list("nope").await.unwrap().is_empty());
    storage.remove("nope").await.unwrap();
    let day = "t/_event_date=2026-01-02/x.parquet";
    storage.put(day, vec![1; 3000]).await.unwrap();
    storage.put("t/y.parquet", vec![2; 10]).await.unwrap();
    assert_eq!(storage.get(day).await.unwrap(), Some(vec![1; 3000]));
    let listed = storage.list("t").await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0].name, "y.parquet");
    assert!(listed[0].modified_micros > 1_700_000_000_000_000);
    storage.remove(day).await.unwrap();
    assert!(!storage.exists(day).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_check_passes_where_landing_would_and_leaves_nothing() {
    let server = S3Server::start();
    open(&at(&server.endpoint(), "lake")).check().await.unwrap();
    let left = std::fs::read_dir(server.bucket_folder(BUCKET)).unwrap();
    let files: Vec<_> = left.map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().all(|path| path.is_dir()), "{files:?}");
    let storage = open(&at(&server.endpoint(), "lake"));
    assert!(storage.list("_probe").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_bucket_that_can_not_be_a_lake_is_refused_with_what_to_change() {
    let server = S3Server::start();
    let good = at(&server.endpoint(), "lake");
    let changed = |change: fn(&mut LakeConfig)| {
        let mut config = good.clone();
        change(&mut config);
        config
    };
    let cases: [(LakeConfig, &[&str]); 8] = [
        (
            changed(|config| config.s3.endpoint = "http://127.0.0.1:1".to_owned()),
            &["can't be reached", "lake.s3.endpoint"],
        ),
        (
            changed(|config| config.s3.endpoint = "http://store.invalid:9000".to_owned()),
            &["can't be reached", "lake.s3.endpoint"],
        ),
        (
            changed(|config| config.s3.access_key_id = "nobody".to_owned()),
            &["does not know the access key", "lake.s3.accessKeyId"],
        ),
        (
            changed(|config| config.s3.secret_access_key = "not-the-secret".to_owned()),
            &["does not accept the signature", "lake.s3.secretAccessKey"],
        ),
        (
            changed(|config| config.path = "s3://elsewhere/lake".to_owned()),
            &["has no bucket elsewhere", "lake.path"],
        ),
        (
            changed(|config| config.s3.region = "eu-central-1".to_owned()),
            &["region eu-central-1", "lake.s3.region"],
        ),
        (
            changed(|config| config.s3.allow_http = false),
            &["without TLS", "lake.s3.allowHttp"],
        ),
        (
            changed(|config| config.s3.secret_access_key = String::new()),
            &["lake.s3.secretAccessKey is not"],
        ),
    ];
    for (config, wanted) in cases {
        let text = refusal(&config).await;
        for part in wanted {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    for path in [
        "s3://",
        "s3://UPPER/x",
        "s3://games/a//b",
        "s3://games/../x",
        "gs://games/x",
    ] {
        let config = LakeConfig {
            path: path.to_owned(),
            ..good.clone()
        };
        assert!(
            refusal(&config).await.contains("can't be the lake"),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_what_a_store_refuses_is_named_before_anything_lands() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.port(), 1);
    let config = at(&proxy.endpoint(), "lake");
    let denied = |method, holding| Canned {
        method,
        holding,
        status: 403,
        code: "AccessDenied",
        message: "Access Denied.",
    };
    let skewed = Canned {
        method: "GET",
        holding: "list-type",
        status: 403,
        code: "RequestTimeTooSkewed",
        message: "The difference between the request time and the current time is too large.",
    };
    let not_known = Canned {
        method: "PUT",
        holding: "",
        status: 501,
        code: "NotImplemented",
        message: "A header you provided implies functionality that is not implemented",
    };
    let cases = [
        (denied("GET", "list-type"), "s3:ListBucket"),
        (denied("HEAD", "_probe/"), "s3:ListBucket"),
        (denied("PUT", ""), "s3:PutObject"),
        (denied("GET", "_probe/"), "s3:GetObject"),
        (denied("POST", "delete"), "s3:DeleteObject"),
        (skewed, "this machine's clock"),
        (not_known, "conditional puts"),
    ];
    for (canned, wanted) in cases {
        proxy.answer(Some(canned.clone()));
        let text = refusal(&config).await;
        assert!(text.contains(wanted), "{canned:?}: {text}");
        assert!(text.contains("s3://games/lake can't be the lake"), "{text}");
    }
    proxy.answer(None);
    open(&config).check().await.unwrap();
    proxy.take_every_put();
    let text = refusal(&config).await;
    assert!(
        text.contains("a second put of one new object was taken"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_store_that_does_not_answer_is_named_within_ten_seconds() {
    let server = S3Server::start();
    server.freeze();
    let mut config = at(&server.endpoint(), "lake");
    config.s3.timeout_ms = 30_000;
    let text = refusal(&config).await;
    server.thaw();
    assert!(text.contains("did not answer in time"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_short_outage_at_start_is_ridden_out() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.port(), 1);
    proxy.cut_everything(true);
    let storage = open(&at(&proxy.endpoint(), "lake"));
    let checked = tokio::spawn(async move { storage.check().await });
    while proxy.calls() < 2 {
        tokio::task::yield_now().await;
    }
    proxy.cut_everything(false);
    checked.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_bucket_that_vanishes_is_named_and_is_not_an_empty_one() {
    let server = S3Server::start();
    let storage = open(&at(&server.endpoint(), "lake"));
    storage.put("t/a.parquet", vec![1]).await.unwrap();
    server.remove_bucket(BUCKET);
    let failures = [
        storage.put("t/b.parquet", vec![1]).await.unwrap_err(),
        storage
            .put_new("t/_delta_log/1.json", vec![1])
            .await
            .unwrap_err(),
        storage.get("t/a.parquet").await.unwrap_err(),
        storage.list("t").await.unwrap_err(),
    ];
    for failure in failures {
        let text = failure.to_string();
        assert!(text.contains("has no bucket games"), "{text}");
    }
}
