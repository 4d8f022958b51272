//! What must hold for any bytes that come from outside: the bodies of the fuzz targets, which are properties in tests
//! as well.

#![allow(dead_code, reason = "each fuzz target uses one")]

use std::{borrow::Cow, collections::HashMap, convert::Infallible, time::Duration};

use belvedere::{
    Setup,
    exchange::{Hops, Host, grpc_timeout},
    otel::{OtelClientLayer, OtelLayer},
    outbox::{Outbox, Reason},
    rollbar::Item,
    scrub::Scrubber,
    trace::{
        SpanId, TraceId,
        amzn::{self, Decision},
        b3,
        w3c::{self, Flags, Traceparent},
    },
    xray::{
        DaemonAddress, Document, Sampler, Subsegment,
        sampler::{
            self, GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingSource,
            SamplingStatisticsDocument,
        },
    },
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use opentelemetry::{Context, baggage::BaggageExt as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _};

/// `X-Amzn-Trace-Id`, one header a line: what it says is what a reader says that knows nothing of ours, and what is sent
/// on says it again.
pub(crate) fn amzn(bytes: &[u8]) {
    let Some(headers) = headers(&amzn::NAME, bytes) else { return };
    let read = amzn::Header::read(&headers);
    let header = read.clone().unwrap_or_default();
    let said: Vec<_> = headers.get_all(&amzn::NAME).iter().map(|value| Said::by(value.as_bytes())).collect();
    let best = said.iter().find(|said| said.root.is_some());
    if let Some(Said { root, parent, sampled }) = best {
        assert_eq!((header.root, header.parent, header.sampled), (*root, *parent, *sampled));
    } else {
        assert_eq!(header.root, None);
    }

    let mut sent = headers;
    header.inject(&mut sent);
    assert_eq!(amzn::Header::read(&sent), read);
    assert!(sent.get_all(&amzn::NAME).iter().count() <= 1);
    assert!(sent.get(&amzn::NAME).is_none_or(|value| value.len() <= LONGEST_SENT));
    assert!(header.others().all(|(name, _)| !name.eq_ignore_ascii_case("self") && !name.is_empty()));

    let own = TraceId::generate();
    let answer = amzn::Header::read(&HeaderMap::from_iter([(amzn::NAME.clone(), header.answer(own, true))]));
    let answer = answer.expect("an answer has a root");
    assert_eq!((answer.root, answer.parent), (header.root.or(Some(own)), None));
    assert_eq!(answer.sampled, (header.sampled == Some(Decision::Ask)).then_some(Decision::Yes));
}

/// `traceparent` in the first line, `tracestate` in the others: what is sent on reads the same.
pub(crate) fn w3c(bytes: &[u8]) {
    let (first, others) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let Some(mut incoming) = headers(&HeaderName::from_static("traceparent"), first) else { return };
    let states = headers(&HeaderName::from_static("tracestate"), others.get(1..).unwrap_or_default());
    incoming.extend(states.unwrap_or_default());
    let Some((traceparent, state)) = w3c::extract(&incoming) else { return };

    let mut outgoing = HeaderMap::new();
    w3c::inject(&mut outgoing, traceparent, state.as_ref());
    assert_eq!(w3c::extract(&outgoing), Some((traceparent, state.clone())));
    let Traceparent { trace_id, parent_id, flags } = traceparent;
    let written = format!("00-{trace_id}-{parent_id}-{:02x}", flags.to_u8());
    assert_eq!(outgoing["traceparent"], written);
    assert_eq!(Flags::new(flags.to_u8()), flags);
    if let Some(state) = state {
        let members: Vec<_> = state.members().collect();
        assert!((1..=32).contains(&members.len()));
        assert!(members.iter().all(|(key, value)| !key.is_empty() && !value.contains(',')));
        let joined =
            members.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        assert_eq!(joined, state.as_str());
    }
}

/// B3's headers, one a line, with their names: what is sent on reads the same, in one header and in many.
pub(crate) fn b3(bytes: &[u8]) {
    let incoming = named(bytes, &B3);
    let Some(header) = b3::Header::read(&incoming) else { return };
    for inject in [b3::Header::inject, b3::Header::inject_multi] {
        let mut sent = incoming.clone();
        inject(&header, &mut sent);
        assert_eq!(b3::Header::read(&sent), Some(header), "{sent:?}");
        assert!(sent.keys().all(|name| B3.contains(&name.as_str())));
        assert!(sent.values().all(|value| value.len() <= LONGEST_B3), "{sent:?}");
    }
}

/// What proxies write about a client, one header a line, with its name: whatever a client has written before it, the
/// proxies are believed.
pub(crate) fn forwarded(bytes: &[u8]) {
    let headers = named(bytes, &FORWARDED);
    let none = Hops::NONE;
    assert_eq!((none.client(&headers), none.host(&headers), none.scheme(&headers)), (None, None, None));
    for hops in (1..4).flat_map(|count| [Hops::x_forwarded(count), Hops::forwarded(count)]) {
        let texts = [hops.host(&headers), hops.scheme(&headers)];
        let _ =
            (hops.client(&headers), texts.map(|text| text.and_then(Host::read).map(|host| host.to_string())));
    }
    for (hops, name, appended) in [
        (Hops::x_forwarded(1), "x-forwarded-for", "192.0.2.1"),
        (Hops::forwarded(1), "forwarded", "for=192.0.2.1;host=\"shop.example\""),
        (Hops::forwarded(1), "forwarded", "host=\"a\\\"b\";for=192.0.2.1"),
    ] {
        for claim in headers.values().filter_map(|value| value.to_str().ok()) {
            let Ok(line) = HeaderValue::try_from(format!("{claim}, {appended}")) else { continue };
            let one = HeaderMap::from_iter([(HeaderName::from_static(name), line)]);
            let client = hops.client(&one).map(|(address, _)| address.to_string());
            assert_eq!(client.as_deref(), Some("192.0.2.1"), "{one:?}");
        }
    }
}

/// The header `baggage`, one a line: what a handler finds is what the next service finds, and it is bounded.
pub(crate) fn baggage(bytes: &[u8]) {
    let Some(headers) = headers(&BAGGAGE, bytes) else { return };
    let (found, sent) = passed_on(headers);
    assert!(sent.get_all(&BAGGAGE).iter().count() <= 1);
    assert!(sent.get(&BAGGAGE).is_none_or(|value| value.len() <= LONGEST_BAGGAGE), "{sent:?}");
    assert!(found.len() <= MOST_BAGGAGE, "{}", found.len());
    // The SDK writes a percent sign as it is, and reads what follows it as a byte.
    let has_percent = |(name, value, metadata): &(String, String, String)| {
        [name, value, metadata].iter().any(|text| text.contains('%'))
    };
    if !found.iter().any(has_percent) {
        assert_eq!(passed_on(sent).0, found);
    }
}

/// The header `grpc-timeout`.
pub(crate) fn timeout(bytes: &[u8]) {
    let Some(headers) = headers(&HeaderName::from_static("grpc-timeout"), bytes) else { return };
    let most = Duration::from_secs(99_999_999 * 3_600);
    assert!(grpc_timeout(&headers).is_none_or(|timeout| timeout <= most));
}

/// The variables that a service is set up by, `NAME=value` in a line each: it starts, or says in few words why not.
pub(crate) fn environment(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    // None that names a file, or has the network asked.
    let is_tried = |name: &str| !OUTWARD.iter().any(|word| name.contains(word));
    let pairs = pairs.filter(|(name, _)| is_tried(name));
    let variables: HashMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let setup = Setup::lookup(move |name| match name {
        "OTEL_METRICS_EXPORTER" => Some("none".to_owned()),
        _ => variables.get(name).cloned(),
    });
    match setup.global(false).start() {
        Ok(belvedere) => {
            assert!(belvedere.warnings().iter().all(|warning| warning.len() <= 6 * text.len() + 500));
            assert_eq!(belvedere.shutdown_blocking(Duration::ZERO).lost(), 0);
        }
        Err(error) => assert!(error.to_string().len() <= 6 * text.len() + 500, "{error}"),
    }
}

/// What X-Ray answers about sampling, rules in the first line and targets in the second: a sampler goes on by it.
pub(crate) fn sampling(bytes: &[u8]) {
    let (first, second) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let (rules, targets) = (serde_json::from_slice(first), serde_json::from_slice(second));
    let answers = Answers { rules: rules.unwrap_or_default(), targets: targets.unwrap_or_default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let outbox = Outbox::builder().runtime(tokio::runtime::Handle::current()).start().expect("an outbox");
        let sampler = Sampler::central(answers, Sampler::none(), &outbox);
        let known = sampler::Request::default().host("h:1").method("GET").path("/a/b").service("s");
        for _ in 0..4 {
            let _ = (sampler.sample(&sampler::Request::default()), sampler.sample(&known));
            assert!(sampler.decide(Some(true), &known).sampled);
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
        outbox.shutdown(Duration::from_secs(1)).await;
    });
}

/// An address that is taken is written as it is read, in both forms, and has a host and a port for both protocols.
pub(crate) fn address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = text.parse::<DaemonAddress>();
    let looked_up = DaemonAddress::lookup(|_| Some(text.to_owned()));
    let Ok(address) = read else {
        assert!(
            looked_up.is_err() != text.trim().is_empty(),
            "what is no address is an error, and nothing none"
        );
        return;
    };
    assert_eq!(looked_up.ok().flatten().as_ref(), Some(&address));
    assert_eq!(address.to_string().parse::<DaemonAddress>().ok().as_ref(), Some(&address));
    let apart = format!("udp:{}\ttcp:{}", address.udp(), address.tcp());
    assert_eq!(apart.parse::<DaemonAddress>().ok().as_ref(), Some(&address));
    for part in [address.tcp(), address.udp()] {
        let (host, port) = part.rsplit_once(':').expect("a host and a port");
        assert!(!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0), "{part}");
        assert!(format!("http://{part}/").parse::<http::Uri>().is_ok(), "{part}");
    }
}

/// A rules file is taken or refused with a message that is not too long; one that is taken decides about any request.
pub(crate) fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Sampler::rules(text) {
        Ok(sampler) => {
            let known = sampler::Request::default().host("h:1").method("GET").path("/a/b").service("s");
            let _ = (sampler.sample(&sampler::Request::default()), sampler.sample(&known));
            assert!(sampler.decide(Some(true), &known).sampled);
        }
        Err(error) => assert!(error.is_invalid() && error.to_string().len() < 1_000, "{error}"),
    }
}

/// A document that is read is written as one that reads the same, and its parts fit, and have every id where it was.
pub(crate) fn document(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Document>(bytes) else { return };
    let written = serde_json::to_string(&document).expect("a document can be written");
    let again: Document = serde_json::from_str(&written).expect("what is written can be read");
    let again = serde_json::to_string(&again).expect("a document can be written");
    assert!(are_alike(&value(&written), &value(&again)), "{written}\n{again}");
    for most in [1_000, 65_477] {
        let split = document.split(most);
        let mut found = Vec::new();
        for bytes in &split.documents {
            assert!(bytes.len() <= most, "{} bytes of {most}", bytes.len());
            let part: Document = serde_json::from_slice(bytes).expect("a part can be read");
            assert_eq!(part.trace_id(), document.trace_id());
            found.extend(places(&part));
        }
        let mut expected = places(&document);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

/// A text of any kind is scrubbed in every way and grows within bounds. A password behind it is found, unless it stands in
/// quotes that were open before.
pub(crate) fn scrub(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let scrubber = Scrubber::default().card_numbers();
    let ways = [scrubber.text(&text), scrubber.url(&text), scrubber.query(&text), scrubber.form(&text)];
    let cookies = [scrubber.cookies(&text), scrubber.set_cookie(&text)].map(Cow::Owned);
    for shown in ways.into_iter().chain(cookies) {
        assert!(shown.len() <= 4 * text.len() + 16, "{} of {}", shown.len(), text.len());
    }
    let before = text.replace(['"', '\'', '`', '\\'], " ");
    let shown = scrubber.text(&format!("{before} password=c4n4ry")).into_owned();
    assert!(!shown.contains("c4n4ry"), "{shown}");
    if let Ok(mut json) = serde_json::from_slice::<Value>(bytes) {
        scrubber.json(&mut json);
        assert!(json.to_string().len() <= 6 * text.len() + 16);
    }
}

/// An item that is read is written as one that reads the same.
pub(crate) fn item(bytes: &[u8]) {
    let Ok(item) = serde_json::from_slice::<Item>(bytes) else { return };
    let written = serde_json::to_string(&item).expect("an item can be written");
    let again: Item = serde_json::from_str(&written).expect("what is written can be read");
    let again = serde_json::to_string(&again).expect("an item can be written");
    assert!(are_alike(&value(&written), &value(&again)), "{written}\n{again}");
}

/// What a handler finds as its baggage, and the header that a call of it sends.
fn passed_on(headers: HeaderMap) -> (Vec<(String, String, String)>, HeaderMap) {
    let provider = SdkTracerProvider::builder().build();
    let client = OtelClientLayer::new().tracer_provider(&provider).layer(tower::service_fn(
        async |request: Request<()>| {
            let sent = request.headers().get_all(&BAGGAGE).iter().map(|value| (BAGGAGE, value.clone()));
            let mut response = Response::new(String::new());
            *response.headers_mut() = sent.collect();
            Ok::<_, Infallible>(response)
        },
    ));
    let (tell, told) = std::sync::mpsc::channel();
    let handler = tower::service_fn(move |_: Request<()>| {
        let found = Context::map_current(|context| {
            let entry =
                |(key, (value, metadata)): (&opentelemetry::Key, &(opentelemetry::StringValue, _))| {
                    (key.to_string(), value.to_string(), format!("{metadata:?}"))
                };
            let mut found: Vec<_> = context.baggage().iter().map(entry).collect();
            found.sort();
            found
        });
        tell.send(found).expect("somebody listens");
        client.clone().oneshot(Request::get("http://b.example/").body(()).expect("a request"))
    });
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let served = OtelLayer::new().tracer_provider(&provider).layer(handler).oneshot(request);
    let Ok(response) = served.now_or_never().expect("nobody waits");
    (told.recv().expect("the handler has told"), response.headers().clone())
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).expect("what is written can be read")
}

/// Whether two values are the same, but for the last bits of numbers: serde_json's reader may be off by one of them.
fn are_alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| are_alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let mut both = one.iter().zip(other);
            one.len() == other.len()
                && both.all(|((key, one), (known, other))| key == known && are_alike(one, other))
        }
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= one.abs() * 1e-14,
            _ => one == other,
        },
        _ => one == other,
    }
}

/// Each segment and subsegment, and what it hangs on.
pub(crate) fn places(document: &Document) -> Vec<(u64, Option<u64>)> {
    let (id, parent, inner) = match document {
        Document::Segment(segment) => (segment.entity.id, segment.parent_id, &segment.subsegments[..]),
        Document::Subsegment(own) => {
            (own.subsegment.entity.id, Some(own.parent_id), &own.subsegment.subsegments[..])
        }
    };
    let mut found = vec![(id.to_u64(), parent.map(SpanId::to_u64))];
    let mut rest: Vec<(&Subsegment, u64)> = inner.iter().map(|inner| (inner, id.to_u64())).collect();
    while let Some((next, parent)) = rest.pop() {
        let id = next.entity.id.to_u64();
        found.push((id, Some(parent)));
        rest.extend(next.subsegments.iter().map(|inner| (inner, id)));
    }
    found
}

/// An X-Ray that always answers the same.
struct Answers {
    rules: GetSamplingRulesOutput,
    targets: GetSamplingTargetsOutput,
}

// ===== impl Answers =====

impl SamplingSource for Answers {
    async fn rules(&self, _next_token: Option<&str>) -> Result<GetSamplingRulesOutput, Reason> {
        Ok(self.rules.clone())
    }

    async fn targets(&self, _: &[SamplingStatisticsDocument]) -> Result<GetSamplingTargetsOutput, Reason> {
        Ok(self.targets.clone())
    }
}

/// What a simple reader finds in the header: one that makes a text of it, and takes that apart.
struct Said {
    root: Option<TraceId>,
    parent: Option<SpanId>,
    sampled: Option<Decision>,
}

// ===== impl Said =====

impl Said {
    fn by(value: &[u8]) -> Self {
        let text: String = value.iter().copied().map(char::from).collect();
        let fields: Vec<_> = text.split(';').filter_map(|field| field.split_once('=')).collect();
        let values = |name: &'static str| {
            let of = move |(key, _): &&(&str, &str)| trimmed(key).eq_ignore_ascii_case(name);
            fields.iter().filter(of).map(|(_, value)| trimmed(value))
        };
        Self {
            root: values("root").find_map(root),
            parent: values("parent").find_map(parent),
            sampled: values("sampled").find_map(|value| match value {
                "0" => Some(Decision::No),
                "1" => Some(Decision::Yes),
                "?" => Some(Decision::Ask),
                _ => None,
            }),
        }
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\x0c'])
}

fn root(value: &str) -> Option<TraceId> {
    let [version, seconds, rest] = value.split('-').collect::<Vec<_>>().try_into().ok()?;
    (version == "1" && seconds.len() == 8 && rest.len() == 24).then_some(())?;
    is_hex(seconds).then_some(())?;
    is_hex(rest).then_some(())?;
    TraceId::new(u128::from_str_radix(&format!("{seconds}{rest}"), 16).ok()?)
}

fn parent(value: &str) -> Option<SpanId> {
    (value.len() == 16 && is_hex(value)).then_some(())?;
    SpanId::new(u64::from_str_radix(value, 16).ok()?)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The lines as headers of one name; `None` if one can be none.
fn headers(name: &HeaderName, bytes: &[u8]) -> Option<HeaderMap> {
    let lines = bytes.split(|byte| *byte == b'\n').take(100);
    lines.map(|line| Some((name.clone(), HeaderValue::from_bytes(line).ok()?))).collect()
}

/// The lines that are headers of these names: `name: value`.
fn named(bytes: &[u8], names: &[&'static str]) -> HeaderMap {
    let lines = bytes.split(|byte| *byte == b'\n').take(100);
    let header = |line: &[u8]| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(": ")?;
        let name = names.iter().find(|known| known.eq_ignore_ascii_case(name))?;
        Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(header) {
        headers.append(name, value);
    }
    headers
}

const B3: [&str; 6] =
    ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"];

const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

const OUTWARD: [&str; 6] = ["CERTIFICATE", "CHECK", "CLIENT_KEY", "DETECTORS", "PLUGINS", "SAMPLING_RULES"];

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// <https://www.w3.org/TR/baggage/#limits>; each byte may take three as it is written.
const LONGEST_BAGGAGE: usize = 3 * 8_192;
const MOST_BAGGAGE: usize = 180;

/// Two ids, a decision and a parent.
const LONGEST_B3: usize = 68;

/// Root, parent, decision, and 256 bytes of others.
const LONGEST_SENT: usize = 350;
