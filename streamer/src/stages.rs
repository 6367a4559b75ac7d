//! The stages, in the order in which events pass them.

pub mod source;

pub mod decode;

pub mod route;

pub mod buffer;

pub mod encode;

pub mod commit;
