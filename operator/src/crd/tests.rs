//! Tests of the schema: every rule with a value that passes and one that fails, what rules cost, and habits that keep API servers and people content.

mod cases;
mod habits;
mod rules;
