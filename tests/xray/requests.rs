//! Each request that AWS's SDK for Python was recorded with, served by us: what is sent of it, field by field.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use belvedere::{
    outbox::{Limits, Outbox},
    xray::{
        self, Aws, DaemonAddress, Exception, Json, Namespace, Sampler, SegmentLane, Sql, Status, Subsegment,
        XRayClientLayer, XRayLayer,
    },
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tower::{Layer as _, ServiceExt as _};

use super::{
    bursts::two_thousand_segments_at_once_all_arrive_at_the_smallest_daemon, daemon, file,
    sampling::what_was_recorded_with_central_rules_is_decided_and_sent_alike, support::Server,
};

/// A request, and what becomes of it.
#[derive(Clone, Copy)]
struct Row {
    /// The recording, and the file of its document if there is one.
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    set: fn(XRayLayer) -> XRayLayer,
    client: ClientDoes,
    /// What the answer's header says: the SDK's, and ours.
    told: [Told; 2],
    /// What the header of the call further down says, if there is one: the SDK's, and ours. A star stands for an id.
    sent: Option<[&'static str; 2]>,
    differences: &'static [Difference],
}

/// What the header `X-Amzn-Trace-Id` of an answer says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Nothing,
    /// The root of a trace that begins here.
    Fresh,
    This(&'static str),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ClientDoes {
    Read,
    /// Leaves after the head.
    Leave,
}

/// What our document has otherwise than the SDK's: where, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Difference {
    /// Only the SDK's has it.
    Gone(&'static str, &'static str),
    /// Only ours has it, with this JSON.
    Ours(&'static str, &'static str, &'static str),
    /// Both have it; ours is this JSON.
    Other(&'static str, &'static str, &'static str),
}

use Difference::{Gone, Other, Ours};

/// How it is shown that a recording has its match.
enum Proof {
    /// By a request of the same kind.
    Row(Row),
    /// By a test, or several.
    Tests(&'static [fn()]),
}

// ===== the table =====

const CALLER: &str = "Root=1-6b004e00-0123456789abcdef01234567";
const NO_OP: Told = Told::This("Root=1-00000000-000000000000000000000000");

/// What is otherwise in each document.
pub(crate) const ALWAYS: [Difference; 4] = [
    Gone("/in_progress", "it says nothing beside an end"),
    Other("/service", r#"{"compiler":"rustc"}"#, "it names Rust, and no Python"),
    Other("/aws/xray/sdk", r#""belvedere""#, "another name"),
    Other("/aws/xray/sdk_version", concat!('"', env!("CARGO_PKG_VERSION"), '"'), "another version"),
];

/// What is otherwise in each subsegment.
const ALWAYS_INSIDE: [Difference; 4] = [
    Gone("/in_progress", "it says nothing beside an end"),
    Gone("/parent_id", "what is embedded has it by where it is"),
    Gone("/trace_id", "what is embedded has it by where it is"),
    Gone("/type", "what is embedded has it by where it is"),
];

const CALLERS: &str = "the caller's trace stays the caller's, recorded or not";
const STACK: &str = "errors of Rust have no stack";
const FOLDER: &str = "it tells of the machine and not of the error";
const DEFAULT: &str = "it is what a reader takes for granted";
const STEP: &str = "a step of one's own is in no namespace";
const SPELLED: &str = "as HTTP spells it";
const READ: &str = "the call lasts until its last byte, so that it knows";
const FALLBACK: &str = "the fixed name is the fallback, by whatever it was set";
const NOWHERE: &str = "it runs nowhere that AWS knows";

fn table() -> Vec<(&'static str, Proof)> {
    let rows = [
        Row::get("01-ok", "/tea").tells(Told::Fresh, Told::Nothing),
        Row::get("02-incoming-sampled", "/tea")
            .headers(&[(
                "X-Amzn-Trace-Id",
                "Root=1-6b004e00-0123456789abcdef01234567;Parent=00f067aa0ba902b7;Sampled=1",
            )])
            .tells(Told::This(CALLER), Told::This(CALLER)),
        // The caller's trace, whether it is recorded or not.
        Row::get("03-incoming-not-sampled", "/tea").headers(NOT_SAMPLED).tells(NO_OP, Told::This(CALLER)),
        Row::get("03b-not-sampled-downstream", "/leaves?cups=70")
            .headers(NOT_SAMPLED)
            .tells(NO_OP, Told::This(CALLER))
            .sends([
                "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
                "Root=1-6b004e00-0123456789abcdef01234567;Parent=*;Sampled=0",
            ]),
        Row::get("03c-not-sampled-noop-id-false", "/leaves?cups=70")
            .headers(NOT_SAMPLED)
            .tells(Told::Fresh, Told::This(CALLER))
            .sends([
                "Root=*;Parent=*;Sampled=0",
                "Root=1-6b004e00-0123456789abcdef01234567;Parent=*;Sampled=0",
            ]),
        Row::get("04-incoming-ask", "/tea")
            .headers(&[("X-Amzn-Trace-Id", "Root=1-6b004e00-0123456789abcdef01234567;Sampled=?")])
            .tells(Told::This(CALLER_SAMPLED), Told::This(CALLER_SAMPLED)),
        Row::get("05-incoming-extra-fields", "/leaves?cups=90")
            .headers(&[(
                "X-Amzn-Trace-Id",
                "Self=1-67891234-12456789abcdef012345678;Root=1-6b004e00-0123456789abcdef01234567;\
                 Lineage=3:0a1b2c3d:0|4e5f6a7b:2;CalledFrom=kitchen",
            )])
            .tells(Told::This(CALLER), Told::This(CALLER))
            .sends([SENT_ON, SENT_ON])
            .but(&[CALLED, CALL_READ]),
        Row::get("06-incoming-spaces", "/tea")
            .headers(&[(
                "X-Amzn-Trace-Id",
                "Root=1-6b004e00-0123456789abcdef01234567; Parent=00f067aa0ba902b7; Sampled=1",
            )])
            .tells(Told::This(CALLER), Told::This(CALLER))
            .but(&[Ours("/parent_id", r#""00f067aa0ba902b7""#, "a space costs no context")]),
        Row::get("07-incoming-garbage", "/tea")
            .headers(&[("X-Amzn-Trace-Id", "garbage")])
            .tells(Told::Fresh, Told::Nothing),
        Row::get("08-incoming-bad-root", "/tea")
            .headers(&[("X-Amzn-Trace-Id", "Root=no-id-at-all;Sampled=1")])
            .tells(Told::This("Root=no-id-at-all"), Told::Fresh)
            .but(&[Other("/trace_id", r#""fresh""#, "X-Ray would refuse the document")]),
        Row::get("09-x-forwarded-for", "/tea")
            .headers(&[("X-Forwarded-For", "198.51.100.4, 10.0.0.8")])
            .set(|layer| layer.trusted_hops(2))
            .tells(Told::Fresh, Told::Nothing)
            .but(&[Other("/http/request/client_ip", r#""198.51.100.4""#, "an address, and no list of them")]),
        Row::get("10-query-stripped", "/tea?token=secret&x=1").tells(Told::Fresh, Told::Nothing),
        Row::get("11-404", "/coffee").tells(Told::Fresh, Told::Nothing),
        Row::get("12-429", "/hurry").tells(Told::Fresh, Told::Nothing),
        Row::get("13-503", "/closed").tells(Told::Fresh, Told::Nothing),
        Row::get("14-exception", "/spill").tells(Told::Fresh, Told::Nothing).but(&[
            Gone("/cause/working_directory", FOLDER),
            Gone("/cause/exceptions/0/stack", STACK),
            Gone("/cause/exceptions/0/remote", DEFAULT),
        ]),
        Row::get("15-exception-chained", "/spill-chained").tells(Told::Fresh, Told::Nothing).but(&[Other(
            "/cause",
            CHAIN,
            "the inner one is told as well",
        )]),
        Row::get("16-capture", "/order?size=2").tells(Told::Fresh, Told::Nothing).but(&[
            Gone("/subsegments/0/namespace", STEP),
            Gone("/subsegments/0/subsegments/0/namespace", STEP),
        ]),
        Row::get("17-manual", "/by-hand").tells(Told::Fresh, Told::Nothing).but(&[
            Gone("/subsegments/0/namespace", STEP),
            Gone("/subsegments/0/subsegments/0/namespace", STEP),
        ]),
        Row::get("18-sub-error-caught", "/caught").tells(Told::Fresh, Told::Nothing).but(&[
            Gone("/subsegments/0/namespace", STEP),
            Gone("/subsegments/0/cause/working_directory", FOLDER),
            Gone("/subsegments/0/cause/exceptions/0/stack", STACK),
            Gone("/subsegments/0/cause/exceptions/0/remote", DEFAULT),
        ]),
        Row::get("19-sub-error-bubbles", "/bubbles").tells(Told::Fresh, Told::Nothing).but(&[
            Gone("/subsegments/0/namespace", STEP),
            Gone("/subsegments/0/subsegments/0/namespace", STEP),
            Gone("/subsegments/0/subsegments/0/cause/working_directory", FOLDER),
            Gone("/subsegments/0/subsegments/0/cause/exceptions/0/stack", STACK),
            Gone("/subsegments/0/subsegments/0/cause/exceptions/0/remote", DEFAULT),
        ]),
        Row::get("20-downstream-200", "/leaves?cups=70")
            .tells(Told::Fresh, Told::Nothing)
            .sends(["Root=*;Parent=*;Sampled=1"; 2])
            .but(&[CALLED, CALL_READ]),
        Row::get("21-downstream-404", "/leaves?cups=70&status=404")
            .tells(Told::Fresh, Told::Nothing)
            .sends(["Root=*;Parent=*;Sampled=1"; 2])
            .but(&[CALLED, CALL_READ]),
        Row::get("22-downstream-429", "/leaves?cups=70&status=429")
            .tells(Told::Fresh, Told::Nothing)
            .sends(["Root=*;Parent=*;Sampled=1"; 2])
            .but(&[CALLED, CALL_READ]),
        Row::get("23-downstream-500", "/leaves?cups=70&status=500")
            .tells(Told::Fresh, Told::Nothing)
            .sends(["Root=*;Parent=*;Sampled=1"; 2])
            .but(&[CALLED, CALL_READ]),
        Row::get("24-downstream-refused", "/leaves-refused").tells(Told::Fresh, Told::Nothing).but(&[
            CALLED,
            REFERS,
            Other("/subsegments/0/cause", REFUSED, "hyper's errors, each with its cause"),
        ]),
        Row::get("25-aws", "/stock").tells(Told::Fresh, Told::Nothing),
        Row::get("26-aws-error", "/stock-error").tells(Told::Fresh, Told::Nothing).but(&[
            REFERS,
            Gone("/subsegments/0/cause/working_directory", FOLDER),
            Gone("/subsegments/0/cause/exceptions/0/stack", STACK),
        ]),
        Row::get("27-sql", "/ledger").tells(Told::Fresh, Told::Nothing),
        Row::get("28-many-45", "/many").tells(Told::Fresh, Told::Nothing).but(&[
            Gone("/subsegments/0/namespace", STEP),
            Gone("/subsegments/1/namespace", STEP),
            Gone("/subsegments/2/namespace", STEP),
            Gone("/subsegments/3/namespace", STEP),
        ]),
        Row::get("29-many-nested-45", "/many-nested").tells(Told::Fresh, Told::Nothing).but(&[
            Gone("/subsegments/0/namespace", STEP),
            Gone("/subsegments/0/subsegments/0/namespace", STEP),
            Gone("/subsegments/0/subsegments/1/namespace", STEP),
            Gone("/subsegments/0/subsegments/2/namespace", STEP),
        ]),
        Row::get("30-stream", "/pour").tells(Told::Fresh, Told::Nothing).but(&[POURED_ALL]),
        Row::get("31-stream-breaks", "/pour-breaks").tells(Told::Fresh, Told::Nothing).but(&[
            Ours("/http/response/content_length", "16", "the bytes that went out"),
            Ours("/fault", "true", "the end of the body counts"),
            Ours("/cause", BROKEN, "the end of the body counts"),
        ]),
        Row::get("32-stream-aborted", "/pour").leaves().tells(Told::Fresh, Told::Nothing).but(&[
            Ours("/http/response/content_length", "8", "the bytes that went out"),
            Ours("/error", "true", "the client left"),
            Ours("/cause", LEFT, "the client left"),
        ]),
        Row { method: "POST", ..Row::get("33-post", "/refill") }.tells(Told::Fresh, Told::Nothing),
        Row { method: "HEAD", ..Row::get("34-head", "/tea") }.tells(Told::Fresh, Told::Nothing).but(&[
            Other(
                "/http/response/content_length",
                "0",
                "no byte goes out, and axum writes the header after the layer",
            ),
        ]),
        Row::get("35-redirect", "/old-tea").tells(Told::Fresh, Told::Nothing),
        Row::get("38-template", "/menu")
            .tells(Told::Fresh, Told::Nothing)
            .but(&[Gone("/subsegments/0/namespace", STEP)]),
        Row::get("39-lowercase-keys", "/tea")
            .headers(&[(
                "X-Amzn-Trace-Id",
                "root=1-6b004e00-0123456789abcdef01234567;parent=00f067aa0ba902b7;sampled=1",
            )])
            .tells(Told::Fresh, Told::This(CALLER))
            .but(&[
                Other("/trace_id", r#""1-6b004e00-0123456789abcdef01234567""#, "names have any case"),
                Ours("/parent_id", r#""00f067aa0ba902b7""#, "names have any case"),
            ]),
        Row::get("50-local-rule-drop", "/warm").set(by_rules).tells(NO_OP, Told::Nothing),
        Row::get("51-local-rule-default", "/tea").set(by_rules).tells(Told::Fresh, Told::Nothing),
        Row::get("60-dynamic-match", "/tea")
            .headers(&[("Host", "tea.example.org")])
            .set(|layer| layer.hosts("*.example.org"))
            .tells(Told::Fresh, Told::Nothing)
            .but(&[Gone("/origin", NOWHERE), Gone("/aws/ecs", NOWHERE)]),
        Row::get("61-dynamic-fallback", "/tea")
            .headers(&[("Host", "unknown.test")])
            .set(|layer| layer.hosts("*.example.org"))
            .tells(Told::Fresh, Told::Nothing)
            .but(&[
                Other("/name", r#""tea-house""#, FALLBACK),
                Gone("/origin", NOWHERE),
                Gone("/aws/ecs", NOWHERE),
            ]),
        Row::get("65-sdk-disabled", "/tea").set(|layer| layer.skip(|_| true)).tells(NO_OP, Told::Nothing),
        Row::get("66-env-daemon-double-form", "/tea").tells(Told::Fresh, Told::Nothing),
    ];
    let rows = rows.into_iter().map(|row| (row.name, Proof::Row(row)));
    rows.chain(tests()).collect()
}

/// What takes more than a row.
fn tests() -> impl Iterator<Item = (&'static str, Proof)> {
    let big: &[fn()] = &[a_fact_of_sixty_thousand_bytes_goes_out_whole];
    let bigger: &[fn()] = &[a_fact_of_seventy_thousand_bytes_is_cut_and_its_segment_goes_out];
    let central: &[fn()] = &[what_was_recorded_with_central_rules_is_decided_and_sent_alike];
    let daemon: &[fn()] = &[each_recorded_request_makes_the_same_document_but_for_named_differences];
    let bursts: &[fn()] = &[two_thousand_segments_at_once_all_arrive_at_the_smallest_daemon];
    RECORDINGS.into_iter().filter_map(move |name| {
        let tests = match name.split('-').next()? {
            "36" => big,
            "37" => bigger,
            "70" | "71" | "72" | "73" | "79" => central,
            "90" => daemon,
            "91" => bursts,
            _ => return None,
        };
        Some((name, Proof::Tests(tests)))
    })
}

const CALLER_SAMPLED: &str = "Root=1-6b004e00-0123456789abcdef01234567;Sampled=1";
const NOT_SAMPLED: &[(&str, &str)] =
    &[("X-Amzn-Trace-Id", "Root=1-6b004e00-0123456789abcdef01234567;Parent=00f067aa0ba902b7;Sampled=0")];
const SENT_ON: &str = "Root=1-6b004e00-0123456789abcdef01234567;Parent=*;Sampled=1;\
                       Lineage=3:0a1b2c3d:0|4e5f6a7b:2;CalledFrom=kitchen";
const POURED_ALL: Difference =
    Ours("/http/response/content_length", "24", "the segment lasts until the last byte, so that it knows");
const BROKEN: &str = r##"{"exceptions": [
    {"id": "#0", "type": "axum_core::error::Error", "message": "the pot broke", "cause": "#1"},
    {"id": "#1", "type": "axum_core::error::Error", "message": "the pot broke", "cause": "#2"},
    {"id": "#2", "type": "std::io::error::Error", "message": "the pot broke"}]}"##;
const LEFT: &str = r##"{"exceptions": [{"id": "#0", "type": "canceled", "message": "the client left before the response was over"}]}"##;

const CHAIN: &str = r##"{"exceptions": [
    {"id": "#0", "type": "WrappedError", "message": "tray fell", "cause": "#1"},
    {"id": "#1", "type": "SpillError", "message": "cup 3 fell"}]}"##;
const REFUSED: &str = r##"{"exceptions": [
    {"id": "#0", "type": "hyper_util::client::legacy::client::Error", "message": "client error (Connect)", "cause": "#1"},
    {"id": "#1", "type": "std::io::error::Error", "message": "Connection refused (os error 111)"}]}"##;
const REFERS: Difference =
    Ours("/cause", r##""#0""##, "a fault that does not say why refers to what a part of it told of");
const CALLED: Difference = Other("/subsegments/0/http/request/method", r#""GET""#, SPELLED);
const CALL_READ: Difference = Ours("/subsegments/0/http/response/content_length", "7", READ);

/// `/warm` never, everything else always.
fn by_rules(layer: XRayLayer) -> XRayLayer {
    let rules = r#"{"version": 2, "default": {"fixed_target": 0, "rate": 1}, "rules": [
        {"host": "*", "http_method": "*", "url_path": "/warm*", "fixed_target": 0, "rate": 0}]}"#;
    layer.sample(Sampler::rules(rules).unwrap())
}

// ===== impl Row =====

impl Row {
    const fn get(name: &'static str, path: &'static str) -> Self {
        Self {
            name,
            method: "GET",
            path,
            headers: &[],
            set: |layer| layer,
            client: ClientDoes::Read,
            told: [Told::Nothing; 2],
            sent: None,
            differences: &[],
        }
    }

    const fn headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    const fn set(self, set: fn(XRayLayer) -> XRayLayer) -> Self {
        Self { set, ..self }
    }

    const fn leaves(self) -> Self {
        Self { client: ClientDoes::Leave, ..self }
    }

    const fn tells(self, theirs: Told, ours: Told) -> Self {
        Self { told: [theirs, ours], ..self }
    }

    const fn sends(self, sent: [&'static str; 2]) -> Self {
        Self { sent: Some(sent), ..self }
    }

    const fn but(self, differences: &'static [Difference]) -> Self {
        Self { differences, ..self }
    }
}

// ===== the service =====

/// The tea house, its daemon, and the garden that its leaves come from.
struct House {
    daemon: daemon::Daemon,
    outbox: Outbox,
    server: Server,
    garden: Garden,
}

/// A service further down, which keeps the header that it was called with.
struct Garden {
    server: Server,
    called: Arc<Mutex<Option<String>>>,
}

/// What a client got.
struct Answer {
    header: Option<String>,
}

#[derive(Debug)]
struct TimerError(&'static str);

#[derive(Debug)]
struct SpillError(u32);

#[derive(Debug)]
struct WrappedError(SpillError);

// ===== impl House =====

impl House {
    async fn open(set: fn(XRayLayer) -> XRayLayer) -> Self {
        let (daemon, garden) = (daemon::Daemon::large().await, Garden::open().await);
        let outbox = Outbox::builder().start().unwrap();
        // Nobody listens at the other address: what arrives came by the right one.
        let text = format!("tcp:127.0.0.1:9 udp:{}", daemon.address);
        let address = DaemonAddress::lookup(|_| Some(text.clone())).unwrap().unwrap();
        let soon = Limits::default().age(Duration::from_millis(1)).in_flight(1);
        let lane = SegmentLane::daemon(&outbox, belvedere::xray::Daemon::new(address).limits(soon));
        let layer = XRayLayer::on("tea-house", lane).sample(Sampler::all());
        let layer = layer.peer(|_| Some("10.1.2.9:4711".parse().unwrap()));
        let server = Server::axum(router(garden.server.address).layer(set(layer))).await;
        Self { daemon, outbox, server, garden }
    }

    /// Asks, and gives the answer and the documents, which are as many as are told.
    async fn serve(self, row: &Row, documents: usize) -> (Answer, Option<String>, Vec<Value>) {
        let answer = self.ask(row).await;
        for _ in 0..1000 {
            if self.daemon.documents().len() >= documents {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        let report = self.outbox.shutdown(Duration::from_secs(5)).await;
        assert_eq!(report.lost(), 0, "{}: {report}", row.name);
        self.daemon.datagrams().iter().for_each(|datagram| assert_taken(datagram));
        let sent = self.daemon.documents();
        assert_eq!(report.lanes[0].accepted, documents as u64, "{}: {report}", row.name);
        (answer, self.garden.called(), sent.iter().map(|json| serde_json::from_str(json).unwrap()).collect())
    }

    async fn ask(&self, row: &Row) -> Answer {
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        let body = if row.method == "POST" { "hello" } else { "" };
        let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", row.method, row.path);
        let usual = [
            ("host", "10.1.2.3:8080"),
            ("user-agent", "kettle/2.1"),
            ("content-length", &*body.len().to_string()),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let told = row.headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let usual = usual
            .into_iter()
            .filter(|(name, _)| !row.headers.iter().any(|(told, _)| told.eq_ignore_ascii_case(name)));
        for (name, value) in told.chain(usual) {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while row.client == ClientDoes::Read || !read.windows(8).any(|bytes| bytes == b"chunk 0\n") {
            match timeout(Duration::from_secs(10), stream.read_buf(&mut read)).await.expect("an answer") {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        Answer::read(&String::from_utf8(read).unwrap())
    }
}

// ===== impl Garden =====

impl Garden {
    async fn open() -> Self {
        let called = Arc::<Mutex<Option<String>>>::default();
        let heard = called.clone();
        let answer = async move |headers: HeaderMap, path: axum::extract::Path<u16>| {
            let header = headers.get("x-amzn-trace-id").map(|value| value.to_str().unwrap().to_owned());
            *heard.lock().unwrap() = header;
            (StatusCode::from_u16(path.0).unwrap(), "leaves\n")
        };
        let server = Server::axum(Router::new().route("/leaves/{status}", get(answer))).await;
        Self { server, called }
    }

    fn called(&self) -> Option<String> {
        self.called.lock().unwrap().clone()
    }
}

// ===== impl Answer =====

impl Answer {
    fn read(text: &str) -> Self {
        let head = text.split("\r\n\r\n").next().unwrap();
        let header = head.lines().filter_map(|line| line.split_once(": "));
        let header = header.filter(|(name, _)| name.eq_ignore_ascii_case("x-amzn-trace-id"));
        Self { header: header.map(|(_, value)| value.to_owned()).next() }
    }
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for TimerError {}

impl fmt::Display for SpillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cup {} fell", self.0)
    }
}

impl Error for SpillError {}

impl fmt::Display for WrappedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tray fell")
    }
}

impl Error for WrappedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn router(garden: SocketAddr) -> Router {
    Router::new()
        .route("/tea", get("tea\n"))
        .route("/warm", get("warm\n"))
        .route("/hurry", get((StatusCode::TOO_MANY_REQUESTS, "too fast\n")))
        .route("/closed", get((StatusCode::SERVICE_UNAVAILABLE, "closed")))
        .route("/old-tea", get((StatusCode::FOUND, [("location", "/tea")])))
        .route("/refill", post(|body: String| async { (StatusCode::CREATED, body) }))
        .route("/pour", get(|| pour(3, None)))
        .route("/pour-breaks", get(|| pour(2, Some("the pot broke"))))
        .route("/leaves", get(move |request| leaves(garden, request)))
        .route("/leaves-refused", get(leaves_refused))
        .route("/spill", get(spill))
        .route("/spill-chained", get(spill_chained))
        .route("/order", get(order))
        .route("/by-hand", get(by_hand))
        .route("/caught", get(caught))
        .route("/bubbles", get(bubbles))
        .route("/stock", get(stock))
        .route("/stock-error", get(stock_error))
        .route("/ledger", get(ledger))
        .route("/many", get(async || cups(4)))
        .route("/many-nested", get(async || xray::capture("tray", async { cups(3) }).await))
        .route("/menu", get(async || xray::capture("menu", async { "menu" }).await))
        .route("/big", get(big))
        .fallback((StatusCode::NOT_FOUND, "x".repeat(120)))
}

/// So many chunks, 50 ms apart, and then what breaks it.
async fn pour(chunks: usize, broken: Option<&'static str>) -> Body {
    let chunks = stream::iter((0..chunks).map(|chunk| Ok(format!("chunk {chunk}\n"))));
    let all = chunks.chain(stream::iter(broken.map(|broken| Err(io::Error::other(broken)))));
    Body::from_stream(all.then(async |chunk| {
        sleep(Duration::from_millis(50)).await;
        chunk
    }))
}

/// Calls the garden, and answers with so many bytes as are asked for.
async fn leaves(garden: SocketAddr, request: Request<Body>) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let value = |name: &str| {
        let of = |pair: &str| pair.split_once('=').filter(|(key, _)| *key == name)?.1.parse::<usize>().ok();
        query.split('&').find_map(of)
    };
    let (cups, status) = (value("cups").unwrap(), value("status").unwrap_or(200));
    call(garden, &format!("http://10.4.4.4:9000/leaves/{status}")).await.unwrap();
    "x".repeat(cups).into_response()
}

async fn leaves_refused() -> Response {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(call(closed, "http://10.4.4.4:9/").await, None);
    (StatusCode::BAD_GATEWAY, "gave up").into_response()
}

/// By a client that goes to this address, whatever the URL says.
async fn call(to: SocketAddr, url: &str) -> Option<Bytes> {
    let connector = tower::service_fn(move |_: Uri| {
        Box::pin(async move { TcpStream::connect(to).await.map(TokioIo::new) })
    });
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let call = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
    let answer = XRayClientLayer::new().layer(client).oneshot(call).await.ok()?;
    Some(answer.into_body().collect().await.unwrap().to_bytes())
}

async fn spill() -> Response {
    xray::record_error(&SpillError(3));
    trouble()
}

async fn spill_chained() -> Response {
    xray::record_error(&WrappedError(SpillError(3)));
    trouble()
}

async fn order() -> &'static str {
    xray::annotate("route", "/order");
    xray::metadata("default", "query", json!({"size": "2"}));
    xray::user("béatrice");
    xray::capture("## pick leaves", async {
        xray::annotate("leaf_id", 7);
        xray::annotate("organic", true);
        xray::annotate("grams", 2.5);
        xray::annotate("grower", "Öğünç");
        xray::metadata("default", "tins", json!([{"tin": "a", "left": 3}, {"tin": "b", "left": null}]));
        xray::metadata("stock", "raw", json!({"shelf": {"rows": [1, 0.5, "top"]}}));
        xray::capture("weigh", async {}).await;
    })
    .await;
    "tea\n"
}

async fn by_hand() -> &'static str {
    let boil = xray::subsegment("boil water");
    boil.metadata("default", "celsius", "96");
    let _inner = xray::subsegment("wrong?name*here");
    "tea\n"
}

async fn caught() -> &'static str {
    let steeped: Result<(), _> = xray::try_capture("steep", async { Err(TimerError("forgot it")) }).await;
    steeped.unwrap_err();
    "tea\n"
}

async fn bubbles() -> Response {
    let steep = async { xray::try_capture("steep", async { Err::<(), _>(TimerError("boiled over")) }).await };
    xray::record_error(&xray::try_capture("outer", steep).await.unwrap_err());
    trouble()
}

async fn stock() -> &'static str {
    dynamodb(StatusCode::OK, |subsegment, mut aws| {
        aws.request_id = Some("MADEUPREQUESTIDMADEUPREQUESTID".into());
        aws.consumed_capacity = Some(Json::new(json!({"TableName": "tins", "CapacityUnits": 1.5})));
        subsegment.entity.aws = Some(Box::new(aws));
    });
    "tea\n"
}

async fn stock_error() -> Response {
    dynamodb(StatusCode::BAD_REQUEST, |subsegment, mut aws| {
        aws.request_id = Some("MADEUPREQUESTIDMADEUPERRORS".into());
        subsegment.entity.aws = Some(Box::new(aws));
        let mut exception = Exception::new("ResourceNotFoundException", "no such table");
        exception.remote = true;
        subsegment.entity.fault(exception.into());
    });
    (StatusCode::INTERNAL_SERVER_ERROR, "x".repeat(20)).into_response()
}

/// As an SDK of AWS's would tell of a query.
fn dynamodb(status: StatusCode, tell: impl FnOnce(&mut Subsegment, Aws)) {
    let mut aws = Aws::default();
    aws.operation = Some("Query".into());
    aws.region = Some("eu-central-1".into());
    aws.table_name = Some("tins".into());
    xray::subsegment("dynamodb").update(|subsegment| {
        subsegment.namespace = Some(Namespace::Aws);
        let mut http = xray::Http::default();
        http.response = Some(xray::Response::new(status));
        subsegment.entity.http = Some(http);
        subsegment.entity.status = Status::http(status);
        tell(subsegment, aws);
    });
}

async fn ledger() -> &'static str {
    for _ in 0..2 {
        xray::subsegment("ledger.db").update(|subsegment| {
            subsegment.namespace = Some(Namespace::Remote);
            let mut sql = Sql::default();
            sql.database_type = Some("sqlite3".into());
            sql.database_version = Some("3.45.0".into());
            subsegment.sql = Some(Box::new(sql));
        });
    }
    "tea\n"
}

/// As many steps as the files of the recording have.
fn cups(steps: usize) -> &'static str {
    (0..steps).for_each(|step| drop(xray::subsegment(format!("cup-{step:02}"))));
    "tea\n"
}

/// Metadata of so many bytes as are asked for.
async fn big(request: Request<Body>) -> &'static str {
    let bytes = request.uri().query().unwrap().parse().unwrap();
    xray::metadata("default", "blob", "x".repeat(bytes));
    "tea\n"
}

fn trouble() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "x".repeat(200)).into_response()
}

// ===== the comparison =====

#[tokio::test]
async fn each_recorded_request_makes_the_same_document_but_for_named_differences() {
    for (name, proof) in table() {
        let Proof::Row(row) = proof else { continue };
        let theirs = documents(name);
        let (answer, sent, ours) = House::open(row.set).await.serve(&row, theirs.len()).await;
        assert_told(&row, answer.header.as_deref());
        assert_sent(&row, sent.as_deref());
        for (theirs, ours) in theirs.into_iter().zip(ours) {
            assert_lasted(&row, &ours);
            let mut expected = plain(theirs);
            ALWAYS.iter().for_each(|difference| difference.apply(&mut expected, name));
            inside(&mut expected, &mut |entity| {
                ALWAYS_INSIDE.iter().for_each(|difference| difference.apply(entity, name));
            });
            row.differences.iter().for_each(|difference| difference.apply(&mut expected, name));
            assert_eq!(plain(ours), expected, "{name}");
        }
    }
}

#[test]
fn each_difference_is_named_with_its_reason() {
    let inside = ALWAYS.iter().chain(&ALWAYS_INSIDE).map(|difference| difference.why());
    let mut reasons: Vec<_> = inside.collect();
    for (name, proof) in table() {
        match proof {
            Proof::Row(row) => {
                reasons.extend(row.differences.iter().map(|difference| difference.why()));
                reasons.extend(why_told(row.told).or_else(|| panic!("{name}: {:?}", row.told)));
                reasons.extend(row.sent.filter(|[theirs, ours]| theirs != ours).map(|_| CALLERS));
            }
            Proof::Tests(tests) => assert!(!tests.is_empty(), "{name}"),
        }
    }
    assert!(reasons.iter().all(|why| why.split(' ').count() > 1), "{reasons:?}");
}

/// Why our answer's header is another one; nothing where it is not.
fn why_told(told: [Told; 2]) -> Option<&'static str> {
    match told {
        [theirs, ours] if theirs == ours => Some("it is the same"),
        [Told::Fresh | Told::This(_), Told::Nothing] => {
            Some("a caller that says nothing of X-Ray is told nothing")
        }
        [Told::Fresh, Told::This(CALLER)] | [NO_OP, Told::This(CALLER)] => Some(CALLERS),
        [Told::This(_), Told::Fresh] => Some("X-Ray would refuse a trace of that name"),
        _ => None,
    }
}

#[tokio::test]
async fn a_fact_of_sixty_thousand_bytes_goes_out_whole() {
    let row = Row::get("36-big-60k", "/big?60000");
    let (_, _, documents) = House::open(row.set).await.serve(&row, 1).await;
    assert_eq!(documents[0]["metadata"], json!({"default": {"blob": "x".repeat(60_000)}}));
}

/// The SDK sends nothing at all, since no datagram is that large.
#[tokio::test]
async fn a_fact_of_seventy_thousand_bytes_is_cut_and_its_segment_goes_out() {
    let row = Row::get("37-big-70k", "/big?70000");
    let (_, _, documents) = House::open(row.set).await.serve(&row, 1).await;
    let blob = documents[0]["metadata"]["default"]["blob"].as_str().unwrap();
    assert!(blob.len() > 60_000 && blob.bytes().all(|byte| byte == b'x'), "{}", blob.len());
    assert_eq!(documents[0]["metadata"]["belvedere"], json!({"shortened": 1}));
    assert_eq!(documents[0]["http"]["response"]["status"], 200);
}

#[test]
fn no_recording_is_without_its_row() {
    let rows: Vec<_> = table().into_iter().map(|(name, _)| name).collect();
    let names: BTreeSet<_> = rows.iter().copied().collect();
    assert_eq!(names.len(), rows.len(), "one is there twice");
    assert_eq!(names, RECORDINGS.into_iter().collect());
}

/// By the rules that were found with a real daemon, and by those of X-Ray behind it.
#[track_caller]
fn assert_taken(datagram: &[u8]) {
    assert!(datagram.len() <= 65_507, "{} bytes", datagram.len());
    let text = std::str::from_utf8(datagram).unwrap();
    let (head, document) = text.split_once('\n').expect("a line, and a document");
    let head: Value = serde_json::from_str(head).unwrap();
    assert_eq!(head, json!({"format": "json", "version": 1}));
    let read: Value = serde_json::from_str(document).expect("one document and nothing else");
    assert!(read.is_object());
    // Where the daemon looks for the id of what was refused.
    assert!(document.contains(&format!(r#""id":{}"#, read["id"])), "{document}");
}

#[track_caller]
fn assert_told(row: &Row, header: Option<&str>) {
    let ours = match header {
        None => Told::Nothing,
        Some(root) if row.told[1] == Told::Fresh => {
            assert!(root.starts_with("Root=1-") && root.len() == CALLER.len(), "{}: {root}", row.name);
            assert_ne!(root, CALLER, "{}", row.name);
            Told::Fresh
        }
        Some(root) => Told::This(Box::leak(root.to_owned().into_boxed_str())),
    };
    assert_eq!(ours, row.told[1], "{}", row.name);
}

#[track_caller]
fn assert_sent(row: &Row, header: Option<&str>) {
    let (Some([_, ours]), Some(header)) = (row.sent, header) else {
        return assert!(row.sent.is_none() && header.is_none(), "{}: {header:?}", row.name);
    };
    let header: Vec<_> = header.split(';').collect();
    let ours: Vec<_> = ours.split(';').collect();
    assert_eq!(header.len(), ours.len(), "{}: {header:?}", row.name);
    for (header, ours) in header.iter().zip(ours) {
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let is_id = |text: &str| matches!(text.len(), 16 | 35) && is_hex(text);
        match ours.strip_suffix('*') {
            Some(name) => assert!(header.strip_prefix(name).is_some_and(is_id), "{}: {header}", row.name),
            None => assert_eq!(*header, ours, "{}", row.name),
        }
    }
}

/// The SDK's segments of bodies that are streamed ended before those did.
#[track_caller]
fn assert_lasted(row: &Row, document: &Value) {
    let time = |name: &str| document[name].as_f64().unwrap();
    let lasted = time("end_time") - time("start_time");
    let least = match row.path {
        "/pour" if row.client == ClientDoes::Read => 0.15,
        "/pour-breaks" => 0.1,
        "/pour" => 0.05,
        _ => 0.0,
    };
    assert!((least..9.0).contains(&lasted), "{}: {lasted}", row.name);
}

// ===== impl Difference =====

impl Difference {
    const fn why(self) -> &'static str {
        let (Gone(_, why) | Ours(.., why) | Other(.., why)) = self;
        why
    }

    pub(crate) fn apply(self, document: &mut Value, name: &str) {
        let (Gone(at, _) | Ours(at, ..) | Other(at, ..)) = self;
        let (part, key) = at.rsplit_once('/').unwrap();
        let part = document.pointer_mut(part).unwrap_or_else(|| panic!("{name}: nothing at {at}"));
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        let (before, after) = match self {
            Gone(..) => (part.as_object_mut().unwrap().remove(key), None),
            Ours(_, json, _) => {
                (part.as_object_mut().unwrap().insert(key.to_owned(), value(json)), Some(json))
            }
            Other(_, json, _) => {
                (part.as_object_mut().unwrap().insert(key.to_owned(), value(json)), Some(json))
            }
        };
        assert_eq!(before.is_some(), !matches!(self, Ours(..)), "{name}: {self:?} is none");
        assert_ne!(before, after.map(value), "{name}: {self:?} is none");
    }
}

/// A document without what is new in each: ids and times. A trace keeps its id if the caller chose it.
pub(crate) fn plain(mut document: Value) -> Value {
    let mut exceptions = Vec::new();
    ids(&mut document, &mut exceptions);
    let trace = document["trace_id"].as_str().unwrap();
    let is_fresh = trace.len() == 35 && trace.starts_with("1-") && !CALLER.ends_with(trace);
    if is_fresh {
        document["trace_id"] = json!("fresh");
    }
    serde_json::from_str(
        &exceptions.iter().enumerate().fold(document.to_string(), |text, (at, id): (_, &String)| {
            text.replace(id.as_str(), &format!("#{at}"))
        }),
    )
    .unwrap()
}

/// Takes the ids and times out of a segment or subsegment and all in it, and gives those of exceptions.
fn ids(entity: &mut Value, exceptions: &mut Vec<String>) {
    let fields = entity.as_object_mut().unwrap();
    for name in ["id", "start_time", "end_time"] {
        assert!(fields.remove(name).is_some(), "{name} in {fields:?}");
    }
    let list = entity.pointer("/cause/exceptions").and_then(Value::as_array);
    exceptions
        .extend(list.into_iter().flatten().map(|exception| exception["id"].as_str().unwrap().to_owned()));
    let list = entity.get_mut("subsegments").and_then(Value::as_array_mut);
    list.into_iter().flatten().for_each(|inner| ids(inner, exceptions));
}

/// What a recording has, as one document: the SDK sends subsegments by themselves where they are many, and we do where
/// they are too large.
fn documents(name: &str) -> Vec<Value> {
    let parts = match name {
        _ if super::SILENT.contains(&name) => return Vec::new(),
        "28-many-45" => 3,
        "29-many-nested-45" => 2,
        _ => return vec![file(name)],
    };
    let mut parts: Vec<_> = (0..parts).map(|part| file(&format!("{name}.{part}"))).collect();
    let mut segment = parts.pop().unwrap();
    for part in parts.into_iter().rev() {
        let parent = part["parent_id"].clone();
        each(&mut segment, &mut |entity| {
            if entity["id"] == parent {
                entity["subsegments"].as_array_mut().unwrap().insert(0, part.clone());
            }
        });
    }
    vec![segment]
}

/// Visits all that is in a segment or subsegment.
fn inside(entity: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let list = entity.get_mut("subsegments").and_then(Value::as_array_mut);
    list.into_iter().flatten().for_each(|inner| each(inner, visit));
}

fn each(entity: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    visit(entity);
    inside(entity, visit);
}

/// What there is a recording of.
const RECORDINGS: [&str; 66] = [
    "01-ok",
    "02-incoming-sampled",
    "03-incoming-not-sampled",
    "03b-not-sampled-downstream",
    "03c-not-sampled-noop-id-false",
    "04-incoming-ask",
    "05-incoming-extra-fields",
    "06-incoming-spaces",
    "07-incoming-garbage",
    "08-incoming-bad-root",
    "09-x-forwarded-for",
    "10-query-stripped",
    "11-404",
    "12-429",
    "13-503",
    "14-exception",
    "15-exception-chained",
    "16-capture",
    "17-manual",
    "18-sub-error-caught",
    "19-sub-error-bubbles",
    "20-downstream-200",
    "21-downstream-404",
    "22-downstream-429",
    "23-downstream-500",
    "24-downstream-refused",
    "25-aws",
    "26-aws-error",
    "27-sql",
    "28-many-45",
    "29-many-nested-45",
    "30-stream",
    "31-stream-breaks",
    "32-stream-aborted",
    "33-post",
    "34-head",
    "35-redirect",
    "36-big-60k",
    "37-big-70k",
    "38-template",
    "39-lowercase-keys",
    "50-local-rule-drop",
    "51-local-rule-default",
    "60-dynamic-match",
    "61-dynamic-fallback",
    "65-sdk-disabled",
    "66-env-daemon-double-form",
    "70-central-first",
    "71-central-rule",
    "72-central-borrow-0",
    "72-central-borrow-1",
    "72-central-borrow-2",
    "72-central-borrow-3",
    "72-central-borrow-4",
    "72-central-borrow-5",
    "73-central-quota-0",
    "73-central-quota-1",
    "73-central-quota-2",
    "73-central-quota-3",
    "73-central-quota-4",
    "73-central-quota-5",
    "73-central-quota-6",
    "73-central-quota-7",
    "79-central-polls",
    "90-real-daemon-probe",
    "91-real-daemon-probe-64mb",
];
