use http::HeaderMap;

use super::{
    Tracestate, amzn,
    w3c::{self, Traceparent},
};
use crate::exchange::Fields;

/// The headers in which nearly all requests carry a trace, as they were found in one pass.
pub(super) struct Carried<'a> {
    headers: &'a HeaderMap,
    fields: &'a Fields<'a>,
}

// ===== impl Carried =====

impl<'a> Carried<'a> {
    pub(super) fn new(headers: &'a HeaderMap, fields: &'a Fields<'a>) -> Self {
        Self { headers, fields }
    }

    /// What [`w3c::extract`] reads.
    pub(super) fn w3c(&self) -> Option<(Traceparent, Option<Tracestate>)> {
        if self.fields.is_trace_repeated {
            return w3c::extract(self.headers);
        }
        let traceparent = Traceparent::of(self.fields.traceparent?)?;
        Some((traceparent, self.fields.tracestate.and_then(Tracestate::of)))
    }

    /// What [`amzn::Header::read`] reads.
    pub(super) fn amzn(&self) -> Option<amzn::Header> {
        if self.fields.is_trace_repeated {
            return amzn::Header::read(self.headers);
        }
        amzn::Header::of(self.fields.amzn_trace_id?)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn lines() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
        let line = prop::sample::select(vec![
            ("host", "shop.example"),
            ("accept", "*/*"),
            ("tracestat", "a=1"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"),
            ("traceparent", "01"),
            ("tracestate", "a=1,b=2"),
            ("tracestate", "c=3"),
            ("tracestate", ""),
            ("x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"),
            ("x-amzn-trace-id", "Sampled=0;Lineage=a:1"),
            ("x-amzn-trace-id", "junk"),
        ]);
        prop::collection::vec(line, 0..8)
    }

    proptest! {
        #[test]
        fn what_is_found_in_one_pass_is_what_is_read_by_name(lines in lines()) {
            let line = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
            let headers: HeaderMap = lines.iter().map(line).collect();
            let fields = Fields::of(&headers);
            let carried = Carried::new(&headers, &fields);
            prop_assert_eq!(carried.w3c(), w3c::extract(&headers));
            prop_assert_eq!(carried.amzn(), amzn::Header::read(&headers));
        }
    }
}
