//! What must hold whatever a backend answers: the bodies of the fuzz target and of the property.

#![allow(dead_code, reason = "who includes it uses a part of it")]

use std::{
    convert::Infallible,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use aws_credential_types::Credentials;
use belvedere::{
    aws::{Client, Region, Service},
    cloudwatch::{self, CloudWatchLayer, LogLane},
    observe::ObserveLayer,
    otel::{OtelLayer, Otlp, SpanLane},
    outbox::Outbox,
    rollbar::{self, ItemLane, RollbarLayer},
    xray::{self, Sampler, SegmentLane, XRayLayer},
};
use futures_util::FutureExt as _;
use http::{Request, Response};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower::{Layer as _, ServiceExt as _};

/// All four backends give this answer to a record each: a status and headers in lines, an empty line, and a body. Nothing
/// panics, and each record is delivered or counted as lost.
pub(crate) fn answer(bytes: &[u8]) {
    let backend = Backend::get();
    *backend.answer.lock().unwrap_or_else(PoisonError::into_inner) = written(bytes);
    let outbox = Outbox::builder().start().expect("an outbox");
    // Its end waits for its lane, so that comes first.
    let _provider = serve(&outbox, &format!("http://{}", backend.address));
    let report = outbox.shutdown_blocking(Duration::from_millis(200));
    assert_eq!(report.lanes.len(), 4, "{report}");
    for lane in &report.lanes {
        assert_eq!(lane.delivered + lane.lost(), 1, "{report}");
        assert!(!lane.to_string().contains("panic"), "{report}");
    }
}

/// A request that fails, which is a record for each of the four. Gives whose span it is.
fn serve(outbox: &Outbox, url: &str) -> SdkTracerProvider {
    let uri = || url.parse().expect("a URL");
    let keys = || Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let region = || "eu-west-1".parse::<Region>().expect("a region");
    let client = |service| {
        let client = Client::builder(service, region(), keys());
        client.endpoint(uri()).build().expect("a client")
    };
    let spans = SpanLane::otlp(outbox, Otlp::new(uri())).expect("a lane");
    let provider = SdkTracerProvider::builder().with_span_processor(spans).build();
    let api = rollbar::Api::new("a-token".parse().expect("a token")).endpoint(uri());
    let logs = cloudwatch::Api::new(client(Service::LOGS), "/shop".parse().expect("a group"));
    let segments = SegmentLane::api(outbox, xray::Api::new(client(Service::XRAY)));
    let layers = ObserveLayer::new((
        OtelLayer::new().tracer_provider(&provider),
        XRayLayer::on("shop", segments).sample(Sampler::all()),
        RollbarLayer::on(ItemLane::limited(outbox, api, None, None).expect("a lane")),
        CloudWatchLayer::on(LogLane::new(outbox, logs)),
    ));
    let service = layers.layer(tower::service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::builder().status(500).body(String::new()).expect("a response"))
    }));
    drop(service.oneshot(Request::new(())).now_or_never().expect("nobody waits"));
    provider
}

/// The answer as it is sent, whatever of it is one.
fn written(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((&[][..], bytes), |end| (&bytes[..end], &bytes[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.parse::<u16>().ok());
    let status = status.filter(|status| (200..1_000).contains(status)).unwrap_or(200);
    let mut answer =
        format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~');
    let header = |line: &&[u8]| {
        line.iter().all(is_text) && !line.starts_with(b"content-") && !line.starts_with(b"transfer-")
    };
    for line in lines.filter(header).take(50).map(String::from_utf8_lossy) {
        answer.push_str(&format!("{line}\r\n"));
    }
    [answer.as_bytes(), b"\r\n", body].concat()
}

/// Answers whatever it is asked with the same bytes, for as long as the process lives.
struct Backend {
    address: SocketAddr,
    answer: Mutex<Vec<u8>>,
}

// ===== impl Backend =====

impl Backend {
    fn get() -> &'static Self {
        static BACKEND: OnceLock<Backend> = OnceLock::new();
        BACKEND.get_or_init(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address");
            thread::spawn(move || {
                listener
                    .incoming()
                    .flatten()
                    .for_each(|stream| drop(thread::spawn(|| drop(Self::take(stream)))));
            });
            Self { address, answer: Mutex::default() }
        })
    }

    fn take(stream: TcpStream) -> std::io::Result<()> {
        let (mut reader, mut length) = (BufReader::new(&stream), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? <= 2 {
                break;
            }
            if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().unwrap_or(0);
            }
        }
        reader.by_ref().take(length).read_to_end(&mut Vec::new())?;
        let answer = Self::get().answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (&stream).write_all(&answer)
    }
}
