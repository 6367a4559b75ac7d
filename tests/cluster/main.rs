//! Tests on a real Kubernetes: what the cluster itself must do before anything is proved with it, and gamepipe on it.
//!
//! All of them are in modules whose names begin with `kubernetes_`; those that need a node with `kubernetes_node`.

mod kubernetes_control_plane;
mod kubernetes_node;
