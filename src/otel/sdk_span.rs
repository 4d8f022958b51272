use std::{borrow::Cow, sync::Arc};

use http::StatusCode;
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanBuilder, SpanKind, TraceContextExt as _},
};

use super::{
    attributes::{
        Attributes, GRPC, HTTP_STATUS, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_STATUS, XRAY_TRACE_ID,
        known_or_other,
    },
    exception::Kind as Whose,
    facts::Facts,
    given::Given,
    observe::Over,
    options::Options,
    outcome::Side,
    recorded::{DROPPED, Kind, Noted, OCCURRENCE, besides_call, http, link},
    span::builder,
};
use crate::{
    exchange::Code,
    trace::{Identity, Known, Other, Scope},
};

/// The span of a server's exchange where another provider makes it, of any type: it is told everything as it happens.
#[derive(Debug)]
pub(super) struct SdkSpan {
    context: Context,
    is_named: bool,
    /// What the request is as plain HTTP, in case that the answer is none of gRPC.
    http: Option<(Cow<'static, str>, Vec<KeyValue>)>,
    /// The method of what may be a call, as its caller wrote it.
    method: Option<String>,
}

// ===== impl SdkSpan =====

impl SdkSpan {
    /// Starts the span of an exchange whose head is known.
    pub(super) fn start(
        facts: Facts<'_>,
        given: Option<&Given>,
        identity: &Identity,
        scope: &Scope,
    ) -> (SpanBuilder, Self) {
        let (mut attributes, may_be_grpc) = (Attributes::new(), facts.head.may_be_grpc());
        let headers = given.map_or(&[][..], |given| &given.headers);
        if may_be_grpc {
            facts.grpc(&mut attributes);
            attributes.extend(headers.iter().cloned());
        } else {
            http(facts, headers, &mut attributes);
        }
        attributes.extend(given.iter().flat_map(|given| given.attributes.iter().cloned()));
        if let Some(Other { trace_id, span_id: None }) = identity.other() {
            attributes.push(XRAY_TRACE_ID, trace_id.amzn().to_string());
        }
        let links = identity.other().and_then(link).into_iter().collect();
        let name = given.and_then(|given| given.name.clone());
        let is_named = name.is_some();
        let own_name = || if may_be_grpc { facts.grpc_name() } else { facts.http_name() };
        let builder = builder(name.unwrap_or_else(own_name), SpanKind::Server, scope);
        let http_headers = given.map_or(&[][..], |given| &given.http_headers);
        let http = may_be_grpc.then(|| (facts.http_name(), besides_call(facts, http_headers)));
        let method = may_be_grpc.then(|| facts.rpc_method().to_owned());
        let span = Self { context: Context::new(), is_named, http, method };
        (builder.with_attributes(attributes.finish()).with_links(links), span)
    }

    /// It has begun, in this context.
    pub(super) fn begun(self, context: &Context) -> Self {
        Self { context: context.clone(), ..self }
    }

    /// The answer is none of gRPC: whatever the caller wrote into its content type, this is plain HTTP.
    pub(super) fn demote(&mut self) {
        if let Some((name, attributes)) = self.http.take() {
            self.rename(name);
            self.context.span().set_attributes(attributes);
        }
    }

    pub(super) fn answered(
        &self,
        status: StatusCode,
        is_http: bool,
        attributes: Vec<KeyValue>,
        options: &Options,
    ) {
        let span = self.context.span();
        if is_http {
            let status = KeyValue::new(HTTP_STATUS, i64::from(status.as_u16()));
            let old = options.old_names(Side::Server, std::slice::from_ref(&status));
            span.set_attributes(std::iter::once(status).chain(old));
        }
        if !attributes.is_empty() {
            span.set_attributes(attributes);
        }
    }

    /// Ends the span. The annotations come late, since the SDK keeps a limited number of attributes.
    pub(super) fn end(self, over: Over<'_>, whose: Whose, options: &Options, known: &Known) {
        let (report, noted) = (over.report(known), Noted::of(known));
        let Over { kind, outcome, error, tally, .. } = over;
        if let Kind::Call { code, method } = kind {
            self.record_call(code, method, options);
        }
        let span = self.context.span();
        let outcome = outcome.because(error, &options.scrubber);
        outcome.record(&span, tally.ended(), &options.exceptions, whose);
        if let Some(noted) = &noted {
            span.set_attributes(noted.pairs(options));
        }
        if let Some(id) = report {
            span.set_attribute(KeyValue::new(OCCURRENCE, id.to_string()));
        }
        if let Some(dropped @ 1..) = noted.map(|noted| noted.dropped) {
            span.set_attribute(KeyValue::new(DROPPED, i64::try_from(dropped).unwrap_or(i64::MAX)));
        }
        span.end_with_timestamp(tally.ended());
    }

    /// Only now it is known whether the method may be any text that a stranger wrote.
    fn record_call(&self, code: Code, known: Option<Arc<str>>, options: &Options) {
        let span = self.context.span();
        span.set_attributes(RPC_STATUS.map(|key| KeyValue::new(key, code.name())));
        if known.is_none() {
            self.rename(GRPC);
            let method = options.scrubber.text(self.method.as_deref().unwrap_or_default()).into_owned();
            span.set_attribute(KeyValue::new(RPC_METHOD_ORIGINAL, method));
        }
        span.set_attribute(KeyValue::new(RPC_METHOD, known_or_other(known)));
    }

    fn rename(&self, name: impl Into<Cow<'static, str>>) {
        if !self.is_named {
            self.context.span().update_name(name);
        }
    }
}
