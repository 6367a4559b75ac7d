//! Tests of the stage `validate`.
