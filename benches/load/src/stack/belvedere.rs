use std::time::Duration;

use anyhow::Result;
use aws_credential_types::Credentials;
use axum::Router;
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{self, CloudWatchLayer, LogLane},
    observe::ObserveLayer,
    otel::{OtelLayer, Otlp, SpanLane, TracerProvider},
    outbox::{Limits, Outbox},
    rollbar::{self, ItemLane, RollbarLayer},
    xray::{Daemon, DaemonAddress, Sampler, SegmentLane, XRayLayer},
};
use opentelemetry_sdk::Resource;

use super::{AGE, BATCH, DRAIN, QUEUE, Stack};
use crate::{
    account::Lane,
    backend::{Backend, Each},
};

/// All four layers in one pass; segments and spans are recorded as X-Ray's default rule says, both or none.
pub(crate) fn by_default(ports: &Each<u16>) -> Result<Stack> {
    stack(ports, Sampler::default())
}

/// The same, and everything is recorded.
pub(crate) fn everything(ports: &Each<u16>) -> Result<Stack> {
    stack(ports, Sampler::all())
}

fn stack(ports: &Each<u16>, sampler: Sampler) -> Result<Stack> {
    let outbox = Outbox::builder().start()?;
    let layers = ObserveLayer::new((
        segments(&outbox, ports.xray, sampler)?,
        spans(&outbox, ports.otlp)?,
        items(&outbox, ports.rollbar)?,
        lines(&outbox, ports.cloudwatch)?,
    ));
    Ok(Stack {
        layer: Box::new(move |router: Router| router.layer(layers)),
        close: Box::new(move |_| {
            let report = outbox.shutdown_blocking(DRAIN);
            eprintln!("{report}");
            let lane = |lane: &belvedere::outbox::LaneReport| {
                let backend = Backend::of_lane(&lane.name)?;
                Some(Lane { backend, accepted: lane.accepted, lost: lane.lost() })
            };
            Ok(report.lanes.iter().filter_map(lane).collect())
        }),
    })
}

/// As fast as they come: a daemon that has the memory for it takes them.
fn segments(outbox: &Outbox, port: u16, sampler: Sampler) -> Result<XRayLayer> {
    let address: DaemonAddress = format!("127.0.0.1:{port}").parse()?;
    let limits = limits().records(BATCH).age(Duration::from_millis(100)).in_flight(1);
    let daemon = Daemon::new(address).pace(usize::MAX, usize::MAX).receive_buffer(usize::MAX).limits(limits);
    let layer = XRayLayer::on(SERVICE, SegmentLane::daemon(outbox, daemon));
    Ok(layer.sample(sampler).one_decision(true))
}

/// The segment has decided.
fn spans(outbox: &Outbox, port: u16) -> Result<OtelLayer> {
    let otlp = Otlp::new(format!("http://127.0.0.1:{port}/v1/traces").parse()?).gzip(false);
    let lane = SpanLane::otlp(outbox, otlp.limits(limits().records(BATCH).bytes(4 << 20)))?;
    let provider = TracerProvider::builder().resource(resource()).processor(lane).build();
    Ok(OtelLayer::new().tracer_provider(&provider))
}

/// As many as there are.
fn items(outbox: &Outbox, port: u16) -> Result<RollbarLayer> {
    let api = rollbar::Api::new("0123456789abcdef0123456789abcdef".parse()?);
    let api = api.endpoint(format!("http://127.0.0.1:{port}/api/1/item/").parse()?).limits(limits());
    Ok(RollbarLayer::on(ItemLane::limited(outbox, api, None, None)?).environment("bench"))
}

fn lines(outbox: &Outbox, port: u16) -> Result<CloudWatchLayer> {
    let keys = Credentials::new("id", "secret", None, None, "bench");
    let client = Client::builder(Service::LOGS, "eu-west-1".parse()?, keys);
    let client = client.endpoint(format!("http://127.0.0.1:{port}").parse()?).build()?;
    let limits = limits().records(10_000);
    let api = cloudwatch::Api::new(client, "/shop/bench".parse()?).gzip(false).limits(limits);
    Ok(CloudWatchLayer::on(LogLane::new(outbox, api)).stream("bench")?)
}

fn limits() -> Limits {
    Limits::default().age(AGE).queue_records(QUEUE).queue_bytes(QUEUE << 11)
}

pub(super) fn resource() -> Resource {
    Resource::builder_empty().with_service_name(SERVICE).build()
}

const SERVICE: &str = "shop";
