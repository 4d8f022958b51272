use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::any_value::Value,
    logs::v1::LogRecord,
    metrics::v1::Metric,
    trace::v1::{ScopeSpans, Span, TracesData},
};
use prost::Message as _;

/// An OTLP endpoint over a real socket, on a thread of its own. It keeps what it is sent, and answers as it is told.
#[derive(Clone)]
pub struct Sink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// `None` is no answer.
    answers: VecDeque<Option<Response<Full<Bytes>>>>,
    /// What those are answered with that have no answer of their own.
    status: StatusCode,
}

/// One request, decompressed.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: SystemTime,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Received {
    /// Spans may be sent to any path.
    pub fn is_spans(&self) -> bool {
        !self.is_metrics() && !self.is_logs()
    }

    pub fn is_metrics(&self) -> bool {
        self.path.ends_with("/v1/metrics")
    }

    pub fn is_logs(&self) -> bool {
        self.path.ends_with("/v1/logs")
    }
}

impl Sink {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let sink = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = sink.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serving.serve(listener));
        });
        sink
    }

    /// The base URL, as `OTEL_EXPORTER_OTLP_ENDPOINT` takes it.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next requests are answered so; after these, all with 200.
    pub fn answer(&self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> &Self {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Full::new(body.into())).unwrap();
        self.state.lock().unwrap().answers.push_back(Some(response));
        self
    }

    /// All requests are answered with this status, after those that have an answer of their own.
    pub fn always(&self, status: u16) -> &Self {
        self.state.lock().unwrap().status = StatusCode::from_u16(status).unwrap();
        self
    }

    /// The next request is taken, and never answered.
    pub fn silence(&self) -> &Self {
        self.state.lock().unwrap().answers.push_back(None);
        self
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Begins anew.
    pub fn forget(&self) -> &Self {
        self.state.lock().unwrap().received.clear();
        self
    }

    /// All decompressed bytes of all requests, with their headers.
    pub fn bytes(&self) -> Vec<u8> {
        let write = |received: Received| {
            let headers = format!("{} {:?}", received.path, received.headers);
            [headers.into_bytes(), received.body].concat()
        };
        self.received().into_iter().flat_map(write).collect()
    }

    /// All spans that arrived.
    pub fn spans(&self) -> Vec<Span> {
        self.scopes().into_iter().flat_map(|scope| scope.spans).collect()
    }

    /// All spans that arrived, below the scopes that made them.
    pub fn scopes(&self) -> Vec<ScopeSpans> {
        let requests = self.decoded::<ExportTraceServiceRequest>(Received::is_spans);
        let resources = requests.into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).collect()
    }

    /// All metrics that arrived, of each collection.
    pub fn metrics(&self) -> Vec<Metric> {
        let requests = self.decoded::<ExportMetricsServiceRequest>(Received::is_metrics);
        let resources = requests.into_iter().flat_map(|request| request.resource_metrics);
        resources.flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics).collect()
    }

    /// All log records that arrived.
    pub fn logs(&self) -> Vec<LogRecord> {
        let requests = self.decoded::<ExportLogsServiceRequest>(Received::is_logs);
        let resources = requests.into_iter().flat_map(|request| request.resource_logs);
        resources.flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records).collect()
    }

    /// The attributes of the resource that sent the first span.
    pub fn resource(&self) -> Vec<(String, String)> {
        let request = self.decoded::<TracesData>(Received::is_spans).remove(0);
        let resource = request.resource_spans[0].resource.clone().unwrap();
        resource.attributes.into_iter().map(|pair| (pair.key, text(pair.value.unwrap().value))).collect()
    }

    fn decoded<M: prost::Message + Default>(&self, of: impl Fn(&Received) -> bool) -> Vec<M> {
        let posted = self.received().into_iter().filter(of);
        posted.map(|received| M::decode(&*received.body).unwrap()).collect()
    }

    /// Waits until `count` spans have arrived.
    pub async fn arrived(&self, count: usize) -> Vec<Span> {
        for _ in 0..500 {
            if self.spans().len() >= count {
                return self.spans();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} spans should have arrived: {:#?}", self.spans());
    }

    async fn serve(self, listener: std::net::TcpListener) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let sink = self.clone();
            let service = service_fn(move |request| sink.clone().take(request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let sent = body.collect().await.unwrap().to_bytes();
        let mut body = Vec::new();
        match parts.headers.get("content-encoding").map(|value| value.to_str().unwrap()) {
            Some("gzip") => drop(GzDecoder::new(&*sent).read_to_end(&mut body).unwrap()),
            Some(other) => panic!("content-encoding {other}"),
            None => body.extend_from_slice(&sent),
        }
        let (path, headers, at) = (parts.uri.to_string(), parts.headers, SystemTime::now());
        match self.note(Received { at, path, headers, body }) {
            Some(answer) => Ok(answer),
            None => pending().await,
        }
    }

    fn note(&self, received: Received) -> Option<Response<Full<Bytes>>> {
        let mut state = self.state.lock().unwrap();
        state.received.push(received);
        let mut answer = Response::default();
        *answer.status_mut() = state.status;
        state.answers.pop_front().unwrap_or(Some(answer))
    }
}

/// An attribute as text: `"GET"`, `200`, `["a"]`.
pub fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(array)) => {
            let items: Vec<_> = array.values.into_iter().map(|item| text(item.value)).collect();
            format!("{items:?}")
        }
        other => format!("{other:?}"),
    }
}
