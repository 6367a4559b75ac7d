//! Tests of the rules' machinery as a whole.

mod agreement;
mod corpus;
mod properties;
