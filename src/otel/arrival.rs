use std::sync::Arc;

use http::request;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceState};

use super::{
    baggage,
    exchange_span::ExchangeSpan,
    facts::Facts,
    given::Given,
    observe::Way,
    options::Options,
    quick::{Quick, Start},
    quickly::Quickly,
    recorded::Arrived,
    sampler::is_weighed,
    sdk_span::SdkSpan,
    served::Served,
};
use crate::{
    exchange::{Fields, Forwarded},
    trace::{Identity, Known, Scope},
};

/// A request that arrives, and is to have a span.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) options: &'a Arc<Options>,
    pub(super) given: Option<Arc<Given>>,
    /// Whether a router has told its route.
    pub(super) is_matched: bool,
    /// What layers further in are told.
    pub(super) served: Served,
}

/// A request, and what was found in its headers, unless a layer further out has read them.
type Request<'a> = (&'a request::Parts, Option<&'a Fields<'a>>);

// ===== impl Arrival =====

impl Arrival<'_> {
    /// Starts the span and makes it the scope's.
    pub(super) fn start(self, request: &request::Parts, scope: &mut Scope) -> (Known, Way) {
        let fields = scope.identity().is_none().then(|| Fields::of(&request.headers));
        let options = self.options;
        let request = (request, fields.as_ref());
        match options.spans.quick(scope.context()) {
            Some(quick) => self.quick(quick, request, scope),
            None => self.sdk(request, scope),
        }
    }

    #[inline]
    fn quick(self, quick: &Arc<Quick>, (request, fields): Request<'_>, scope: &mut Scope) -> (Known, Way) {
        let new = self.identity((request, fields), scope);
        let Self { options, given, is_matched, served } = self;
        let identity =
            new.as_ref().or_else(|| scope.identity()).expect("it is new, or was decided further out");
        let Start { span, parent_id, parent_is_remote, weight } = quick.start(identity, scope.context());
        let (other, is_sampled) = (identity.other(), span.is_sampled());
        let is_changed = identity.sampled() != Some(is_sampled) || *span.trace_state() != TraceState::NONE;
        if is_changed {
            let made = identity.as_span(&span);
            scope.arrive(made, request, fields);
        } else if let Some(new) = new {
            scope.arrive(new, request, fields);
        }
        scope.mark(served.mark());
        let known = scope.keep();
        let with_baggage = baggage::extract(&options.propagation, &request.headers, scope);
        if !is_sampled {
            let base = with_baggage.as_ref().unwrap_or_else(|| scope.context());
            scope.activate(base.with_remote_span_context(span.clone()));
            return (known, Way::Unsampled(span));
        }
        // A backend further out may have kept the head before a router knew the route.
        scope.head(request).learn_route(request);
        let weight = weight.filter(|_| !given.as_ref().is_some_and(|given| is_weighed(&given.attributes)));
        let mut arrived = Arrived::new(&span);
        (arrived.parent_id, arrived.parent_is_remote) = (parent_id, parent_is_remote);
        (arrived.is_matched, arrived.given) = (is_matched, given);
        arrived.forwarded = Forwarded::read(options.hops, &request.headers).map(Arc::from);
        if weight.is_some() || other.is_some() {
            let rest = arrived.rest();
            (rest.weight, rest.other) = (weight, other);
        }
        let base = with_baggage.as_ref().unwrap_or_else(|| scope.context());
        scope.activate(base.with_span(ExchangeSpan::new(span, known.clone(), quick.limits)));
        (known, Way::Quick(Quickly::new(quick.clone(), arrived)))
    }

    #[inline(never)]
    fn sdk(self, (request, fields): Request<'_>, scope: &mut Scope) -> (Known, Way) {
        let new = self.identity((request, fields), scope);
        let Self { options, given, is_matched, served } = self;
        let is_decided = new.is_none();
        new.into_iter().for_each(|new| scope.arrive(new, request, fields));
        let identity = scope.identity().cloned().unwrap_or_else(Identity::root);
        scope.mark(served.mark());
        let with_baggage = baggage::extract(&options.propagation, &request.headers, scope);
        let base = with_baggage.unwrap_or_else(|| scope.context().clone());
        let forwarded = Forwarded::read(options.hops, &request.headers);
        let (given, forwarded) = (given.as_deref(), forwarded.as_deref());
        scope.head(request).learn_route(request);
        let known = scope.keep();
        let drafted = Facts::of(options, &known, given, forwarded, is_matched)
            .map(|facts| SdkSpan::start(facts, given, &identity, scope));
        let Some((builder, span)) = drafted else { return (known, Way::Unsampled(SpanContext::NONE)) };
        options.spans.start(builder, scope, &base, &identity, is_decided);
        (known, Way::Sdk(Box::new(span.begun(scope.context()))))
    }

    /// Who the exchange is, unless that was decided further out.
    fn identity(&self, (request, fields): Request<'_>, scope: &Scope) -> Option<Identity> {
        let propagation = &self.options.propagation;
        fields.map(|fields| propagation.identify_by(fields, &request.headers, scope.surrounding()))
    }
}
