//! What the real API server writes into objects beside what was applied, as far as a comparison could stumble over it.

use serde_json::{Value, json};

/// Fills in defaults, and writes amounts its own way.
pub(crate) fn fill(object: &mut Value) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "Deployment" => {
            default(object, "/spec/progressDeadlineSeconds", json!(600));
            default(object, "/spec/replicas", json!(1));
            pod(object);
        }
        "StatefulSet" => {
            default(object, "/spec/podManagementPolicy", json!("OrderedReady"));
            default(
                object,
                "/spec/updateStrategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
            );
            for claim in object["spec"]["volumeClaimTemplates"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                claim["apiVersion"] = json!("v1");
                claim["kind"] = json!("PersistentVolumeClaim");
                claim["status"] = json!({"phase": "Pending"});
                claim["spec"]["volumeMode"] = json!("Filesystem");
            }
            pod(object);
        }
        "Service" => {
            default(object, "/spec/clusterIP", json!("10.0.0.1"));
            default(object, "/spec/sessionAffinity", json!("None"));
            default(object, "/spec/ipFamilies", json!(["IPv4"]));
        }
        "NetworkPolicy" => {
            for rule in object["spec"]["ingress"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                for port in rule["ports"].as_array_mut().into_iter().flatten() {
                    default(port, "/protocol", json!("TCP"));
                }
            }
        }
        "PersistentVolumeClaim" => default(object, "/spec/volumeMode", json!("Filesystem")),
        _ => {}
    }
}

fn pod(object: &mut Value) {
    let pod = &mut object["spec"]["template"]["spec"];
    for (pointer, value) in [
        ("/restartPolicy", json!("Always")),
        ("/dnsPolicy", json!("ClusterFirst")),
        ("/schedulerName", json!("default-scheduler")),
        ("/terminationGracePeriodSeconds", json!(30)),
    ] {
        default(pod, pointer, value);
    }
    for container in pod["containers"].as_array_mut().into_iter().flatten() {
        default(
            container,
            "/terminationMessagePath",
            json!("/dev/termination-log"),
        );
        default(container, "/imagePullPolicy", json!("IfNotPresent"));
        for port in container["ports"].as_array_mut().into_iter().flatten() {
            default(port, "/protocol", json!("TCP"));
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if container[probe].is_object() {
                default(&mut container[probe], "/successThreshold", json!(1));
            }
        }
        for side in ["requests", "limits"] {
            if let Some(cpu) = container["resources"][side]["cpu"].as_str() {
                let whole = cpu
                    .strip_suffix("000m")
                    .filter(|cores| !cores.is_empty())
                    .map(str::to_owned);
                container["resources"][side]["cpu"] =
                    json!(whole.unwrap_or_else(|| cpu.to_owned()));
            }
        }
    }
    for volume in pod["volumes"].as_array_mut().into_iter().flatten() {
        for source in ["configMap", "secret"] {
            if volume[source].is_object() {
                default(&mut volume[source], "/defaultMode", json!(420));
            }
        }
    }
}

/// Sets a field that is not there.
fn default(object: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    if let Some(fields) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        fields.entry(name).or_insert(value);
    }
}
