use super::{REDACTED, Scrubber};

// ===== impl Scrubber =====

impl Scrubber {
    /// The value of a `Cookie` header: the names of cookies stay, all values go.
    pub fn cookies(&self, value: &str) -> String {
        joined(value.split(';').map(pair))
    }

    /// The value of a `Set-Cookie` header: the name and the attributes stay, the value goes.
    pub fn set_cookie(&self, value: &str) -> String {
        let mut parts = value.split(';');
        let cookie = parts.next().into_iter().map(pair);
        let attributes =
            parts.map(|part| if is_attribute(part) { part.trim().to_owned() } else { pair(part) });
        joined(cookie.chain(attributes))
    }
}

fn pair(part: &str) -> String {
    match part.trim().split_once('=') {
        Some((name, "")) => format!("{name}="),
        Some((name, _)) => format!("{name}={REDACTED}"),
        None if part.trim().is_empty() => String::new(),
        // A cookie without a name.
        None => REDACTED.to_owned(),
    }
}

fn is_attribute(part: &str) -> bool {
    let name = part.split('=').next().unwrap_or_default().trim();
    ATTRIBUTES.iter().any(|attribute| attribute.eq_ignore_ascii_case(name))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// <https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie>
const ATTRIBUTES: [&str; 9] =
    ["domain", "expires", "httponly", "max-age", "partitioned", "path", "priority", "samesite", "secure"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_keep_their_names_alone() {
        let shown = Scrubber::default().cookies("theme=dark; sid=a=b; bare; empty=;;");
        assert_eq!(shown, "theme=REDACTED; sid=REDACTED; REDACTED; empty=");
    }

    #[test]
    fn a_cookie_that_is_set_keeps_its_attributes() {
        let shown = Scrubber::default().set_cookie("sid=x; Path=/; HttpOnly; Max-Age=60; y");
        assert_eq!(shown, "sid=REDACTED; Path=/; HttpOnly; Max-Age=60; REDACTED");
    }
}
