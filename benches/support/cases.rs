//! The cases, each over what it is compared with.

use belvedere::{
    cloudwatch::{self, CloudWatchLayer, subscriber},
    observe::ObserveLayer,
    otel::Metrics,
    xray::Sampler,
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use tower::{Layer as _, service_fn};
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{layer::SubscriberExt as _, registry::Registry};

use super::{
    case::{Case, bare},
    service::{
        Serve, annotate, burn, capture, fail, handle, log, not_recorded, refuse, report, routed, router,
        sampled, serve, undecided, unsampled,
    },
    ways::Ways,
};

/// A case of one backend.
#[derive(Clone, Copy)]
pub struct Encoded {
    pub case: Case,
    /// How many records an exchange makes.
    pub records: u64,
    /// Whether they wait for company.
    pub is_kept: bool,
}

/// Those whose instructions and allocations are counted.
pub fn counted() -> Vec<Case> {
    [main(), ways_out()].concat()
}

/// Those of which there is a time.
pub fn timed() -> Vec<Case> {
    [main(), further()].concat()
}

fn main() -> Vec<Case> {
    vec![
        bare(),
        Case::new("all four in one pass", 3, |ways| serve(ways.all().layer(service_fn(handle)))),
        Case::new("all four stacked", 3, stacked),
        Case::new("all four, by X-Amzn-Trace-Id", 3, |ways| serve(ways.all().layer(service_fn(handle))))
            .asked(|_| sampled()),
        Case::new("spans", 1, |ways| serve(ways.spans().layer(service_fn(handle)))),
        Case::new("segments", 1, |ways| serve(ways.segments().layer(service_fn(handle)))),
        Case::new("items, none of the good", 0, |ways| serve(ways.items().layer(service_fn(handle)))),
        Case::new("records", 1, |ways| serve(ways.records().layer(service_fn(handle)))),
        Case::new("all four, unsampled", 1, |ways| serve(ways.all().layer(service_fn(handle))))
            .asked(|_| unsampled()),
        Case::new("all four, unsampled by traceparent", 1, |ways| {
            serve(ways.all().layer(service_fn(handle)))
        })
        .asked(|_| not_recorded()),
        Case::new("all four, skipped", 0, skipped),
        Case::bare("bare, failing", |_| serve(service_fn(fail))),
        Case::new("all four, failing", 4, |ways| serve(ways.all().layer(service_fn(fail))))
            .over("bare, failing"),
        Case::bare("bare, 10 routes", |_| serve(router(10))).asked(routed::<10>),
        Case::new("all four, 10 routes", 3, |ways| serve(router(10).layer(ways.all())))
            .over("bare, 10 routes")
            .asked(routed::<10>),
        Case::bare("bare, 10,000 routes", |_| serve(router(10_000))).asked(routed::<10_000>),
        Case::new("all four, 10,000 routes", 3, |ways| serve(router(10_000).layer(ways.all())))
            .over("bare, 10,000 routes")
            .asked(routed::<10_000>),
        Case::new("all four, 10 annotations", 3, annotated::<10>),
        Case::new("all four, 50 annotations", 3, annotated::<50>),
        // An exchange keeps 64 of them.
        Case::new("all four, 100 annotations", 3, annotated::<100>),
        Case::bare("records, no events", logged::<0>).delivers(1),
        Case::new("an event", 1 + EVENTS, logged::<EVENTS>)
            .over("records, no events")
            .each(EVENTS.cast_signed()),
    ]
}

/// Those whose point is where their records go.
fn ways_out() -> Vec<Case> {
    vec![
        Case::new("all four, dead backends", 0, |ways| serve(ways.all().layer(service_fn(handle)))).dead(),
        Case::new("all four, with a spool", 3, |ways| serve(ways.all().layer(service_fn(handle)))).spooled(),
    ]
}

fn further() -> Vec<Case> {
    vec![
        Case::new("spans and metrics", 1, |ways| {
            serve(ways.spans().metrics(metrics()).layer(service_fn(handle)))
        }),
        Case::new("segments, not by the sampler", 0, |ways| {
            serve(ways.segments().sample(Sampler::none()).layer(service_fn(handle)))
        })
        .asked(|_| undecided()),
        Case::new("segments with a capture", 1, |ways| serve(ways.segments().layer(service_fn(capture))))
            .asked(|_| sampled()),
        Case::new("segments and spans in one pass", 2, |ways| {
            serve(ObserveLayer::new((ways.segments(), ways.spans())).layer(service_fn(handle)))
        })
        .asked(|_| sampled()),
        Case::new("records, none of the good", 0, |ways| {
            serve(ways.records().sample(0.0).layer(service_fn(handle)))
        }),
        Case::new("records and metrics", 1, |ways| {
            let metrics = cloudwatch::Metrics::new("Shop").unwrap();
            serve(ways.records().metrics(metrics).layer(service_fn(handle)))
        }),
        Case::new("an item of a failure", 1, |ways| serve(ways.items().layer(service_fn(fail))))
            .over("bare, failing"),
        Case::new("an item of a status", 1, |ways| serve(ways.items().layer(service_fn(refuse)))),
        Case::new("an item by hand", 1, |ways| serve(ways.items().layer(service_fn(report)))),
        Case::new("an item that is left out", 0, |ways| {
            serve(ways.some_items(Some(1)).layer(service_fn(fail)))
        })
        .over("bare, failing"),
        Case::bare("a panic, caught", |_| serve(service_fn(burn))),
        Case::new("an item of a panic", 1, |ways| serve(ways.items().layer(service_fn(burn))))
            .over("a panic, caught"),
    ]
}

/// Those of one backend each: how many records an exchange makes, and what becomes of them.
pub fn encoded() -> Vec<Encoded> {
    let kept = |case| Encoded { case, records: 1, is_kept: true };
    vec![
        kept(Case::new("spans", 1, |ways| serve(ways.spans().layer(service_fn(handle))))),
        kept(
            Case::new("segments", 1, |ways| serve(ways.segments().layer(service_fn(handle))))
                .asked(|_| sampled()),
        ),
        Encoded {
            is_kept: false,
            ..kept(Case::new("items", 1, |ways| serve(ways.items().layer(service_fn(fail)))))
        },
        kept(Case::new("records", 1, |ways| serve(ways.records().layer(service_fn(handle))))),
        Encoded { records: 1 + EVENTS, ..kept(Case::new("events", 1 + EVENTS, logged::<EVENTS>)) },
    ]
}

fn stacked(ways: &Ways) -> Serve {
    let inner = ways.items().layer(ways.records().layer(service_fn(handle)));
    serve(ways.segments().layer(ways.spans().layer(inner)))
}

fn skipped(ways: &Ways) -> Serve {
    let layers = (
        ways.segments().skip(|_| true),
        ways.spans().skip(|_| true),
        ways.items().skip(|_| true),
        ways.records().skip(|_| true),
    );
    serve(ObserveLayer::new(layers).layer(service_fn(handle)))
}

fn annotated<const FACTS: i64>(ways: &Ways) -> Serve {
    serve(ways.all().layer(service_fn(annotate::<FACTS>)))
}

/// Events in an exchange with a record, in the same lane.
fn logged<const COUNT: u64>(ways: &Ways) -> Serve {
    let lane = ways.logs();
    let dispatch = Dispatch::new(Registry::default().with(subscriber(&lane)));
    let mut serve = serve(CloudWatchLayer::on(lane).layer(service_fn(log::<COUNT>)));
    Box::new(move |runtime, requests| dispatcher::with_default(&dispatch, || serve(runtime, requests)))
}

/// Metrics that are collected once a minute.
fn metrics() -> Metrics {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    Metrics::new(&provider).active_requests(true)
}

const EVENTS: u64 = 10;
