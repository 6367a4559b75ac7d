//! Checks of routes: literal, unique, and apart from gamepipe's own paths.

use std::collections::BTreeMap;

use super::Report;
use crate::definition::document::{GameSpec, RouteSpec};
use crate::definition::suggest::did_you_mean;

/// What a route may answer.
pub(super) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Paths that every API serves itself; `/v1` with all below it.
const RESERVED_PATHS: [&str; 6] = [
    "/v1",
    "/openapi.json",
    "/livez",
    "/readyz",
    "/metrics",
    "/docs",
];
/// The longest path of a route: longer ones are mistakes.
const MAX_PATH: usize = 128;

pub(super) fn check(spec: &GameSpec, report: &mut Report) {
    let mut taken: BTreeMap<(String, String), String> = BTreeMap::new();
    for (name, action) in &spec.actions {
        for (index, route) in action.routes.iter().enumerate() {
            let path = format!("spec.actions.{name}.routes[{index}]");
            method(report, &path, route);
            self::path(report, &path, route);
            let place = (route.method.to_ascii_uppercase(), route.path.clone());
            if let Some(other) = taken.insert(place, path.clone()) {
                report.add(
                    &path,
                    format!(
                        "{} {} is a route already, at {other}",
                        route.method, route.path
                    ),
                );
            }
        }
    }
}

fn method(report: &mut Report, path: &str, route: &RouteSpec) {
    if !METHODS.contains(&route.method.as_str()) {
        let hint = did_you_mean(&route.method, METHODS);
        let message = format!(
            "expected one of {}, got {:?}{hint}",
            METHODS.join(", "),
            route.method
        );
        report.add(format!("{path}.method"), message);
    }
}

fn path(report: &mut Report, path: &str, route: &RouteSpec) {
    let path = format!("{path}.path");
    let text = route.path.as_str();
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let segments = || text.split('/').skip(1);
    let is_literal = text == "/"
        || (text.starts_with('/')
            && segments().all(|segment| {
                !segment.is_empty()
                    && !matches!(segment, "." | "..")
                    && segment.bytes().all(is_plain)
            }));
    if !is_literal {
        report.add(
            &path,
            format!("{text:?}: a route is `/` or `/name/name`, of letters, digits, `-`, `_`, `.` and `~`; parameters are no part of it"),
        );
    } else if text.len() > MAX_PATH {
        report.add(
            &path,
            format!(
                "a route has at most {MAX_PATH} characters, got {}",
                text.len()
            ),
        );
    }
    let lower = text.to_ascii_lowercase();
    let is_reserved = RESERVED_PATHS.iter().any(|reserved| {
        lower
            .strip_prefix(reserved)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if is_reserved {
        report.add(
            path,
            format!("{text}: gamepipe serves this path itself; choose another"),
        );
    }
}
