use std::ops::Range;

use http::request;

/// What a router matched a request by, in axum's spelling.
#[cfg_attr(
    not(any(feature = "cloudwatch", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "spans have it as a text")
)]
#[derive(Clone, Debug)]
pub(crate) struct Route {
    #[cfg(feature = "axum")]
    matched: axum::extract::MatchedPath,
    #[cfg(not(feature = "axum"))]
    matched: std::convert::Infallible,
}

// ===== impl Route =====

#[cfg_attr(
    not(any(feature = "cloudwatch", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "spans have it as a text")
)]
impl Route {
    #[cfg(feature = "axum")]
    pub(crate) fn of(request: &request::Parts) -> Option<Self> {
        Some(Self { matched: request.extensions.get::<axum::extract::MatchedPath>()?.clone() })
    }

    #[cfg(not(feature = "axum"))]
    pub(crate) fn of(_request: &request::Parts) -> Option<Self> {
        None
    }

    #[cfg(feature = "axum")]
    pub(crate) fn pattern(&self) -> &str {
        self.matched.as_str()
    }

    #[cfg(not(feature = "axum"))]
    pub(crate) fn pattern(&self) -> &str {
        match self.matched {}
    }

    /// What the route took from the path, by name, as it was written there. Nothing if the path is not what was matched.
    #[cfg(feature = "rollbar")]
    pub(crate) fn params<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        params(self.pattern(), path).into_iter().map(|(name, at)| (name, &path[at]))
    }

    /// What it calls parts of a path.
    #[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        names(self.pattern())
    }

    /// The path with what is called a secret replaced, if something is.
    pub(crate) fn redact(&self, path: &str, is_secret: impl Fn(&str) -> bool) -> Option<String> {
        redact(self.pattern(), path, is_secret)
    }
}

/// The path with what the pattern calls a secret replaced, if something is.
pub(crate) fn redact(pattern: &str, path: &str, is_secret: impl Fn(&str) -> bool) -> Option<String> {
    if !names(pattern).any(&is_secret) {
        return None;
    }
    let (mut shown, mut done) = (String::new(), 0);
    let params = params(pattern, path).into_iter();
    for (_, at) in params.filter(|(name, at)| !at.is_empty() && is_secret(name)) {
        shown.push_str(&path[done..at.start]);
        shown.push_str("REDACTED");
        done = at.end;
    }
    (done > 0).then(|| shown + &path[done..])
}

/// The names in a pattern.
fn names(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(name).map(|name| name.trim_start_matches('*'))
}

/// The names in a pattern, each with its place in the path. They are in order.
fn params<'a>(pattern: &'a str, path: &str) -> Vec<(&'a str, Range<usize>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    for part in pattern.split('/') {
        let rest = path.get(at..).unwrap_or_default();
        let start = at.min(path.len());
        if let Some(name) = name(part).and_then(|name| name.strip_prefix('*')) {
            found.push((name, start..path.len()));
            return found;
        }
        let length = rest.find('/').unwrap_or(rest.len());
        match name(part) {
            Some(name) => found.push((name, start..start + length)),
            None if *part == rest[..length] => {}
            None => return Vec::new(),
        }
        at = start + length + 1;
    }
    found
}

/// The name in `{name}`; `{{` is a brace.
fn name(part: &str) -> Option<&str> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    (!name.starts_with('{')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_their_parts_of_the_path() {
        for (pattern, path, found) in [
            ("/carts/{id}", "/carts/7", &[("id", "7")][..]),
            ("/carts/{id}/items/{item}", "/carts/7/items/a%20b", &[("id", "7"), ("item", "a%20b")]),
            ("/files/{*path}", "/files/a/b/c", &[("path", "a/b/c")]),
            ("/carts", "/carts", &[]),
            ("/", "/", &[]),
            ("/{{id}}", "/{id}", &[]),
            ("/carts/{id}", "/other/7", &[]),
            ("/carts/{id}", "/carts/", &[("id", "")]),
            ("/carts/{id}", "/carts", &[("id", "")]),
            ("", "", &[]),
        ] {
            let params: Vec<_> =
                params(pattern, path).into_iter().map(|(name, at)| (name, &path[at])).collect();
            assert_eq!(params, found, "{pattern}");
        }
    }

    #[test]
    fn what_is_secret_is_replaced_in_its_place() {
        let path = "/a/a/b/c";
        let shown = redact("/a/{token}/{id}/{*secret}", path, |name| name != "id");
        assert_eq!(shown.as_deref(), Some("/a/REDACTED/b/REDACTED"));
        assert_eq!(redact("/a/{id}/b/{x}", path, |_| false), None);
    }
}
