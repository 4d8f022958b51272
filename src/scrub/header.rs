use std::borrow::Cow;

use http::{HeaderName, HeaderValue, header};

use super::{REDACTED, Scrubber};

// ===== impl Scrubber =====

impl Scrubber {
    /// The value of a header as it may be shown. One that is [sensitive](HeaderValue::is_sensitive) never is. Bytes that are
    /// no text are replaced.
    pub fn header<'a>(&self, name: &HeaderName, value: &'a HeaderValue) -> Cow<'a, str> {
        if value.is_sensitive() {
            return Cow::Borrowed(REDACTED);
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        match *name {
            _ if text.is_empty() => text,
            header::COOKIE => self.cookies(&text).into(),
            header::SET_COOKIE => self.set_cookie(&text).into(),
            _ if self.rules().hide_header(name.as_str()) => Cow::Borrowed(REDACTED),
            _ if URLS.contains(&name.as_str()) => over(text, |text| self.url(text)),
            _ => over(text, |text| self.text(text)),
        }
    }
}

/// Scrubs what may be a copy already.
fn over<'a>(text: Cow<'a, str>, scrub: impl Fn(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    match scrub(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(scrubbed) => Cow::Owned(scrubbed),
    }
}

/// Headers that are a URL, perhaps one without a host.
const URLS: [&str; 8] = [
    "content-location",
    "location",
    "origin",
    "referer",
    "x-forwarded-uri",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &'static str, value: &[u8]) -> String {
        let value = HeaderValue::from_bytes(value).unwrap();
        Scrubber::default().header(&HeaderName::from_static(name), &value).into_owned()
    }

    #[test]
    fn headers_with_secret_names_are_hidden() {
        for name in [
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "x-access-token",
            "x-amz-security-token",
            "x-csrf-token",
            "x-github-token",
        ] {
            assert_eq!(shown(name, b"Bearer canary"), REDACTED, "{name}");
        }
        assert_eq!(shown("cookie", b"sid=canary"), "sid=REDACTED");
        assert_eq!(shown("set-cookie", b"sid=canary; Secure"), "sid=REDACTED; Secure");
        assert_eq!(shown("x-api-key", b""), "");
    }

    #[test]
    fn a_sensitive_value_is_hidden_whatever_its_name() {
        let mut value = HeaderValue::from_static("canary");
        value.set_sensitive(true);
        let nothing = Scrubber::default().only_headers([""; 0]).only_fields([""; 0]);
        assert_eq!(nothing.header(&header::ACCEPT, &value), REDACTED);
        assert_eq!(nothing.header(&header::COOKIE, &value), REDACTED);
    }

    #[test]
    fn other_values_are_read_for_secrets() {
        assert_eq!(shown("referer", b"/back?code=canary&page=2"), "/back?code=REDACTED&page=2");
        assert_eq!(shown("x-note", b"token=canary"), "token=REDACTED");
        assert_eq!(shown("user-agent", b"curl/8.1"), "curl/8.1");
        assert_eq!(shown("x-note", b"caf\xe9"), "caf\u{fffd}");
    }
}
