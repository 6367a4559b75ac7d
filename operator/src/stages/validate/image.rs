//! Whether a text can be an image's name, so that a slip of the pen is told at once instead of as pods that never start.

use crate::crd::pipeline::GamePipelineSpec;
use crate::crd::status::Reason;
use crate::stages::validated::Finding;

/// Checks every image that the spec names.
pub(super) fn check(spec: &GamePipelineSpec, findings: &mut Vec<Finding>) {
    let kafka = spec
        .kafka
        .managed
        .as_ref()
        .and_then(|kafka| kafka.image.as_ref());
    let redis = spec
        .redis
        .managed
        .as_ref()
        .and_then(|redis| redis.image.as_ref());
    let named = [
        ("spec.image", spec.image.as_ref()),
        ("spec.kafka.managed.image", kafka),
        ("spec.redis.managed.image", redis),
    ];
    for (path, image) in named {
        if let Some(image) = image.filter(|image| !is_image(image)) {
            findings.push(Finding::new(
                Reason::SpecInvalid,
                path,
                format!("{image:?} is no image: expected [registry/]name[:tag][@sha256:digest], in lower case but for the tag"),
            ));
        }
    }
}

/// The grammar of image references, without its limits on lengths.
fn is_image(text: &str) -> bool {
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    let tag_at = named.rfind(':').filter(|at| !named[*at..].contains('/'));
    let (path, tag) = match tag_at {
        Some(at) => (&named[..at], Some(&named[at + 1..])),
        None => (named, None),
    };
    let is_tag = |tag: &str| {
        !tag.is_empty()
            && tag.len() <= 128
            && tag.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && tag
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter))
    };
    let is_digest = |digest: &str| {
        digest.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64
                && hex
                    .chars()
                    .all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase())
        })
    };
    let mut parts = path.split('/').enumerate();
    // Only a registry, which comes first and has something behind it, may have a port.
    let is_part = |(index, part): (usize, &str)| {
        let host = match part.split_once(':') {
            Some((host, port)) if index == 0 && path.contains('/') => {
                if port.is_empty() || !port.chars().all(|digit| digit.is_ascii_digit()) {
                    return false;
                }
                host
            }
            _ => part,
        };
        host.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && !host.ends_with(['.', '-', '_'])
            && host.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter)
            })
    };
    parts.all(is_part) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

#[cfg(test)]
mod tests {
    use super::is_image;

    #[test]
    fn references_are_told_from_slips() {
        let digest = format!("apache/kafka@sha256:{}", "a1".repeat(32));
        for good in [
            "redis",
            "redis:7.4",
            "docker.io/apache/kafka:4.3.1",
            "localhost:5000/a/b-c:V1_x",
            &digest,
        ] {
            assert!(is_image(good), "{good}");
        }
        for bad in [
            "",
            "redis:",
            "Redis",
            "a b",
            "kafka:4@sha256:12",
            "a//b",
            "-a",
            "host:port/a",
            "a:1:2",
        ] {
            assert!(!is_image(bad), "{bad}");
        }
    }
}
