//! What gives a workload keys for its identity, in place of a cloud: a service that takes tokens of a role (AWS's `AssumeRoleWithWebIdentity`), and the agent of a
//! node (EKS Pod Identity). Both give the keys of [`crate::s3_server`], to be asked for anew each time: they say that these have expired.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::network::listen;
use crate::s3_server::{KEY_ID, SECRET};

/// The role that workloads may have.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/lake";

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// The store of tests knows no sessions, and refuses requests that name one.
const SESSION: &str = "";

/// Keys are asked for anew when they expire soon.
const EXPIRED: &str = "2026-01-01T00:00:00Z";

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running service.
#[derive(Debug)]
pub struct TokenService {
    folder: TempDir,
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    tokens: Mutex<Vec<String>>,
}

impl TokenService {
    /// Starts one that takes tokens of [`ROLE`] over TLS, with a certificate for `localhost` that it makes.
    ///
    /// # Panics
    /// When there is no port, or no certificate can be made.
    pub fn of_roles() -> Self {
        let folder = folder();
        make_certificate(&folder);
        let config = Arc::new(tls(&folder));
        Self::start(folder, move |stream, shared| {
            let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else {
                return;
            };
            answer(StreamOwned::new(connection, stream), |request| {
                shared.assume_role(request)
            });
        })
    }

    /// Starts one that gives any token's workload its keys, without TLS.
    ///
    /// # Panics
    /// When there is no port.
    pub fn of_node() -> Self {
        Self::start(folder(), |stream, shared| {
            answer(stream, |request| shared.keys_of_pod(request));
        })
    }

    fn start(folder: TempDir, serve: impl Fn(TcpStream, &Shared) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let (watched, own) = (Arc::clone(&shared), Arc::clone(&shared));
        let port = listen(
            move || watched.is_over.load(Ordering::Acquire),
            move |stream| {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                serve(stream, &own);
            },
        );
        Self {
            folder,
            port,
            shared,
        }
    }

    /// Its address, without scheme.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The file with the certificate that its clients must trust.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// The tokens that were shown to it, in order.
    pub fn tokens(&self) -> Vec<String> {
        let tokens = self.shared.tokens.lock();
        tokens.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// The first line of a request, and its headers in lower case.
struct Request {
    line: String,
    headers: Vec<String>,
}

impl Shared {
    fn note(&self, token: &str) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.push(token.to_owned());
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
    fn assume_role(&self, request: &Request) -> (u16, String) {
        let of = |name: &str| parameter(&request.line, name).unwrap_or_default();
        self.note(&of("WebIdentityToken"));
        let is_known = of("Action") == "AssumeRoleWithWebIdentity" && of("RoleArn") == ROLE;
        if !is_known {
            let text = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>";
            return (403, text.to_owned());
        }
        let keys = format!(
            "<AccessKeyId>{KEY_ID}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{SESSION}</SessionToken><Expiration>{EXPIRED}</Expiration>"
        );
        let text = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>{keys}</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        (200, text)
    }

    /// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html>
    fn keys_of_pod(&self, request: &Request) -> (u16, String) {
        let mut headers = request.headers.iter();
        let token = headers.find_map(|header| header.strip_prefix("authorization: "));
        let Some(token) = token else {
            return (400, "{}".to_owned());
        };
        self.note(token);
        let keys = serde_json::json!({
            "AccessKeyId": KEY_ID,
            "SecretAccessKey": SECRET,
            "Token": SESSION,
            "Expiration": EXPIRED,
        });
        (200, keys.to_string())
    }
}

/// A parameter of the query in a request's first line. Values of tests need no decoding but for colons and slashes.
fn parameter(line: &str, name: &str) -> Option<String> {
    let path = line.split(' ').nth(1)?;
    let (_, query) = path.split_once('?')?;
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.replace("%3A", ":").replace("%2F", "/"))
}

/// Answers one request.
fn answer(stream: impl Read + Write, of: impl Fn(&Request) -> (u16, String)) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(length) if length > 0 => {}
            _ => return,
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let mut lines = lines.into_iter();
    let request = Request {
        line: lines.next().unwrap_or_default(),
        headers: lines.map(|line| line.to_ascii_lowercase()).collect(),
    };
    let (status, body) = of(&request);
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let stream = reader.get_mut();
    // Who has gone is told nothing.
    let _ = stream
        .write_all((head + &body).as_bytes())
        .and_then(|()| stream.flush());
}

fn folder() -> TempDir {
    match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("no temporary folder: {error}"),
    }
}

fn make_certificate(folder: &TempDir) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost"])
        // What openssl says otherwise, that it signs others, makes clients in Rust refuse it.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", KEY, "-out", CERTIFICATE])
        .current_dir(folder.path())
        .output();
    match made {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("openssl: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("openssl can't be run: {error}"),
    }
}

fn tls(folder: &TempDir) -> ServerConfig {
    let certificate = CertificateDer::from_pem_file(folder.path().join(CERTIFICATE));
    let key = PrivateKeyDer::from_pem_file(folder.path().join(KEY));
    let (Ok(certificate), Ok(key)) = (certificate, key) else {
        panic!("a certificate that can't be read");
    };
    // Which one, if more than one is compiled in, rustls must be told.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
        });
    match made {
        Ok(config) => config,
        Err(error) => panic!("no TLS: {error}"),
    }
}
