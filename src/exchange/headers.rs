use http::{HeaderMap, HeaderName};

use crate::Error;

/// The headers whose values may leave the process. Empty unless filled.
#[derive(Clone, Debug, Default)]
pub struct HeaderNames(Vec<HeaderName>);

// ===== impl HeaderNames =====

impl HeaderNames {
    /// An allow-list; a name in it may be in any case.
    ///
    /// # Errors
    ///
    /// When a name is none that a header can have.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let parse = |name: &str| {
            name.parse().map_err(|_| Error::invalid("header name", name, "give the name of an HTTP header"))
        };
        names.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    #[cfg(feature = "rollbar")]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(feature = "otel")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The listed headers that are there, with each of their values in order: as they are, also sensitive ones.
    #[cfg(feature = "rollbar")]
    pub(crate) fn values<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> impl Iterator<Item = (&'a HeaderName, &'a http::HeaderValue)> {
        self.0.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)))
    }

    /// The listed headers that are there, each with its values in order. A value that is
    /// [sensitive](http::HeaderValue::is_sensitive) reads `REDACTED`; bytes that are no text are replaced; a
    /// value is cut at 4096 bytes.
    pub fn capture<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> impl Iterator<Item = (&'a HeaderName, Vec<String>)> {
        self.shown(headers, |_, value| Some(text(value)))
    }

    /// The listed headers that are there, each with those of its values that are shown, in order.
    pub(crate) fn shown<'a>(
        &'a self,
        headers: &'a HeaderMap,
        show: impl Fn(&HeaderName, &http::HeaderValue) -> Option<String>,
    ) -> impl Iterator<Item = (&'a HeaderName, Vec<String>)> {
        self.0.iter().filter_map(move |name| {
            let values = headers.get_all(name).iter().filter_map(|value| show(name, value));
            let values: Vec<_> = values.collect();
            (!values.is_empty()).then_some((name, values))
        })
    }
}

fn text(value: &http::HeaderValue) -> String {
    if value.is_sensitive() {
        return "REDACTED".to_owned();
    }
    let bytes = &value.as_bytes()[..value.len().min(LONGEST)];
    String::from_utf8_lossy(bytes).into_owned()
}

const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_listed_headers_are_captured_with_all_their_values() {
        let mut headers = HeaderMap::new();
        headers.append("x-tenant", HeaderValue::from_static("a"));
        headers.append("x-tenant", HeaderValue::from_static("b"));
        headers.append("cookie", HeaderValue::from_static("secret"));
        let names = HeaderNames::new(["X-Tenant", "absent"]).unwrap();
        let captured: Vec<_> =
            names.capture(&headers).map(|(name, values)| (name.as_str(), values)).collect();
        assert_eq!(captured, [("x-tenant", vec!["a".to_owned(), "b".to_owned()])]);
    }

    #[test]
    fn a_sensitive_value_is_redacted_even_if_it_is_listed() {
        let mut secret = HeaderValue::from_static("hunter2");
        secret.set_sensitive(true);
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, secret)]);
        let names = HeaderNames::new(["authorization"]).unwrap();
        let captured: Vec<_> = names.capture(&headers).map(|(_, values)| values).collect();
        assert_eq!(captured, [["REDACTED"]]);
    }

    #[test]
    fn a_long_value_is_cut() {
        let value = HeaderValue::try_from("x".repeat(100_000)).unwrap();
        let headers = HeaderMap::from_iter([(http::header::VIA, value)]);
        let names = HeaderNames::new(["via"]).unwrap();
        assert_eq!(names.capture(&headers).next().unwrap().1[0].len(), LONGEST);
    }

    #[test]
    fn a_bad_name_is_refused_with_its_value() {
        let error = HeaderNames::new(["x tenant"]).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("x tenant"));
    }
}
