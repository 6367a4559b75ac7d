//! The roles as processes of their own, which share Redis, Kafka and a lake.
//!
//! [`role`] starts one and drains it; [`opening`] waits for a backend that can't be used yet and tells why; [`backends`] opens
//! them by the settings.

pub(crate) mod backends;

pub(crate) mod opening;

pub(crate) mod role;
