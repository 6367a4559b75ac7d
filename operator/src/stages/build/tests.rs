//! Tests of the stage `build`.
