//! Who may speak to a cluster: its certificates, made by `openssl`, and a token for each of its users.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::API;

/// The names and addresses under which the API server is asked.
const NAMES: &str = "subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
                     DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:198.19.255.1,IP:198.19.0.1";

/// The users: the name of the file that signs one in, the user's own, and its group.
const USERS: [(&str, &str, &str); 8] = [
    ("admin", "admin", "system:masters"),
    ("controller-manager", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("kubelet", "system:node:node", "system:nodes"),
    ("proxy", "system:kube-proxy", ""),
    ("dns", "gamepipe:dns", ""),
    ("provisioner", "gamepipe:provisioner", ""),
    ("policies", "gamepipe:policies", ""),
];

/// Makes all of them in `folder`: certificates and tokens below `keys`, and for each user a `NAME.kubeconfig`.
pub(super) fn make(folder: &Path) -> Result<()> {
    let keys = folder.join("keys");
    std::fs::create_dir(&keys)?;
    certificate(
        &keys,
        "ca",
        "/CN=tests",
        &["basicConstraints=critical,CA:TRUE"],
    )?;
    certificate(
        &keys,
        "server",
        "/CN=kube-apiserver",
        &["extendedKeyUsage=serverAuth", NAMES],
    )?;
    // With it the API server asks kubelet for logs and the like.
    let of_server = "/O=system:masters/CN=kube-apiserver-to-kubelet";
    certificate(
        &keys,
        "kubelet-client",
        of_server,
        &["extendedKeyUsage=clientAuth"],
    )?;
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    openssl(
        &keys,
        &[&["genpkey", "-out", "accounts.key"], &curve[..]].concat(),
    )?;
    openssl(
        &keys,
        &[
            "pkey",
            "-in",
            "accounts.key",
            "-pubout",
            "-out",
            "accounts.pub",
        ],
    )?;
    let mut tokens = String::new();
    for (file, user, group) in USERS {
        let token = token()?;
        tokens.push_str(&format!("{token},{user},{user},\"{group}\"\n"));
        write_kubeconfig(folder, file, &token, API)?;
    }
    std::fs::write(keys.join("tokens.csv"), tokens)?;
    Ok(())
}

/// The administrator's file for clients outside the namespaces, who reach the API server at `address`.
pub(super) fn make_outside(folder: &Path, address: &str) -> Result<()> {
    let inside = std::fs::read_to_string(folder.join("admin.kubeconfig"))?;
    let path = folder.join("outside.kubeconfig");
    std::fs::write(&path, inside.replace(API, address)).with_context(|| path.display().to_string())
}

fn write_kubeconfig(folder: &Path, file: &str, token: &str, address: &str) -> Result<()> {
    let ca = folder.join("keys/ca.crt");
    let text = format!(
        "apiVersion: v1
kind: Config
current-context: tests
clusters: [{{name: tests, cluster: {{server: 'https://{address}', certificate-authority: '{}'}}}}]
users: [{{name: {file}, user: {{token: {token}}}}}]
contexts: [{{name: tests, context: {{cluster: tests, user: {file}}}}}]
",
        ca.display()
    );
    let path = folder.join(format!("{file}.kubeconfig"));
    std::fs::write(&path, text).with_context(|| path.display().to_string())
}

/// A key and a certificate, which the first one of all, `ca`, signs.
fn certificate(keys: &Path, name: &str, subject: &str, extensions: &[&str]) -> Result<()> {
    let [key, certificate] = ["key", "crt"].map(|kind| format!("{name}.{kind}"));
    let mut arguments = vec![
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ];
    arguments.extend(["-nodes", "-days", "2", "-subj", subject]);
    arguments.extend(["-keyout", &key, "-out", &certificate]);
    if name != "ca" {
        arguments.extend(["-CA", "ca.crt", "-CAkey", "ca.key"]);
    }
    for extension in extensions {
        arguments.extend(["-addext", extension]);
    }
    openssl(keys, &arguments)
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("openssl can't be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl {arguments:?}: {said}");
    Ok(())
}

fn token() -> Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
