//! A whole pipeline in this process: the embedded stores, the API, the streamer and SQL.
//!
//! [`data_dir`] owns the directory, [`layers`] says which settings it presumes, [`changes`] compares the definition with the one it was last used with, [`stack`]
//! starts the parts and drains them in the order in which data flows, [`disk_watch`] tells when the disk is full,
//! [`banner`] says what runs where and what to try next.

pub(crate) mod data_dir;

pub(crate) mod layers;

pub(crate) mod changes;

pub(crate) mod disk_watch;

pub(crate) mod stack;

pub(crate) mod banner;
