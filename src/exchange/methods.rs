use std::{borrow::Cow, sync::Arc};

use http::Method;

/// The methods that are taken for themselves; all others are `_OTHER`, since a stranger can send any text as a method.
///
/// By default those that the conventions know: RFC 9110, `PATCH` and `QUERY`. A method is known in exactly its own case.
///
/// ```
/// use belvedere::exchange::Methods;
///
/// let purge = http::Method::from_bytes(b"PURGE").unwrap();
/// assert_eq!(Methods::default().name(&purge), None);
/// assert_eq!(Methods::new(["GET", "PURGE"]).name(&purge).as_deref(), Some("PURGE"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Methods(Option<Arc<[Cow<'static, str>]>>);

// ===== impl Methods =====

impl Methods {
    /// These and no others: a full replacement of the default.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let name = |name: N| {
            let name = name.into();
            conventional(&name).map_or(Cow::Owned(name), Cow::Borrowed)
        };
        Self(Some(names.into_iter().map(name).collect()))
    }

    /// The method's name, if it is known. Allocates only for names that the conventions do not have.
    pub fn name(&self, method: &Method) -> Option<Cow<'static, str>> {
        let Some(names) = &self.0 else { return conventional(method.as_str()).map(Cow::Borrowed) };
        names.iter().find(|name| **name == method.as_str()).cloned()
    }
}

fn conventional(name: &str) -> Option<&'static str> {
    CONVENTIONAL.iter().find(|known| **known == name).copied()
}

/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>
const CONVENTIONAL: [&str; 10] =
    ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE", "QUERY"];

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str) -> Method {
        Method::from_bytes(name.as_bytes()).unwrap()
    }

    #[test]
    fn a_method_is_known_in_its_own_case_alone() {
        let methods = Methods::default();
        assert_eq!(methods.name(&Method::GET).as_deref(), Some("GET"));
        assert_eq!(methods.name(&method("get")), None);
        assert_eq!(methods.name(&method("BREW")), None);
    }

    #[test]
    fn a_list_replaces_the_default_whole() {
        let methods = Methods::new(["GET", "BREW"]);
        assert_eq!(methods.name(&method("BREW")).as_deref(), Some("BREW"));
        assert_eq!(methods.name(&method("brew")), None);
        assert_eq!(methods.name(&Method::POST), None);
        assert_eq!(Methods::new(Vec::<String>::new()).name(&Method::GET), None);
    }

    #[test]
    fn the_default_and_what_is_in_it_allocate_nothing() {
        let (default, given) = (Methods::default(), Methods::new(["QUERY"]));
        let query = method("QUERY");
        let info = allocation_counter::measure(|| {
            assert!(default.name(&query).is_some() && given.name(&query).is_some());
            drop(Methods::default());
        });
        assert_eq!(info.count_total, 0);
    }
}
