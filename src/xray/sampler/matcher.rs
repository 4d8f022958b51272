use super::Request;
use crate::xray::pattern::Pattern;

/// Which requests a rule is for.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) service: Pattern,
    pub(super) service_type: Pattern,
    pub(super) host: Pattern,
    pub(super) method: Pattern,
    pub(super) path: Pattern,
}

// ===== impl Matcher =====

impl Matcher {
    /// What is for all requests.
    pub(super) fn any() -> Self {
        let [service, service_type, host, method, path] = std::array::from_fn(|_| Pattern::any());
        Self { service, service_type, host, method, path }
    }

    pub(super) fn matches(&self, request: &Request<'_>) -> bool {
        let Self { service, service_type, host, method, path } = self;
        let matches = |pattern: &Pattern, fact: Option<&str>| fact.is_none_or(|fact| pattern.matches(fact));
        matches(path, request.path)
            && matches(host, request.host)
            && matches(method, request.method)
            && matches(service, request.service)
            && matches(service_type, request.service_type)
    }
}
