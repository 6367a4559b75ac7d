//! What a request asks for, read off its method and path.

use http::Method;
use http::request::Parts;

/// Where an object or a collection is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn new(group: &str, resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) verb: &'static str,
    pub(crate) place: Place,
    pub(crate) subresource: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) content: String,
    pub(crate) metadata_only: bool,
}

impl Call {
    pub(crate) fn read(parts: &Parts) -> Self {
        let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        let (group, rest) = match path.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            other => panic!("no path of the API: {other:?}"),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let at = |index: usize| rest.get(index).copied().unwrap_or_default();
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
        let watch = query
            .iter()
            .any(|(name, value)| name == "watch" && (value == "true" || value == "1"));
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let verb = match (&parts.method, at(1)) {
            (&Method::GET, "") if watch => "watch",
            (&Method::GET, "") => "list",
            (&Method::GET, _) => "get",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, _) => "delete",
            other => panic!("no verb of the API: {other:?}"),
        };
        Self {
            verb,
            place: Place::new(group, at(0), namespace, at(1)),
            subresource: at(2).to_owned(),
            content: header("content-type").to_owned(),
            metadata_only: header("accept").contains("as=PartialObjectMetadata"),
            query,
        }
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb, "get" | "list" | "watch")
    }

    /// What a Role has to allow.
    pub(crate) fn right(&self) -> String {
        let Place {
            group, resource, ..
        } = &self.place;
        let group = if group.is_empty() { "core" } else { group };
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        format!(
            "{group} {resource}{slash}{} {}",
            self.subresource, self.verb
        )
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} {}/{}",
            self.right(),
            self.place.namespace,
            self.place.name
        )
    }
}
