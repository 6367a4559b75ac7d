//! What API, streamers and SQL share: the image, the mounted settings and definition, secrets as variables, probes, and a Deployment.

use std::collections::BTreeMap;

use gamepipe_config::settings::Settings;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, EnvVar, Lifecycle, LifecycleHandler, SleepAction, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::hash::Mounted;
use super::labels::{GAME_VERSION, matching, meta, selector};
use super::pod::{
    Pods, config_volume, from_secret, http_probe, mount, resources, scratch_volume, some_of_secret,
    variable,
};
use super::settings::{KAFKA_CA, KAFKA_CERTIFICATE, file};
use super::{definition, kafka, lake, redis};
use crate::crd::pods::{Autoscaling, PodOptions, Resources};
use crate::stages::component::Component;
use crate::stages::validated::{Definition, ValidatedPipeline};

/// The user of gamepipe's image.
const USER: i64 = 65532;
/// Where the settings are.
const SETTINGS: &str = "/etc/gamepipe/settings";
/// Where the definition is.
const GAME: &str = "/etc/gamepipe/game";
/// The file of the settings.
const SETTINGS_FILE: &str = "gamepipe.yaml";
/// Requests still come for a moment after a pod is told to stop: until every node knows. It waits that long before it drains.
const STILL_SERVING_SECONDS: i64 = 5;
/// A drain takes ten seconds at most, and a streamer eight more to leave the others. An API may have been given more.
const GRACE_SECONDS: i64 = 30;
/// What an API has besides its drain.
const BEFORE_AND_AFTER_SECONDS: i64 = 20;

fn grace_seconds(component: Component, settings: &Settings) -> i64 {
    if component != Component::Api {
        return GRACE_SECONDS;
    }
    let drain = i64::try_from(settings.api.whole_drain().as_secs()).unwrap_or(i64::MAX);
    GRACE_SECONDS.max(drain.saturating_add(BEFORE_AND_AFTER_SECONDS))
}

/// A role of the gamepipe image.
pub(super) struct Role<'a> {
    pub(super) pipeline: &'a ValidatedPipeline,
    pub(super) component: Component,
    pub(super) definition: &'a Definition,
    pub(super) port: i32,
    pub(super) replicas: i32,
    pub(super) autoscaling: Option<&'a Autoscaling>,
    pub(super) resources: &'a Resources,
    pub(super) pods: &'a PodOptions,
    /// Disk of the node, for temporary files.
    pub(super) scratch: String,
}

/// A role's settings as a ConfigMap.
pub(super) fn config_map(
    pipeline: &ValidatedPipeline,
    component: Component,
    settings: &Settings,
) -> ConfigMap {
    ConfigMap {
        metadata: meta(pipeline, component, component.as_str()),
        data: Some(settings_files(settings)),
        ..ConfigMap::default()
    }
}

fn settings_files(settings: &Settings) -> BTreeMap<String, String> {
    BTreeMap::from([(SETTINGS_FILE.to_owned(), file(settings))])
}

impl Role<'_> {
    /// The Deployment. A new pod is ready before an old one goes, so that nothing is without an owner in between.
    pub(super) fn deployment(self, settings: &Settings) -> Deployment {
        let (pipeline, component) = (self.pipeline, self.component);
        let replicas = self.replicas();
        let secrets = Secrets::of(pipeline, component);
        let mut mounted = secrets.mounted(pipeline);
        mounted.files("settings", &settings_files(settings));
        mounted.files("game", &definition::files(self.definition));
        let mut options = self.pods.clone();
        if secrets.lake.is_some() {
            options.affinity = lake::together(pipeline, options.affinity);
            options
                .labels
                .insert(lake::MOUNTS_LAKE.to_owned(), "true".to_owned());
        }
        let template = Pods {
            pipeline,
            component,
            options: &options,
            account: component.as_str(),
            user: USER,
            container: self.container(&secrets),
            volumes: self.volumes(&secrets),
            mounted,
            annotations: BTreeMap::from([(
                GAME_VERSION.to_owned(),
                self.definition.version.clone(),
            )]),
            grace_seconds: grace_seconds(component, settings),
        }
        .template();
        Deployment {
            metadata: meta(pipeline, component, component.as_str()),
            spec: DeploymentSpec {
                replicas,
                revision_history_limit: Some(3),
                selector: matching(selector(pipeline, component)),
                strategy: Some(DeploymentStrategy {
                    rolling_update: Some(RollingUpdateDeployment {
                        max_surge: Some(IntOrString::Int(1)),
                        max_unavailable: Some(IntOrString::Int(0)),
                    }),
                    type_: Some("RollingUpdate".to_owned()),
                }),
                template,
                ..DeploymentSpec::default()
            },
            ..Deployment::default()
        }
    }

    /// None where an autoscaler owns the number: what is not applied is left alone.
    fn replicas(&self) -> Option<i32> {
        if self.pipeline.spec.suspend {
            return Some(0);
        }
        match self.autoscaling {
            Some(_) => None,
            None => Some(self.replicas),
        }
    }

    fn container(&self, secrets: &Secrets<'_>) -> Container {
        let spec = &self.pipeline.spec;
        let mut variables = vec![
            variable(
                "GAMEPIPE_GAME",
                &format!("{GAME}/{}", definition::GAME_FILE),
            ),
            variable("GAMEPIPE_CONFIG", &format!("{SETTINGS}/{SETTINGS_FILE}")),
            variable("GAMEPIPE_LOG", &spec.log_filter),
            variable("GAMEPIPE_LOG_FORMAT", "json"),
        ];
        variables.extend(secrets.variables.iter().map(SecretVariable::build));
        let sleep = LifecycleHandler {
            sleep: Some(SleepAction {
                seconds: STILL_SERVING_SECONDS,
            }),
            ..LifecycleHandler::default()
        };
        Container {
            name: self.component.as_str().to_owned(),
            image: Some(
                spec.image
                    .as_ref()
                    .unwrap_or(&self.pipeline.platform.image)
                    .clone(),
            ),
            command: Some(
                ["gamepipe", "serve", self.component.as_str()]
                    .map(str::to_owned)
                    .into(),
            ),
            env: Some(variables),
            lifecycle: Some(Lifecycle {
                pre_stop: Some(sleep),
                ..Lifecycle::default()
            }),
            ports: Some(vec![ContainerPort {
                name: Some("http".to_owned()),
                container_port: self.port,
                ..ContainerPort::default()
            }]),
            readiness_probe: Some(http_probe("/readyz", "http", 5, 2)),
            liveness_probe: Some(http_probe("/livez", "http", 10, 6)),
            resources: resources(self.resources),
            volume_mounts: Some(self.mounts(secrets)),
            ..Container::default()
        }
    }

    fn mounts(&self, secrets: &Secrets<'_>) -> Vec<VolumeMount> {
        let mut mounts = vec![
            mount("settings", SETTINGS, true),
            mount("game", GAME, true),
            mount("tmp", "/tmp", false),
        ];
        mounts.extend(
            secrets
                .files
                .iter()
                .map(|file| mount(file.volume, file.path, true)),
        );
        if secrets.lake.is_some() {
            mounts.push(mount(
                lake::VOLUME,
                lake::PATH,
                self.component == Component::Sql,
            ));
        }
        mounts
    }

    fn volumes(&self, secrets: &Secrets<'_>) -> Vec<Volume> {
        let pipeline = self.pipeline;
        let mut volumes = vec![
            config_volume("settings", pipeline.child(self.component.as_str())),
            config_volume("game", pipeline.child(&definition::suffix(self.definition))),
            scratch_volume("tmp", self.scratch.clone()),
        ];
        volumes.extend(
            secrets
                .files
                .iter()
                .map(|file| some_of_secret(file.volume, file.secret, file.keys)),
        );
        volumes.extend(secrets.lake.clone());
        volumes
    }
}

/// What a role needs beside settings and definition.
struct Secrets<'a> {
    variables: Vec<SecretVariable>,
    files: Vec<SecretFiles<'a>>,
    lake: Option<Volume>,
}

/// A variable out of a Secret.
struct SecretVariable {
    name: &'static str,
    secret: String,
    key: &'static str,
    optional: bool,
}

/// A Secret's files.
struct SecretFiles<'a> {
    volume: &'static str,
    path: &'static str,
    secret: &'a str,
    keys: &'static [&'static str],
}

impl SecretVariable {
    fn new(name: &'static str, secret: impl Into<String>, key: &'static str) -> Self {
        Self {
            name,
            secret: secret.into(),
            key,
            optional: false,
        }
    }

    fn build(&self) -> EnvVar {
        from_secret(self.name, &self.secret, self.key, self.optional)
    }
}

impl<'a> Secrets<'a> {
    fn of(pipeline: &'a ValidatedPipeline, component: Component) -> Self {
        let mut secrets = Self {
            variables: Vec::new(),
            files: Vec::new(),
            lake: None,
        };
        if component == Component::Api {
            secrets.redis(pipeline);
        }
        if component != Component::Sql {
            secrets.kafka(pipeline);
        }
        if component != Component::Api {
            secrets.lake(pipeline, component);
        }
        secrets
    }

    fn redis(&mut self, pipeline: &ValidatedPipeline) {
        const PASSWORD: &str = "GAMEPIPE_STATE_REDIS_PASSWORD";
        if let Some(external) = &pipeline.spec.redis.external {
            let secret = external.url_secret.as_str();
            self.variables.push(SecretVariable::new(
                "GAMEPIPE_STATE_REDIS_URL",
                secret,
                "url",
            ));
            self.variables.push(SecretVariable {
                optional: true,
                ..SecretVariable::new(PASSWORD, secret, "password")
            });
        } else {
            let secret = pipeline.child(Component::Redis.as_str());
            self.variables
                .push(SecretVariable::new(PASSWORD, secret, redis::PASSWORD));
        }
    }

    fn kafka(&mut self, pipeline: &'a ValidatedPipeline) {
        const PASSWORD: &str = "GAMEPIPE_LOG_KAFKA_PASSWORD";
        let Some(external) = &pipeline.spec.kafka.external else {
            let secret = pipeline.child(Component::Kafka.as_str());
            self.variables.push(SecretVariable::new(
                PASSWORD,
                secret,
                kafka::secret::PASSWORD,
            ));
            let managed = pipeline.spec.kafka.managed.as_ref();
            if let Some(secret) = managed.and_then(|kafka| kafka.tls_secret.as_ref()) {
                self.certificate_authority(secret);
            }
            return;
        };
        if let Some(secret) = &external.credentials_secret {
            self.variables.push(SecretVariable::new(
                "GAMEPIPE_LOG_KAFKA_USERNAME",
                secret,
                "username",
            ));
            self.variables
                .push(SecretVariable::new(PASSWORD, secret, "password"));
        }
        if let Some(secret) = &external.ca_secret {
            self.certificate_authority(secret);
        }
        if let Some(secret) = &external.certificate_secret {
            self.files.push(SecretFiles {
                volume: "kafka-certificate",
                path: KAFKA_CERTIFICATE,
                secret,
                keys: &["tls.crt", "tls.key"],
            });
        }
    }

    fn certificate_authority(&mut self, secret: &'a str) {
        self.files.push(SecretFiles {
            volume: "kafka-ca",
            path: KAFKA_CA,
            secret,
            keys: &["ca.crt"],
        });
    }

    fn lake(&mut self, pipeline: &ValidatedPipeline, component: Component) {
        let s3 = pipeline.spec.lake.s3.as_ref();
        if let Some(secret) = s3.and_then(|s3| s3.credentials_secret.as_ref()) {
            self.variables.push(SecretVariable::new(
                "GAMEPIPE_LAKE_S3_ACCESS_KEY_ID",
                secret,
                "accessKeyId",
            ));
            self.variables.push(SecretVariable::new(
                "GAMEPIPE_LAKE_S3_SECRET_ACCESS_KEY",
                secret,
                "secretAccessKey",
            ));
        }
        self.lake = lake::volume(pipeline, component == Component::Sql);
    }

    /// What of it the config hash covers: users' Secrets. Those of the operator never change.
    fn mounted(&self, pipeline: &ValidatedPipeline) -> Mounted {
        let mut mounted = Mounted::default();
        for variable in &self.variables {
            mounted.secret(pipeline, &variable.secret, variable.key);
        }
        for file in &self.files {
            for key in file.keys {
                mounted.secret(pipeline, file.secret, key);
            }
        }
        mounted
    }
}
