//! Workloads that have no keys in their settings: they show a token, and are given some.

use std::path::PathBuf;

use gamepipe_testkit::reexec::{self, Victim};
use gamepipe_testkit::s3_server::{S3Server, SECRET};
use gamepipe_testkit::token_service::{ROLE, TokenService};

use super::{at, open};

/// The test that a workload runs: its variables are its own.
const WORKLOAD: &str = "storage::bucket::tests::identity::s3_workload_without_keys";
const READY: &str = "it can be a lake";
const TOKEN: &str = "token-of-a-test";
const RENEWED: &str = "renewed-token-of-a-test";

/// Looks whether the bucket can be a lake, and once more after its token was renewed, as platforms do every hour.
#[tokio::test(flavor = "multi_thread")]
async fn s3_workload_without_keys() {
    let Some(endpoint) = reexec::role() else {
        return;
    };
    let mut config = at(&endpoint, "lake");
    config.s3.access_key_id.clear();
    config.s3.secret_access_key.clear();
    let storage = open(&config);
    for token in [TOKEN, RENEWED] {
        std::fs::write(std::env::var("TOKEN_FILE").unwrap(), token).unwrap();
        match storage.check().await {
            Ok(()) => reexec::say(READY),
            Err(error) => reexec::say(&error.to_string()),
        }
    }
}

/// What the two looks of a workload have shown. `file` is the variable with the path of its token.
fn look(server: &S3Server, file: &str, variables: &[(&str, &str)]) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("token");
    let path = path.to_str().unwrap();
    let variables = [variables, &[("TOKEN_FILE", path), (file, path)]].concat();
    let mut workload = Victim::start_with(WORKLOAD, &server.endpoint(), &variables);
    std::array::from_fn(|_| workload.hear().unwrap())
}

fn assert_both_were_shown(service: &TokenService) {
    let mut tokens = service.tokens();
    tokens.dedup();
    assert_eq!(tokens, [TOKEN, RENEWED]);
}

#[test]
fn s3_workloads_with_a_role_need_no_keys() {
    let (server, service) = (S3Server::start(), TokenService::of_roles());
    let endpoint = format!("https://{}", service.address());
    let authority = service.authority();
    let look_as = |role: &str| {
        let variables = [
            ("AWS_ROLE_ARN", role),
            ("AWS_ENDPOINT_URL_STS", endpoint.as_str()),
            ("SSL_CERT_FILE", authority.to_str().unwrap()),
        ];
        look(&server, "AWS_WEB_IDENTITY_TOKEN_FILE", &variables)
    };
    assert_eq!(look_as(ROLE), [READY, READY]);
    assert_both_were_shown(&service);

    for text in look_as("arn:aws:iam::123456789012:role/other") {
        let wanted = "there are no credentials (what gives them has refused: AccessDenied";
        assert!(text.contains(wanted), "{text}");
        assert!(!text.contains(TOKEN) && !text.contains(SECRET), "{text}");
    }
}

#[test]
fn s3_workloads_with_an_agent_on_their_node_need_no_keys() {
    let (server, service) = (S3Server::start(), TokenService::of_node());
    let agent = format!("http://{}/v1/credentials", service.address());
    let looks = look(
        &server,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent)],
    );
    assert_eq!(looks, [READY, READY]);
    assert_both_were_shown(&service);
}
