//! How many spans there will be, and what that costs.
//!
//! # One exchange, one span
//!
//! A request makes one `SERVER` span, an outgoing call one `CLIENT` span. An error adds an `exception` event; a request
//! that names a second trace adds a link. Honeycomb bills spans, events and links alike, one each.
//!
//! # To have fewer
//!
//! - `skip` leaves health checks and preflights alone: no span, no headers, next to no time.
//! - `OTEL_TRACES_SAMPLER=parentbased_traceidratio` with `OTEL_TRACES_SAMPLER_ARG=0.1` keeps one trace in ten, whole. Each
//!   kept span says that it stands for ten: in `tracestate` (`ot=th:e666`), for everybody downstream, and as the attribute
//!   `SampleRate`, by which Honeycomb multiplies when it counts.
//! - A caller's decision counts, unless [`TrustIncoming`](crate::trace::TrustIncoming) says otherwise.
//!
//! # Spans and segments
//!
//! Each backend has a sampler of its own: of spans all are kept by default, of X-Ray's segments one in each second and 5 %
//! of the others, as its SDKs do. Both decisions go on to whomever is called, in `traceparent` the one, in `X-Amzn-Trace-Id`
//! the other. Where the same traces are to be in both backends, `XRayLayer::one_decision` makes the outer layer decide for
//! both, and `xray::sampler::SpanSampler` lets X-Ray's rules decide about spans.
//!
//! # Log lines
//!
//! CloudWatch Logs gets a line of every exchange, whether its trace is recorded or not. `CloudWatchLayer::sample` keeps a share
//! of those that went well, by the trace's id: of one trace all services that keep the same share log, or none. `sample_rate` of a
//! line is how many it stands for. Metrics count all, and what the application logs is not sampled.
//!
//! # A decision that nobody has made
//!
//! `X-Amzn-Trace-Id` may name a trace and leave it open whether it is recorded; load balancers do. Then the sampler
//! decides as for a new trace, under the caller's id, and the answer says what it decided if the caller asked.
