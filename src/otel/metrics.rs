use std::sync::Arc;

use opentelemetry::metrics::{Histogram, Meter, MeterProvider, UpDownCounter};

use super::{outcome::Side, span::instrumentation};

/// Which metrics a layer records, and where.
///
/// The durations of requests, and of gRPC's calls, are always recorded; what else there is must be asked for. See
/// [the table](crate::otel#the-metrics). Sampling changes nothing: every exchange that the layer does not
/// [skip](super::OtelLayer::skip) is measured.
///
/// ```
/// use belvedere::otel::{Metrics, OtelLayer};
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
///
/// let provider = SdkMeterProvider::builder().build();
/// let layer = OtelLayer::new().metrics(Metrics::new(&provider).active_requests(true));
/// ```
#[derive(Clone, Debug)]
pub struct Metrics {
    meter: Meter,
    active_requests: bool,
    body_sizes: bool,
    boundaries: Vec<f64>,
}

/// What the metrics of one side are recorded with.
#[derive(Debug)]
pub(super) struct Instruments {
    /// How long exchanges of plain HTTP took.
    pub(super) requests: Histogram<f64>,
    /// How long gRPC's calls took.
    pub(super) calls: Histogram<f64>,
    pub(super) active: Option<UpDownCounter<i64>>,
    pub(super) bodies: Option<Bodies>,
}

/// The sizes of bodies. No integers: a stranger may claim any length, and a sum of integers would overflow.
#[derive(Debug)]
pub(super) struct Bodies {
    pub(super) request: Histogram<f64>,
    pub(super) response: Histogram<f64>,
}

/// Name and description of each instrument of one side.
struct Catalogue {
    requests: (&'static str, &'static str),
    calls: (&'static str, &'static str),
    active: (&'static str, &'static str),
    request: (&'static str, &'static str),
    response: (&'static str, &'static str),
}

// ===== impl Metrics =====

impl Metrics {
    /// Recorded with a meter of this provider, `belvedere`. The durations alone.
    ///
    /// Any provider will do, also the global one: `Metrics::new(&*opentelemetry::global::meter_provider())`. That must
    /// have been set before, unlike the global provider of spans.
    pub fn new(provider: &(impl MeterProvider + ?Sized)) -> Self {
        Self {
            meter: provider.meter_with_scope(instrumentation()),
            active_requests: false,
            body_sizes: false,
            boundaries: BOUNDARIES.to_vec(),
        }
    }

    /// How many exchanges are going on: `http.server.active_requests`, `http.client.active_requests`, the calls of gRPC
    /// among them. Default: no, since the conventions have it as an option. It costs two more measurements for each
    /// exchange.
    #[must_use]
    pub fn active_requests(self, active_requests: bool) -> Self {
        Self { active_requests, ..self }
    }

    /// How large bodies are, in bytes: `http.server.request.body.size` and its like. Default: no, since the conventions
    /// have it as an option.
    ///
    /// A request's body is never touched, so its size is what `content-length` says; a response's size is what went
    /// through. Where that is not known nothing is recorded: a request without the header (a client's often gets its
    /// own further in), a response that broke off. gRPC's messages are not measured.
    #[must_use]
    pub fn body_sizes(self, body_sizes: bool) -> Self {
        Self { body_sizes, ..self }
    }

    /// The upper bounds of the durations' buckets, in seconds, in any order; what is not finite is left out. Default:
    /// the conventions' 14, from 5 ms to 10 s. Each costs eight bytes or so for each set of attributes.
    #[must_use]
    pub fn boundaries(self, boundaries: impl IntoIterator<Item = f64>) -> Self {
        let mut boundaries: Vec<_> = boundaries.into_iter().filter(|bound| bound.is_finite()).collect();
        // The SDK drops a metric whose boundaries do not increase.
        boundaries.sort_by(f64::total_cmp);
        boundaries.dedup();
        Self { boundaries, ..self }
    }

    pub(super) fn instruments(&self, side: Side) -> Arc<Instruments> {
        let catalogue = match side {
            Side::Server => &SERVER,
            Side::Client => &CLIENT,
        };
        Arc::new(Instruments {
            requests: self.durations(catalogue.requests),
            calls: self.durations(catalogue.calls),
            active: self.active_requests.then(|| self.active(catalogue.active)),
            bodies: self.body_sizes.then(|| Bodies {
                request: self.sizes(catalogue.request),
                response: self.sizes(catalogue.response),
            }),
        })
    }

    fn durations(&self, (name, description): (&'static str, &'static str)) -> Histogram<f64> {
        let builder = self.meter.f64_histogram(name).with_description(description).with_unit("s");
        builder.with_boundaries(self.boundaries.clone()).build()
    }

    fn active(&self, (name, description): (&'static str, &'static str)) -> UpDownCounter<i64> {
        let builder = self.meter.i64_up_down_counter(name).with_description(description);
        builder.with_unit("{request}").build()
    }

    fn sizes(&self, (name, description): (&'static str, &'static str)) -> Histogram<f64> {
        self.meter.f64_histogram(name).with_description(description).with_unit("By").build()
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>
const BOUNDARIES: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

const SERVER: Catalogue = Catalogue {
    requests: ("http.server.request.duration", "Duration of HTTP server requests."),
    calls: ("rpc.server.call.duration", "Measures the duration of an incoming Remote Procedure Call (RPC)."),
    active: ("http.server.active_requests", "Number of active HTTP server requests."),
    request: ("http.server.request.body.size", "Size of HTTP server request bodies."),
    response: ("http.server.response.body.size", "Size of HTTP server response bodies."),
};

const CLIENT: Catalogue = Catalogue {
    requests: ("http.client.request.duration", "Duration of HTTP client requests."),
    calls: ("rpc.client.call.duration", "Measures the duration of an outgoing Remote Procedure Call (RPC)."),
    active: ("http.client.active_requests", "Number of active HTTP requests."),
    request: ("http.client.request.body.size", "Size of HTTP client request bodies."),
    response: ("http.client.response.body.size", "Size of HTTP client response bodies."),
};

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::NoopMeterProvider;

    use super::*;

    #[test]
    fn boundaries_in_any_order_become_some_that_the_sdk_takes() {
        let given = [1.0, 0.5, f64::NAN, 0.5, f64::INFINITY];
        let metrics = Metrics::new(&NoopMeterProvider::new()).boundaries(given);
        assert_eq!(metrics.boundaries, [0.5, 1.0]);
    }

    #[test]
    fn the_global_provider_will_do() {
        let metrics = Metrics::new(&*opentelemetry::global::meter_provider());
        assert_eq!(metrics.boundaries, BOUNDARIES);
    }
}
