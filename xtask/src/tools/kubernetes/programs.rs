//! The list of programs; their versions are in the modules' `go.mod` below `tests/cluster`.

/// A program to build.
#[derive(Debug)]
pub(super) struct Program {
    /// Its file in the cache.
    pub(super) name: &'static str,
    /// The folder of its module below `tests/cluster`.
    pub(super) module: &'static str,
    /// Its package; one of our own begins with `./`.
    pub(super) package: &'static str,
    /// The module whose version it reports, if it reports one.
    pub(super) version_of: Option<&'static str>,
    /// How long it takes after those above it, on 2 slow cores, with no object of Go cached; measured.
    pub(super) seconds: u64,
}

/// All of them, in an order in which each builds on what those before it have compiled.
pub(super) const ALL: &[Program] = &[
    of_kubernetes(
        "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        307,
    ),
    of_kubernetes(
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        67,
    ),
    of_kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", 5),
    of_kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl", 25),
    of_kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet", 23),
    of_kubernetes("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", 10),
    plain("etcd", "programs", "go.etcd.io/etcd/server/v3", 12),
    plain("coredns", "programs", "./coredns", 10),
    plain("provisioner", "programs", "./provisioner", 2),
    plain("policies", "programs", "./policies", 2),
    plain("relay", "programs", "./relay", 1),
    plain("pause", "programs", "./pause", 1),
    plain("guest", "programs", "./guest", 1),
    plain("helm", "extras", "helm.sh/helm/v4/cmd/helm", 160),
    plain("kwok", "extras", "sigs.k8s.io/kwok/cmd/kwok", 25),
];

/// The time for all of them.
pub(super) fn cold_seconds() -> u64 {
    ALL.iter().map(|program| program.seconds).sum()
}

const fn of_kubernetes(name: &'static str, package: &'static str, seconds: u64) -> Program {
    Program {
        name,
        module: "programs",
        package,
        version_of: Some("k8s.io/kubernetes"),
        seconds,
    }
}

const fn plain(
    name: &'static str,
    module: &'static str,
    package: &'static str,
    seconds: u64,
) -> Program {
    Program {
        name,
        module,
        package,
        version_of: None,
        seconds,
    }
}
