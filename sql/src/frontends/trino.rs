//! Trino's client protocol: a statement is posted, its pages are polled by token, and a page can be asked for again.
//!
//! All failures of a query are HTTP 200 with an `error`; what is wrong with a request is an HTTP error.

pub(crate) mod cancel;
pub(crate) mod headers;
pub(crate) mod info;
pub(crate) mod page;
pub(crate) mod poll;
pub(crate) mod query;
pub(crate) mod statements;
pub(crate) mod submit;
