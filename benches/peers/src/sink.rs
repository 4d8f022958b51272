//! What takes all records, and counts them.

use std::{
    convert::Infallible,
    fs, io,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;
use tokio::{net::TcpListener, runtime};

use crate::{records::Records, sinks::Sinks};

/// A collector, X-Ray's daemon, CloudWatch and Sentry, on threads of their own.
#[derive(Debug)]
pub struct Sink {
    pub sinks: Sinks,
    taken: Arc<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    spans: AtomicU64,
    segments: AtomicU64,
    lines: AtomicU64,
    transactions: AtomicU64,
}

// ===== impl Sink =====

impl Sink {
    pub fn start() -> io::Result<Self> {
        let (tcp, udp) = (std::net::TcpListener::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let sinks = Sinks { http: tcp.local_addr()?, udp: udp.local_addr()? };
        let taken = Arc::<Taken>::default();
        let of = taken.clone();
        thread::Builder::new().name("datagrams".into()).spawn(move || take_datagrams(&udp, &of))?;
        let of = taken.clone();
        thread::Builder::new().name("requests".into()).spawn(move || take_requests(tcp, of))?;
        Ok(Self { sinks, taken })
    }

    /// Counts a line that came another way.
    pub fn line(&self) {
        count(&self.taken.lines, 1);
    }

    /// What was taken since the start. A datagram that the system dropped for want of room counts: it was sent.
    pub fn taken(&self) -> Records {
        let Taken { spans, segments, lines, transactions } = &*self.taken;
        let [spans, segments, lines, transactions] =
            [spans, segments, lines, transactions].map(|count| count.load(Ordering::Relaxed));
        let segments = segments + dropped(self.sinks.udp.port()).unwrap_or_default();
        Records { spans, segments, lines, transactions }
    }
}

// ===== impl Taken =====

impl Taken {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Ok(Response::new(Full::default())) };
        let body = body.to_bytes();
        Ok(match head.uri.path() {
            "/v1/traces" => self.spans(&body),
            "/" => self.lines(&body),
            path if path.ends_with("/envelope/") => self.envelope(&body),
            _ => json("{}"),
        })
    }

    fn spans(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let export = ExportTraceServiceRequest::decode(body).expect("spans");
        let scopes = export.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        count(&self.spans, scopes.map(|scope| scope.spans.len()).sum());
        let mut response = Response::new(Full::default());
        response
            .headers_mut()
            .insert("content-type", const { http::HeaderValue::from_static("application/x-protobuf") });
        response
    }

    fn lines(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let call: Value = serde_json::from_slice(body).expect("a call of CloudWatch's");
        count(&self.lines, call["logEvents"].as_array().map_or(0, Vec::len));
        json("{}")
    }

    fn envelope(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let heads = body.split(|byte| *byte == b'\n').filter(|line| line.starts_with(TRANSACTION));
        count(&self.transactions, heads.count());
        json("{}")
    }
}

fn take_datagrams(socket: &UdpSocket, taken: &Taken) {
    let mut datagram = vec![0; 64 << 10];
    while socket.recv(&mut datagram).is_ok() {
        count(&taken.segments, 1);
    }
}

fn take_requests(listener: std::net::TcpListener, taken: Arc<Taken>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a socket that does not block");
        let listener = TcpListener::from_std(listener).expect("a listener");
        while let Ok((stream, _)) = listener.accept().await {
            let taken = taken.clone();
            let service = service_fn(move |request| {
                let taken = taken.clone();
                async move { taken.answer(request).await }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

/// How many datagrams the system has dropped at a port, by the last column of its list.
fn dropped(port: u16) -> Option<u64> {
    let sockets = fs::read_to_string("/proc/net/udp").ok()?;
    let address = format!(":{port:04X}");
    let mut sockets = sockets.lines().map(str::split_ascii_whitespace);
    let of_port = |line: &str| line.ends_with(&address);
    let mut line = sockets.find(|line| line.clone().nth(1).is_some_and(of_port))?;
    line.next_back()?.parse().ok()
}

fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

fn json(body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    response
        .headers_mut()
        .insert("content-type", const { http::HeaderValue::from_static("application/x-amz-json-1.1") });
    response
}

const TRANSACTION: &[u8] = br#"{"type":"transaction""#;
