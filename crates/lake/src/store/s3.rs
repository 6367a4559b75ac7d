//! Clients of an S3-compatible store, from the settings.

use std::sync::Arc;
use std::time::Duration;

use gamepipe_config::lake::S3Config;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

/// How long a connection may take: a store that is up answers in milliseconds, and a start must name a wrong address soon.
const CONNECT: Duration = Duration::from_secs(3);
/// How often a request that may be repeated is sent again, how long after the first time, and the waits in between: short
/// hiccups are ridden out here, longer ones by whoever asked.
const RETRIES: usize = 4;
const RETRY_FOR: Duration = Duration::from_secs(10);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What a workload's identity is made of: variables that Kubernetes, ECS and EC2 set, or their users.
const IDENTITY: [AmazonS3ConfigKey; 10] = [
    AmazonS3ConfigKey::AccessKeyId,
    AmazonS3ConfigKey::SecretAccessKey,
    AmazonS3ConfigKey::Token,
    AmazonS3ConfigKey::WebIdentityTokenFile,
    AmazonS3ConfigKey::RoleArn,
    AmazonS3ConfigKey::RoleSessionName,
    AmazonS3ConfigKey::StsEndpoint,
    AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    AmazonS3ConfigKey::ContainerCredentialsFullUri,
    AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
];

/// Two clients of one bucket.
pub(super) struct Clients {
    /// Sends a request again when that can do no harm.
    pub(super) retrying: Arc<dyn ObjectStore>,
    /// Never sends a request again.
    pub(super) once: Arc<dyn ObjectStore>,
}

/// Refuses what can't be a bucket's name, and prefixes that some tool would write in another way.
pub(super) fn check_names(bucket: &str, prefix: &str) -> Result<(), String> {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if !(3..=63).contains(&bucket.len())
        || !bucket
            .chars()
            .all(|letter| is_plain(letter) || "-.".contains(letter))
        || !bucket.starts_with(is_plain)
        || !bucket.ends_with(is_plain)
    {
        return Err(format!(
            "{bucket:?} is no bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens"
        ));
    }
    let is_sound = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-_.=".contains(letter))
    };
    if !prefix.is_empty() && !prefix.split('/').all(is_sound) {
        return Err(format!(
            "the prefix {prefix:?} must be made of letters, digits, hyphens, underscores, dots and single slashes"
        ));
    }
    Ok(())
}

/// The store's address, for texts.
pub(super) fn endpoint(config: &S3Config) -> String {
    if config.endpoint.is_empty() {
        format!("AWS S3 in {}", config.region)
    } else {
        config.endpoint.clone()
    }
}

/// The clients of a bucket.
pub(super) fn clients(bucket: &str, config: &S3Config) -> Result<Clients, String> {
    check(config)?;
    let retrying = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: FIRST_WAIT,
            max_backoff: LONGEST_WAIT,
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
    };
    let once = RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    };
    Ok(Clients {
        retrying: Arc::new(client(bucket, config, retrying)?),
        once: Arc::new(client(bucket, config, once)?),
    })
}

fn check(config: &S3Config) -> Result<(), String> {
    match (
        config.access_key_id.is_empty(),
        config.secret_access_key.is_empty(),
    ) {
        (true, false) => {
            return Err("lake.s3.secretAccessKey is set and lake.s3.accessKeyId is not".to_owned());
        }
        (false, true) => {
            return Err("lake.s3.accessKeyId is set and lake.s3.secretAccessKey is not".to_owned());
        }
        _ => {}
    }
    if config.timeout_ms == 0 {
        return Err("lake.s3.timeoutMs must be more than 0".to_owned());
    }
    if config.endpoint.is_empty() {
        return Ok(());
    }
    let parsed = url::Url::parse(&config.endpoint)
        .map_err(|error| format!("lake.s3.endpoint {:?}: {error}", config.endpoint))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("lake.s3.endpoint must not hold a user or password".to_owned());
    }
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if config.allow_http => Ok(()),
        "http" => Err(format!(
            "lake.s3.endpoint {} is without TLS: rows and signatures could be read on the way; use https, or set lake.s3.allowHttp",
            config.endpoint
        )),
        _ => Err(format!(
            "lake.s3.endpoint {} must begin with https:// or http://",
            config.endpoint
        )),
    }
}

/// Where requests go: with the bucket in the host's name, the client wants it there already.
fn address(bucket: &str, config: &S3Config) -> String {
    let endpoint = config.endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, host)) if config.virtual_hosted => format!("{scheme}://{bucket}.{host}"),
        _ => endpoint.to_owned(),
    }
}

fn client(bucket: &str, config: &S3Config, retry: RetryConfig) -> Result<AmazonS3, String> {
    let timeout = Duration::from_millis(config.timeout_ms);
    let options = ClientOptions::new()
        .with_timeout(timeout)
        .with_connect_timeout(CONNECT.min(timeout))
        .with_allow_http(config.allow_http)
        .with_http1_only();
    let mut builder = AmazonS3Builder::new();
    if config.access_key_id.is_empty() {
        for key in IDENTITY {
            let name = key.as_ref().to_ascii_uppercase();
            if let Ok(value) = std::env::var(&name)
                && !value.is_empty()
            {
                builder = builder.with_config(key, value);
            }
        }
    } else {
        builder = builder
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(&config.secret_access_key);
    }
    if !config.endpoint.is_empty() {
        builder = builder.with_endpoint(address(bucket, config));
    }
    builder
        .with_bucket_name(bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(config.virtual_hosted)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry)
        // After the options of a workload's identity: these are the settings.
        .with_client_options(options)
        .build()
        .map_err(|error| error.to_string())
}
