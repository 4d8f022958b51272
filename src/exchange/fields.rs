use http::{HeaderMap, HeaderValue};

/// What is looked for among the headers of a request, found in one pass, which costs less than to look each of them up.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) user_agent: Option<&'a HeaderValue>,
    pub(crate) content_type: Option<&'a HeaderValue>,
    pub(crate) content_length: Option<&'a HeaderValue>,
    pub(crate) accept: Option<&'a HeaderValue>,
    pub(crate) traceparent: Option<&'a HeaderValue>,
    pub(crate) tracestate: Option<&'a HeaderValue>,
    pub(crate) amzn_trace_id: Option<&'a HeaderValue>,
    pub(crate) has_baggage: bool,
    pub(crate) has_upgrade: bool,
    /// Whether one of those that carry a trace is there more than once.
    pub(crate) is_trace_repeated: bool,
}

// ===== impl Fields =====

impl<'a> Fields<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            fields.take(name.as_str(), value);
        }
        fields
    }

    #[inline]
    fn take(&mut self, name: &str, value: &'a HeaderValue) {
        // By their length first, so that most names are compared with none or one.
        match name.len() {
            4 if name == "host" => first(&mut self.host, value),
            6 if name == "accept" => first(&mut self.accept, value),
            7 => {
                self.has_baggage |= name == "baggage";
                self.has_upgrade |= name == "upgrade";
            }
            10 if name == "user-agent" => first(&mut self.user_agent, value),
            10 if name == "tracestate" => self.is_trace_repeated |= self.tracestate.replace(value).is_some(),
            11 if name == "traceparent" => {
                self.is_trace_repeated |= self.traceparent.replace(value).is_some()
            }
            12 if name == "content-type" => first(&mut self.content_type, value),
            14 if name == "content-length" => first(&mut self.content_length, value),
            15 if name == "x-amzn-trace-id" => {
                self.is_trace_repeated |= self.amzn_trace_id.replace(value).is_some();
            }
            _ => {}
        }
    }
}

fn first<'a>(place: &mut Option<&'a HeaderValue>, value: &'a HeaderValue) {
    place.get_or_insert(value);
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn each_is_found_by_its_name_alone() {
        let names = [
            "host",
            "user-agent",
            "content-type",
            "content-length",
            "accept",
            "traceparent",
            "tracestate",
            "x-amzn-trace-id",
        ];
        for name in names {
            let mut headers = HeaderMap::new();
            // Of the same lengths, and others.
            for other in
                ["hose", "acceps", "user-agenu", "tracestatf", "x-amzn-trace-ie", "baggagf", "upgradf"]
            {
                headers.insert(other, HeaderValue::from_static("other"));
            }
            headers.append(name, HeaderValue::from_static("first"));
            let fields = Fields::of(&headers);
            let Fields { host, user_agent, content_type, content_length, accept, .. } = fields;
            let Fields { traceparent, tracestate, amzn_trace_id, .. } = fields;
            let found = [
                host,
                user_agent,
                content_type,
                content_length,
                accept,
                traceparent,
                tracestate,
                amzn_trace_id,
            ];
            let found: Vec<_> = names.into_iter().zip(found).filter(|(_, value)| value.is_some()).collect();
            assert_eq!(found, [(name, Some(&HeaderValue::from_static("first")))]);
            assert!(!fields.has_baggage && !fields.has_upgrade && !fields.is_trace_repeated);
        }
    }

    #[test]
    fn those_that_are_only_there_or_not_are_told() {
        for name in ["baggage", "upgrade"] {
            let name = HeaderName::from_static(name);
            let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("a=1"))]);
            let fields = Fields::of(&headers);
            assert_eq!((fields.has_baggage, fields.has_upgrade), (name == "baggage", name == "upgrade"));
        }
    }

    #[test]
    fn of_what_is_repeated_the_first_is_kept_and_a_trace_is_known_to_be() {
        let mut headers = HeaderMap::new();
        for value in ["first", "second"] {
            headers.append("host", HeaderValue::from_static(value));
        }
        let fields = Fields::of(&headers);
        assert_eq!(fields.host, Some(&HeaderValue::from_static("first")));
        assert!(!fields.is_trace_repeated);
        for name in ["traceparent", "tracestate", "x-amzn-trace-id"] {
            let mut headers = HeaderMap::new();
            for value in ["first", "second"] {
                headers.append(name, HeaderValue::from_static(value));
            }
            assert!(Fields::of(&headers).is_trace_repeated, "{name}");
        }
    }
}
