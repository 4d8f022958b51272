//! The ways out of a case.

use std::{
    net::{TcpListener, UdpSocket},
    time::Duration,
};

use aws_credential_types::Credentials;
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{self, CloudWatchLayer, LogLane},
    observe::ObserveLayer,
    otel::{OtelLayer, Otlp, SpanLane, TracerProvider},
    outbox::{Limits, Outbox, Spool},
    rollbar::{self, ItemLane, RollbarLayer},
    xray::{Daemon, SegmentLane, XRayLayer},
};

use super::{folder::Folder, sink::Sink};

/// An outbox, and where its lanes lead.
#[derive(Debug)]
pub struct Ways {
    pub outbox: Outbox,
    http: String,
    udp: String,
    limits: Limits,
    /// It goes after the outbox.
    folder: Option<Folder>,
}

// ===== impl Ways =====

impl Ways {
    /// To a sink. Requests are made of [`BATCH`] records, whatever the time, and one after the other, so that their number is
    /// the same in each run.
    pub fn to(sink: &Sink) -> Self {
        let limits = Limits::default().records(BATCH).bytes(usize::MAX).age(Duration::MAX).in_flight(1);
        let limits = limits.queue_records(usize::MAX).queue_bytes(usize::MAX);
        let outbox = Outbox::builder().start().unwrap();
        Self {
            outbox,
            http: format!("http://{}/", sink.http),
            udp: sink.udp.to_string(),
            limits,
            folder: None,
        }
    }

    /// The same, and what waits may go to the disk.
    pub fn spooled(sink: &Sink) -> Self {
        let folder = Folder::new();
        let outbox = Outbox::builder().spool(Spool::new(folder.path())).start().unwrap();
        Self { outbox, folder: Some(folder), ..Self::to(sink) }
    }

    /// To ports where nobody listens, with lanes that are full soon.
    pub fn dead() -> Self {
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let limits =
            Limits::default().records(BATCH).age(Duration::MAX).in_flight(1).queue_records(2 * BATCH);
        let outbox = Outbox::builder().start().unwrap();
        Self { outbox, http: format!("http://{http}/"), udp: udp.to_string(), limits, folder: None }
    }

    /// The same with other bounds.
    pub fn bounded(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// To nowhere: nothing is sent, the lanes are full, and each record makes room for the next. What is measured is the
    /// request's own part, and the end of an earlier record.
    pub fn full() -> Self {
        let limits = Limits::default().records(usize::MAX).bytes(usize::MAX).age(Duration::MAX);
        let outbox = Outbox::builder().start().unwrap();
        let (http, udp) = ("http://192.0.2.1/".to_owned(), "192.0.2.1:2000".to_owned());
        Self { outbox, http, udp, limits: limits.queue_records(1_000), folder: None }
    }

    pub fn spans(&self) -> OtelLayer {
        let otlp = Otlp::new(self.http.parse().unwrap()).timeout(PATIENCE).limits(self.limits);
        let lane = SpanLane::otlp(&self.outbox, otlp).unwrap();
        OtelLayer::new().tracer_provider(&TracerProvider::builder().processor(lane).build())
    }

    pub fn segments(&self) -> XRayLayer {
        let daemon = Daemon::new(self.udp.parse().unwrap()).pace(usize::MAX, usize::MAX);
        let daemon = daemon.receive_buffer(1 << 40).limits(self.limits);
        XRayLayer::on("shop", SegmentLane::daemon(&self.outbox, daemon))
    }

    pub fn items(&self) -> RollbarLayer {
        self.some_items(None)
    }

    /// At most so many in a minute.
    pub fn some_items(&self, most: Option<u32>) -> RollbarLayer {
        let api = rollbar::Api::new("a-token".parse().unwrap()).endpoint(self.http.parse().unwrap());
        let api = api.timeout(PATIENCE).limits(self.limits);
        RollbarLayer::on(ItemLane::limited(&self.outbox, api, most, most).unwrap())
    }

    pub fn records(&self) -> CloudWatchLayer {
        CloudWatchLayer::on(self.logs())
    }

    pub fn logs(&self) -> LogLane {
        let keys = Credentials::new("id", "secret", None, None, "bench");
        let client = Client::builder(Service::LOGS, "eu-west-1".parse().unwrap(), keys);
        let client = client.endpoint(self.http.parse().unwrap()).timeout(PATIENCE).build().unwrap();
        let api = cloudwatch::Api::new(client, "/shop/bench".parse().unwrap());
        LogLane::new(&self.outbox, api.limits(self.limits))
    }

    /// All four layers in one pass.
    pub fn all(&self) -> All {
        ObserveLayer::new((self.segments(), self.spans(), self.items(), self.records()))
    }
}

pub type All = ObserveLayer<(XRayLayer, OtelLayer, RollbarLayer, CloudWatchLayer)>;

/// How many records are in a request. Exchanges are counted in multiples of it.
pub const BATCH: usize = 250;

/// On a busy machine callgrind may take long, and what is sent twice is counted twice.
pub const PATIENCE: Duration = Duration::from_secs(600);
