//! The tools that users have, unmodified: Trino CLI, Python's trino, PyHive, DuckDB and deltalake, Apache Bench, curl.

mod python;
mod shell_tools;
mod trino_cli;
