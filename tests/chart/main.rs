//! The Helm chart and the manifests: what they render for which values, what they refuse, and that they fit the operator and the roles.
//!
//! Modules whose names begin with `kubernetes_` need Helm. After a change that is meant, `INSTA_UPDATE=always` writes the snapshots and
//! `manifests/install.yaml` anew.

mod documents;
mod files;
mod helm;
mod kubernetes_pods;
mod kubernetes_rendering;
mod kubernetes_rights;
mod kubernetes_schemas;
mod kubernetes_values;
mod monitoring;
