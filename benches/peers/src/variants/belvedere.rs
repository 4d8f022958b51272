use std::time::Duration;

use aws_credential_types::Credentials;
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{self, CloudWatchLayer, LogLane},
    observe::ObserveLayer,
    otel::{OtelLayer, Otlp, SpanLane, TracerProvider},
    outbox::Outbox,
    rollbar::{self, ItemLane, RollbarLayer},
    xray::{Daemon, Sampler, SegmentLane, XRayLayer},
};
use tower::{Layer as _, ServiceBuilder, service_fn};

use super::Variant;
use crate::{exchange::handle, records::Records, running::Running, sinks::Sinks};

pub const SPANS: Variant = Variant {
    name: "belvedere-spans",
    title: "{belvedere}, `OtelLayer` alone",
    records: Records::SPAN,
    notes: "",
    start: |sinks| {
        let outbox = outbox();
        let service = otel(&outbox, sinks).layer(service_fn(handle));
        sending(Running::new(service), outbox)
    },
};

pub const ONE_PASS: Variant = Variant {
    name: "belvedere-one-pass",
    title: "{belvedere}, all four layers in one pass",
    records: Records::FOUR_JOBS,
    notes: "no item is made of an exchange that went well, as with Sentry's errors.",
    start: |sinks| {
        let outbox = outbox();
        let (xray, otel) = (xray(&outbox, sinks), otel(&outbox, sinks));
        let observers = (xray, otel, rollbar(&outbox, sinks), cloudwatch(&outbox, sinks));
        let service = ObserveLayer::new(observers).layer(service_fn(handle));
        sending(Running::new(service), outbox)
    },
};

pub const STACKED: Variant = Variant {
    name: "belvedere-stacked",
    title: "{belvedere}, all four layers stacked",
    records: Records::FOUR_JOBS,
    notes: "",
    start: |sinks| {
        let outbox = outbox();
        let service = ServiceBuilder::new()
            .layer(xray(&outbox, sinks))
            .layer(otel(&outbox, sinks))
            .layer(rollbar(&outbox, sinks))
            .layer(cloudwatch(&outbox, sinks))
            .service(service_fn(handle));
        sending(Running::new(service), outbox)
    },
};

fn outbox() -> Outbox {
    Outbox::builder().start().expect("an outbox")
}

fn otel(outbox: &Outbox, sinks: &Sinks) -> OtelLayer {
    let otlp = Otlp::new(sinks.uri("/v1/traces")).gzip(false);
    let lane = SpanLane::otlp(outbox, otlp).expect("a lane");
    OtelLayer::new().tracer_provider(&TracerProvider::builder().processor(lane).build())
}

/// Not paced, as nobody else is.
fn xray(outbox: &Outbox, sinks: &Sinks) -> XRayLayer {
    let daemon = Daemon::new(sinks.udp.to_string().parse().expect("an address"));
    let daemon = daemon.pace(usize::MAX, usize::MAX).receive_buffer(usize::MAX);
    XRayLayer::on("shop", SegmentLane::daemon(outbox, daemon)).sample(Sampler::all())
}

fn rollbar(outbox: &Outbox, sinks: &Sinks) -> RollbarLayer {
    let api = rollbar::Api::new("a-token".parse().expect("a token")).endpoint(sinks.uri("/api/1/item/"));
    RollbarLayer::on(ItemLane::new(outbox, api).expect("a lane"))
}

fn cloudwatch(outbox: &Outbox, sinks: &Sinks) -> CloudWatchLayer {
    let keys = Credentials::new("id", "secret", None, None, "bench");
    let client = Client::builder(Service::LOGS, "eu-west-1".parse().expect("a region"), keys);
    let client = client.endpoint(sinks.uri("/")).build().expect("a client");
    let api = cloudwatch::Api::new(client, "/shop/bench".parse().expect("a name")).gzip(false);
    CloudWatchLayer::on(LogLane::new(outbox, api))
}

fn sending(running: Running, outbox: Outbox) -> Running {
    let ending = outbox.clone();
    running.flush(move || assert!(outbox.flush_blocking(LIMIT), "not flushed")).end(move || {
        let report = ending.shutdown_blocking(LIMIT);
        assert_eq!(report.lost(), 0, "{report}");
    })
}

const LIMIT: Duration = Duration::from_secs(900);
