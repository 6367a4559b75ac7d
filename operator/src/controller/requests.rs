//! What the operator asks of the API server, counted by verb and answer: a steady state is one without writes, and a right that is missing shows.

use http::{Method, StatusCode, Uri};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// A request, as labels of a metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Asked {
    verb: &'static str,
    code: &'static str,
}

/// How many requests were sent, by verb and answer.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    answered: Family<Asked, Counter>,
}

impl Requests {
    /// A request with this verb was answered; with nothing, when the connection failed.
    pub fn count(&self, verb: &'static str, answer: Option<StatusCode>) {
        let code = answer.map_or("none", code);
        self.answered.get_or_create(&Asked { verb, code }).inc();
    }

    /// The metric.
    pub(super) fn family(&self) -> Family<Asked, Counter> {
        self.answered.clone()
    }
}

/// The verb of a request, as rights name it.
pub fn verb(method: &Method, uri: &Uri) -> &'static str {
    match *method {
        Method::GET if is_watch(uri) => "watch",
        Method::GET if names_one(uri.path()) => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// True for a request that opens a watch.
pub(super) fn is_watch(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|pair| pair == "watch=true")
}

/// True for the path of one object: `/api/v1/namespaces/games/pods/a`, `/apis/apps/v1/namespaces/games/deployments/a/status`.
fn names_one(path: &str) -> bool {
    let mut words = path.split('/').filter(|word| !word.is_empty());
    // A server may be behind a path of its own.
    let before_resource = match words.find(|word| matches!(*word, "api" | "apis")) {
        Some("api") => 1,
        _ => 2,
    };
    let words: Vec<&str> = words.skip(before_resource).collect();
    let after_resource = match words.as_slice() {
        ["namespaces", _, _, after @ ..] | [_, after @ ..] => after,
        [] => &[],
    };
    !after_resource.is_empty()
}

/// The answers that mean something of their own, and classes of the others: a closed set.
fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "2xx",
        401 => "401",
        403 => "403",
        404 => "404",
        409 => "409",
        410 => "410",
        422 => "422",
        429 => "429",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode, Uri};

    use super::{code, verb};

    #[test]
    fn requests_are_counted_by_the_verbs_of_rights_and_by_answers_of_a_closed_set() {
        let of = |method: Method, path: &'static str| verb(&method, &Uri::from_static(path));
        let pods = "/api/v1/namespaces/games/pods";
        assert_eq!(of(Method::GET, pods), "list");
        assert_eq!(of(Method::GET, "/api/v1/pods?limit=500"), "list");
        assert_eq!(of(Method::GET, "/api/v1/pods?watch=true&x=1"), "watch");
        assert_eq!(of(Method::GET, "/api/v1/namespaces/games/pods/a"), "get");
        let status = "/proxy/apis/apps/v1/namespaces/games/deployments/a/status";
        assert_eq!(of(Method::GET, status), "get");
        assert_eq!(of(Method::PATCH, status), "patch");
        assert_eq!(of(Method::GET, "/apis/gamepipe.dev/v1alpha1/games"), "list");
        assert_eq!(of(Method::POST, pods), "create");
        assert_eq!(of(Method::PUT, pods), "update");
        assert_eq!(of(Method::DELETE, pods), "delete");
        let codes = [201, 403, 418, 503].map(|number| {
            let status = StatusCode::from_u16(number).unwrap();
            code(status)
        });
        assert_eq!(codes, ["2xx", "403", "4xx", "5xx"]);
    }
}
