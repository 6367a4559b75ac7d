//! `spec.streamer`: what lands the log in the lake.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pods::{Autoscaling, PodOptions, Resources};

/// The processes that land events. They share the partitions of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamerSpec {
    /// How many pods. More than the log has partitions would idle.
    #[serde(default = "StreamerSpec::replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Somebody else decides how many pods there are; `replicas` says nothing then. By the log's lag (KEDA): `external: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How long events wait until they land together: `500ms`, `15s`, `2m`. Shorter is sooner visible, longer makes fewer and larger files.
    #[serde(default = "StreamerSpec::commit_interval")]
    #[schemars(length(max = 16), regex(pattern = "^[0-9]{1,6}(ms|s|m)$"))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('100ms') && duration(self) <= duration('10m')")
        .message("commitInterval must be from 100ms to 10m, such as 1s"))]
    pub commit_interval: String,
    /// What each pod gets.
    #[serde(default = "StreamerSpec::resources")]
    pub resources: Resources,
    /// Where the pods run.
    #[serde(default)]
    pub pods: PodOptions,
}

impl StreamerSpec {
    fn replicas() -> i32 {
        1
    }

    fn commit_interval() -> String {
        "1s".to_owned()
    }

    fn resources() -> Resources {
        Resources::usual("250m", "512Mi", "1Gi")
    }

    /// The commit interval in milliseconds; `None` for what the schema refuses.
    pub fn commit_interval_ms(&self) -> Option<u64> {
        let text = self.commit_interval.as_str();
        let (number, scale) = if let Some(number) = text.strip_suffix("ms") {
            (number, 1)
        } else if let Some(number) = text.strip_suffix('s') {
            (number, 1000)
        } else {
            (text.strip_suffix('m')?, 60_000)
        };
        number.parse::<u64>().ok()?.checked_mul(scale)
    }
}

impl Default for StreamerSpec {
    fn default() -> Self {
        Self {
            replicas: Self::replicas(),
            autoscaling: None,
            commit_interval: Self::commit_interval(),
            resources: Self::resources(),
            pods: PodOptions::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gamepipe_config::streamer::StreamerConfig;

    use super::StreamerSpec;

    #[test]
    fn intervals_are_read_in_every_unit_and_the_default_is_the_streamers_own() {
        let mut spec = StreamerSpec::default();
        assert_eq!(
            spec.commit_interval_ms(),
            Some(StreamerConfig::default().commit_interval_ms)
        );
        for (text, wanted) in [("250ms", 250), ("15s", 15_000), ("2m", 120_000)] {
            text.clone_into(&mut spec.commit_interval);
            assert_eq!(spec.commit_interval_ms(), Some(wanted), "{text}");
        }
    }
}
