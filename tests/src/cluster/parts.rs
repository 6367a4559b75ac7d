//! The processes that make up a cluster: how each is called, and the settings of a node's.

use std::path::Path;

use anyhow::{Context, Result};

use super::namespaces::scripts;

/// Where the plugins of containers' networks are: Debian's folder, and everybody else's.
const PLUGINS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

/// A process of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The way in from outside.
    Relay,
    /// Where the API server keeps everything.
    Etcd,
    /// The API server.
    ApiServer,
    /// Deployments, StatefulSets, and all that follows from them.
    ControllerManager,
    /// Which node a pod runs on.
    Scheduler,
    /// Runs containers.
    Containerd,
    /// Runs the node's pods.
    Kubelet,
    /// Addresses of services.
    Proxy,
    /// Names of services and pods.
    Dns,
    /// Volumes.
    Provisioner,
    /// `NetworkPolicies`.
    Policies,
    /// Simulated nodes.
    Kwok,
}

impl Part {
    /// Those of a node.
    pub(super) const NODE: [Self; 6] = [
        Self::Containerd,
        Self::Kubelet,
        Self::Proxy,
        Self::Dns,
        Self::Provisioner,
        Self::Policies,
    ];

    /// Its program, and what its log is called.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Containerd => "containerd",
            Self::Kubelet => "kubelet",
            Self::Proxy => "kube-proxy",
            Self::Dns => "coredns",
            Self::Provisioner => "provisioner",
            Self::Policies => "policies",
            Self::Kwok => "kwok",
        }
    }

    /// What it is called with; `programs` is where the programs are.
    pub(super) fn arguments(self, folder: &Path, programs: &Path) -> Vec<String> {
        let text = match self {
            Self::Relay => "@FOLDER@/relay.sock",
            Self::Etcd => ETCD,
            Self::ApiServer => API_SERVER,
            Self::ControllerManager => CONTROLLER_MANAGER,
            Self::Scheduler => SCHEDULER,
            Self::Containerd => "--config=@FOLDER@/containerd.toml --log-level=warn",
            Self::Kubelet => KUBELET,
            Self::Proxy => "--config=@FOLDER@/proxy.yaml",
            Self::Dns => "-conf=@FOLDER@/Corefile",
            Self::Provisioner => {
                "--kubeconfig=@FOLDER@/provisioner.kubeconfig --root=@FOLDER@/volumes"
            }
            Self::Policies => "--kubeconfig=@FOLDER@/policies.kubeconfig",
            Self::Kwok => KWOK,
        };
        filled(text, folder, programs)
    }
}

fn filled(text: &str, folder: &Path, programs: &Path) -> Vec<String> {
    let [folder, programs] = [folder, programs].map(|path| path.display().to_string());
    text.split_whitespace()
        .map(|word| {
            word.replace("@FOLDER@", &folder)
                .replace("@PROGRAMS@", &programs)
        })
        .collect()
}

/// Its data goes with the cluster: nothing waits for the disk.
const ETCD: &str = "--name=tests --data-dir=@FOLDER@/etcd --unsafe-no-fsync --log-level=warn
    --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379
    --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380
    --initial-cluster=tests=http://127.0.0.1:2380";

const API_SERVER: &str = "--secure-port=6443 --etcd-servers=http://127.0.0.1:2379
    --tls-cert-file=@FOLDER@/keys/server.crt --tls-private-key-file=@FOLDER@/keys/server.key
    --client-ca-file=@FOLDER@/keys/ca.crt --token-auth-file=@FOLDER@/keys/tokens.csv
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true
    --service-cluster-ip-range=198.19.0.0/20 --service-account-issuer=https://kubernetes.default.svc.cluster.local
    --service-account-key-file=@FOLDER@/keys/accounts.pub
    --service-account-signing-key-file=@FOLDER@/keys/accounts.key --profiling=false
    --bind-address=0.0.0.0 --advertise-address=198.19.255.1
    --kubelet-client-certificate=@FOLDER@/keys/kubelet-client.crt
    --kubelet-client-key=@FOLDER@/keys/kubelet-client.key --kubelet-preferred-address-types=InternalIP";

/// With the rate of requests that it allows itself by default it would take seconds longer to begin.
const CONTROLLER_MANAGER: &str = "--kubeconfig=@FOLDER@/controller-manager.kubeconfig
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials
    --kube-api-qps=500 --kube-api-burst=1000
    --root-ca-file=@FOLDER@/keys/ca.crt --service-account-private-key-file=@FOLDER@/keys/accounts.key
    --cluster-signing-cert-file=@FOLDER@/keys/ca.crt --cluster-signing-key-file=@FOLDER@/keys/ca.key --profiling=false";

const SCHEDULER: &str = "--kubeconfig=@FOLDER@/scheduler.kubeconfig --bind-address=127.0.0.1
    --leader-elect=false --kube-api-qps=500 --kube-api-burst=1000 --profiling=false";

const KUBELET: &str = "--config=@FOLDER@/kubelet.yaml --kubeconfig=@FOLDER@/kubelet.kubeconfig
    --hostname-override=node --node-labels=topology.kubernetes.io/zone=here --node-ip=198.19.255.1 --root-dir=@FOLDER@/kubelet --cert-dir=@FOLDER@/kubelet/pki";

const KWOK: &str = "--kubeconfig=@FOLDER@/admin.kubeconfig --manage-all-nodes=false
    --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake --cidr=198.18.128.0/17 --node-ip=127.0.0.1
    --server-address=127.0.0.1:10247 --node-lease-duration-seconds=40 --config=@PROGRAMS@/kwok-stages.yaml";

/// Writes the settings that a node's namespaces need.
pub(super) fn write_network_settings(folder: &Path) -> Result<()> {
    let own = "nameserver 198.19.255.1\n";
    std::fs::write(folder.join("pods-resolv.conf"), own)?;
    // Commands that run beside the node find short names, too, as pods do.
    let search =
        "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";
    std::fs::write(folder.join("resolv.conf"), format!("{own}{search}"))?;
    Ok(())
}

/// Writes the settings of a node's parts, in namespaces that are there.
pub(super) fn write_node_settings(folder: &Path) -> Result<()> {
    for name in ["network", "volumes", "pods", "kubelet"] {
        std::fs::create_dir(folder.join(name))?;
    }
    let plugins = PLUGINS
        .iter()
        .find(|path| Path::new(path).join("bridge").is_file())
        .context(
            "the plugins of containers' networks are missing: install containernetworking-plugins",
        )?;
    let cgroup = std::fs::read_to_string(folder.join("cgroup"))?;
    for (template, place) in [
        ("network.conflist", "network/10-pods.conflist"),
        ("containerd.toml", "containerd.toml"),
        ("kubelet.yaml", "kubelet.yaml"),
        ("proxy.yaml", "proxy.yaml"),
        ("Corefile", "Corefile"),
    ] {
        let path = scripts().join(template);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let text = text
            .replace("@FOLDER@", &folder.display().to_string())
            .replace("@PLUGINS@", plugins)
            .replace("@CGROUP@", cgroup.trim());
        std::fs::write(folder.join(place), text)?;
    }
    Ok(())
}
