use http::{HeaderMap, HeaderValue};

use super::{
    Tracestate, amzn,
    w3c::{self, Traceparent},
};

/// The headers in which nearly all requests carry a trace: found in one pass, which costs less than to look each of them up.
#[derive(Default)]
pub(super) struct Carried<'a> {
    traceparent: Option<&'a HeaderValue>,
    tracestate: Option<&'a HeaderValue>,
    amzn: Option<&'a HeaderValue>,
    /// Whether one of them is there more than once.
    is_repeated: bool,
}

// ===== impl Carried =====

impl<'a> Carried<'a> {
    pub(super) fn find(headers: &'a HeaderMap) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let place = match name.as_str() {
                "traceparent" => &mut found.traceparent,
                "tracestate" => &mut found.tracestate,
                "x-amzn-trace-id" => &mut found.amzn,
                _ => continue,
            };
            found.is_repeated |= place.replace(value).is_some();
        }
        found
    }

    /// What [`w3c::extract`] reads.
    pub(super) fn w3c(&self, headers: &HeaderMap) -> Option<(Traceparent, Option<Tracestate>)> {
        if self.is_repeated {
            return w3c::extract(headers);
        }
        let traceparent = Traceparent::of(self.traceparent?)?;
        Some((traceparent, self.tracestate.and_then(Tracestate::of)))
    }

    /// What [`amzn::Header::read`] reads.
    pub(super) fn amzn(&self, headers: &HeaderMap) -> Option<amzn::Header> {
        if self.is_repeated { amzn::Header::read(headers) } else { amzn::Header::of(self.amzn?) }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
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
            let carried = Carried::find(&headers);
            prop_assert_eq!(carried.w3c(&headers), w3c::extract(&headers));
            prop_assert_eq!(carried.amzn(&headers), amzn::Header::read(&headers));
        }
    }
}
