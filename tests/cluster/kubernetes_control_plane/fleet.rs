//! Many pipelines on simulated nodes under one real operator: all become ready, then nothing is written any more.
//!
//! `GAMEPIPE_TEST_FLEET` says how many; with 500 it is the measurement that `bench/README.md` tells of. Memory and times
//! are printed, since they depend on the machine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gamepipe_tests::cluster::Cluster;

use super::operator::{
    Counts, NAME, Operator, gamepipe_says, install_chart, provide_volumes, root,
};

/// How many pipelines there are when nobody says.
const USUAL: usize = 60;
/// How many of them share a namespace.
const PER_NAMESPACE: usize = 50;
/// One in so many has a Kafka, a Redis and a lake of its own in the cluster; the others have theirs elsewhere.
const MANAGED_EVERY: usize = 10;
/// The volumes of one that has them: brokers, controllers, Redis, lake.
const VOLUMES: usize = 4;
/// How many pods a simulated node has room for, by what they ask for.
const PIPELINES_PER_NODE: usize = 10;
/// How long a pipeline may take to become ready, all others at work beside it, on two cores that run the cluster too.
const EACH: Duration = Duration::from_secs(3);
/// How often the operator looks at a pipeline in which nothing happens, in seconds: so often that nobody waits for it here, and
/// not so often that passes wait for one another.
const RESYNC_AT_LEAST: usize = 10;
/// A second for so many pipelines.
const PIPELINES_A_SECOND: usize = 8;
/// A pipeline is looked at after half of that time at the earliest. When the passes are so many for each pipeline, at
/// least twice the whole time has gone by, and each one had two.
const PASSES_EACH: u64 = 4;

/// The games that the pipelines play.
const PLAYED: [&str; 2] = ["arena", "quest"];

/// What the operator makes, and what it makes it for.
const KINDS: &str = "gamepipelines,games,serviceaccounts,configmaps,secrets,persistentvolumeclaims,networkpolicies,\
                     services,poddisruptionbudgets,statefulsets,deployments,horizontalpodautoscalers";

/// A pipeline whose Kafka, Redis and lake are elsewhere.
const EXTERNAL: &str = "
apiVersion: gamepipe.dev/v1alpha1
kind: GamePipeline
metadata: {name: @NAME@, namespace: @NAMESPACE@}
spec:
  game: {name: @GAME@}
  kafka:
    external:
      bootstrapServers: kafka.elsewhere:9093
      securityProtocol: saslSsl
      credentialsSecret: kafka
      caSecret: kafka
    topic: {name: @NAMESPACE@-@NAME@}
  redis:
    external: {urlSecret: redis, name: @NAMESPACE@-@NAME@}
  lake:
    s3: {bucket: games, prefix: @NAMESPACE@/@NAME@, credentialsSecret: lake}
";

/// What such pipelines of a namespace name.
const SECRETS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: kafka}
stringData: {username: u, password: p, ca.crt: c}
---
apiVersion: v1
kind: Secret
metadata: {name: redis}
stringData: {url: 'redis://redis.elsewhere:6379'}
---
apiVersion: v1
kind: Secret
metadata: {name: lake}
stringData: {accessKeyId: a, secretAccessKey: s}
";

fn size() -> Result<usize> {
    match std::env::var("GAMEPIPE_TEST_FLEET") {
        Ok(text) => text.parse().context("GAMEPIPE_TEST_FLEET is no number"),
        Err(_) => Ok(USUAL),
    }
}

#[test]
fn a_fleet_becomes_ready_and_is_left_in_peace_then() -> Result<()> {
    let size = size()?;
    Cluster::control_plane()?.explained(|cluster| {
        prepare(cluster, size)?;
        let began = Instant::now();
        let operator = Operator::start(cluster)?;
        say(&format!(
            "{} MiB when it has started",
            memory(operator.pid())?
        ));
        make_pipelines(cluster, size)?;
        let patience = EACH * u32::try_from(size)? + Duration::from_secs(120);
        let mut shown = 0;
        operator.wait("all pipelines to be ready", patience, |counts| {
            let ready = counts.ready();
            if ready != shown {
                shown = ready;
                let (seconds, memory) = (began.elapsed().as_secs(), memory(operator.pid())?);
                say(&format!(
                    "{ready} of {size} ready after {seconds} s; {memory} MiB"
                ));
            }
            Ok((ready == size as u64).then_some(()))
        })?;
        all_say_so(cluster, size)?;
        say(&format!(
            "to get there: {}",
            operator.counts()?.requests_shown()
        ));
        is_left_in_peace(cluster, &operator, size as u64)?;
        operator.check_rights()?;
        operator.stop()?;
        starts_again_in_peace(cluster, size as u64, patience)
    })
}

/// An operator that is new looks at every pipeline, and finds nothing to write.
fn starts_again_in_peace(cluster: &Cluster, size: u64, patience: Duration) -> Result<()> {
    let began = Instant::now();
    let operator = Operator::start(cluster)?;
    operator.wait("a look at each pipeline", patience, |counts| {
        Ok((counts.passes() >= size && counts.ready() == size).then_some(()))
    })?;
    let counts = operator.counts()?;
    say(&format!(
        "a new operator has looked at all after {} s: {}; it has {} MiB, at its peak {} MiB",
        began.elapsed().as_secs(),
        counts.requests_shown(),
        memory(operator.pid())?,
        status_mib(operator.pid(), "VmHWM:")?
    ));
    ensure!(
        counts.writes() == 0,
        "{} writes of an operator that is new",
        counts.writes()
    );
    operator.check_rights()?;
    operator.stop()
}

/// Nodes, volumes, the chart for all namespaces, and in each namespace the games and the Secrets.
fn prepare(cluster: &Cluster, size: usize) -> Result<()> {
    cluster.simulate(size.div_ceil(PIPELINES_PER_NODE))?;
    provide_volumes(cluster, size.div_ceil(MANAGED_EVERY) * VOLUMES)?;
    let resync = (size / PIPELINES_A_SECOND).max(RESYNC_AT_LEAST);
    let resync = format!("operator.resyncSeconds={resync}");
    install_chart(cluster, &["watchAllNamespaces=true", &resync])?;
    let games = PLAYED.map(|game| gamepipe_says(&["game", "render", game]));
    for number in 0..size.div_ceil(PER_NAMESPACE) {
        let namespace = namespace_of(number * PER_NAMESPACE);
        cluster.kubectl(&["create", "namespace", &namespace])?;
        cluster.apply_in(&namespace, SECRETS)?;
        for game in &games {
            let game = game.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
            cluster.apply_in(&namespace, game)?;
        }
    }
    Ok(())
}

fn namespace_of(number: usize) -> String {
    format!("games-{}", number / PER_NAMESPACE)
}

fn make_pipelines(cluster: &Cluster, size: usize) -> Result<()> {
    let sample = root().join("manifests/samples/smallest.yaml");
    let managed = std::fs::read_to_string(&sample)?
        .replace(
            "  name: arena\n",
            "  name: @NAME@\n  namespace: @NAMESPACE@\n",
        )
        .replace("{name: arena}", "{name: @GAME@}");
    ensure!(managed.matches('@').count() == 6, "{managed}");
    let mut all = String::new();
    for number in 0..size {
        let template = if number % MANAGED_EVERY == 0 {
            &managed
        } else {
            EXTERNAL
        };
        all.push_str("---\n");
        all.push_str(
            &template
                .replace("@NAMESPACE@", &namespace_of(number))
                .replace("@NAME@", &format!("p{number}"))
                .replace("@GAME@", PLAYED[number % PLAYED.len()]),
        );
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pipelines.yaml");
    std::fs::write(&path, all)?;
    cluster.kubectl(&["create", "-f", &path.display().to_string()])?;
    Ok(())
}

/// The pipelines' own statuses agree with what the operator counts.
fn all_say_so(cluster: &Cluster, size: usize) -> Result<()> {
    let what = "jsonpath={range .items[*]}{.metadata.generation}={.status.observedGeneration} \
                {.status.conditions[?(@.type==\"Ready\")].reason} {.status.conditions[?(@.type==\"Degraded\")].reason}{\"\\n\"}{end}";
    let said = cluster.kubectl(&["get", "gp", "--all-namespaces", "-o", what])?;
    let ready = said
        .lines()
        .filter(|line| *line == "1=1 AllReady Healthy")
        .count();
    ensure!(ready == size, "{ready} of {size}:\n{said}");
    Ok(())
}

/// Passes go on, each pipeline has two or more, and nothing changes: no request is a write, and no object gets another version.
fn is_left_in_peace(cluster: &Cluster, operator: &Operator, size: u64) -> Result<()> {
    let patience = Duration::from_secs(180 + 3 * size);
    let settled = settle(operator, size, patience)?;
    let before = versions(cluster)?;
    let (first, began) = (operator.counts()?, Instant::now());
    let cpu_before = cpu_seconds(operator.pid())?;
    ensure!(
        first.writes() == settled.writes(),
        "it was settled, and then wrote: {}",
        first.requests_shown()
    );
    let last = operator.wait("two looks at each pipeline", patience, |counts| {
        let done = counts.passes() - first.passes() >= PASSES_EACH * size;
        Ok(done.then(|| counts.clone()))
    })?;
    let spent = (
        began.elapsed().as_secs_f64(),
        cpu_seconds(operator.pid())? - cpu_before,
    );
    let after = versions(cluster)?;
    report(operator, &first, &last, spent)?;
    ensure!(
        last.writes() == first.writes(),
        "{} writes while nothing changed: {}",
        last.writes() - first.writes(),
        last.requests_shown()
    );
    ensure!(
        before.len() > 15 * usize::try_from(size)?,
        "{} objects",
        before.len()
    );
    let changed: Vec<&String> = after
        .iter()
        .filter(|(object, version)| before.get(*object) != Some(*version))
        .map(|(object, _)| object)
        .collect();
    ensure!(
        changed.is_empty() && before.len() == after.len(),
        "changed, of {} objects: {changed:?}",
        after.len()
    );
    say(&format!(
        "{} objects have the versions that they had",
        after.len()
    ));
    Ok(())
}

/// Waits until as many passes as there are pipelines have ended without a write.
fn settle(operator: &Operator, size: u64, patience: Duration) -> Result<Counts> {
    let mut since = operator.counts()?;
    operator.wait("passes without a write", patience, |counts| {
        if counts.writes() != since.writes() {
            since = counts.clone();
        }
        let quiet = counts.passes() - since.passes() >= size;
        Ok(quiet.then(|| counts.clone()))
    })
}

/// Every object that is a pipeline, a game, or made for one, with its version.
fn versions(cluster: &Cluster) -> Result<BTreeMap<String, String>> {
    let columns = "custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name,U:.metadata.uid,V:.metadata.resourceVersion,\
                   M:.metadata.labels.app\\.kubernetes\\.io/managed-by";
    let get = [
        "get",
        KINDS,
        "--all-namespaces",
        "--no-headers",
        "-o",
        columns,
    ];
    let mut found = BTreeMap::new();
    for line in cluster.kubectl(&get)?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, namespace, name, uid, version, manager] = words.as_slice() else {
            bail!("{line}");
        };
        if *manager == NAME || kind.starts_with("Game") {
            let object = format!("{kind} {namespace}/{name} {uid}");
            found.insert(object, (*version).to_owned());
        }
    }
    Ok(found)
}

/// What the operator needed between two counts: so many seconds, and of CPU so many.
fn report(
    operator: &Operator,
    first: &Counts,
    last: &Counts,
    (seconds, cpu): (f64, f64),
) -> Result<()> {
    let between =
        |metric: &str, labels: &[&str]| last.sum(metric, labels) - first.sum(metric, labels);
    let passes = between("reconcile_total", &[]);
    let mean = between("reconcile_duration_seconds_sum", &[]) / passes * 1e3;
    let within = |limit: &str| {
        let label = format!("le=\"{limit}\"");
        100.0 * between("reconcile_duration_seconds_bucket", &[&label]) / passes
    };
    say(&format!(
        "{passes} passes over unchanged pipelines in {seconds:.0} s: {mean:.1} ms each, {:.1} ms CPU; {:.1} % within 10 ms, {:.1} % within 25 ms, \
         {:.1} % within 50 ms, {:.1} % within 100 ms, {:.1} % within 500 ms",
        cpu / passes * 1e3,
        within("0.01"),
        within("0.025"),
        within("0.05"),
        within("0.1"),
        within("0.5")
    ));
    let reads = between("requests_total", &["verb=\"get\""])
        + between("requests_total", &["verb=\"list\""]);
    say(&format!(
        "{:.1} reads each; requests so far: {}",
        reads / passes,
        last.requests_shown()
    ));
    let pid = operator.pid();
    let now = memory(pid)?;
    say(&format!(
        "the operator has {now} MiB, at its peak {} MiB",
        status_mib(pid, "VmHWM:")?
    ));
    Ok(())
}

/// The CPU time that a process has used, in seconds.
fn cpu_seconds(pid: u32) -> Result<f64> {
    /// A hundredth of a second, which is fixed on Linux for user space.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().context("no name in stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks =
        |index: usize| -> Result<f64> { Ok(fields.get(index).context("short stat")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// How much memory a process has, in MiB.
fn memory(pid: u32) -> Result<u64> {
    status_mib(pid, "VmRSS:")
}

fn status_mib(pid: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: u64 = number.with_context(|| format!("no {field}"))?.parse()?;
    Ok(kib / 1024)
}

/// A measurement is shown by the test that makes it.
fn say(text: &str) {
    eprintln!("fleet: {text}");
}
