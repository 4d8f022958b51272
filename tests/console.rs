//! The console, over real sockets, and in a real browser where there is one.

#![cfg(feature = "console")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use belvedere::console::Console;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::time::Instant;

#[path = "support/console.rs"]
mod page;
#[path = "support/webdriver.rs"]
mod webdriver;

use page::{Answer, Events, any, get, get_head, send, start};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const ID: &str = "6b003f3afb249ace0123456789abcdef";

// ===== what is received =====

#[tokio::test]
async fn spans_in_protobuf_are_listed() {
    let console = start();
    let answer = post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, &b""[..]));
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    let page = get(&console, "/").await.text();
    for shown in ["/api/activities/home", "GET", "200", "backend-flask", "12.4", ID] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn spans_in_json_are_listed() {
    let console = start();
    let answer = post(&console, &[("content-type", "application/json; charset=utf-8")], FROM_A_BROWSER).await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "{}"));
    assert_eq!(answer.header("content-type"), "application/json");
    let page = get(&console, "/r/5b8efff798038103d269b633813fc60c").await.text();
    for shown in ["frontend-react", "HTTP GET", "fetchStart", "at_double", "0.25", "documentLoad"] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn json_that_is_a_little_wrong_is_read() {
    let console = start();
    let spans = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":null,
        "name":"tolerated","kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"},"links":null}"#;
    let body = format!(r#"{{"resourceSpans":[{{"resource":null,"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    assert_eq!(post(&console, &[JSON], body).await.status, StatusCode::OK);
    assert!(get(&console, "/").await.text().contains("tolerated"));
}

#[tokio::test]
async fn packed_bodies_are_unpacked() {
    let console = start();
    let packed = gzip(&home(ID, "backend-flask").encode_to_vec());
    assert_eq!(post(&console, &[PROTOBUF, GZIP], packed).await.status, StatusCode::OK);
    assert_eq!(post(&console, &[JSON, GZIP], gzip(FROM_A_BROWSER.as_bytes())).await.status, StatusCode::OK);
    let page = get(&console, "/").await.text();
    assert!(page.contains(ID) && page.contains("5b8efff798038103d269b633813fc60c"));
}

#[tokio::test]
async fn garbage_is_refused_by_name() {
    let console = start();
    let answer = post(&console, &[PROTOBUF], vec![0xff; 64]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let status = Status::decode(answer.body.as_slice()).expect("a google.rpc.Status");
    assert_eq!(status.code, 3);
    assert!(status.message.contains("not an OTLP request"), "{}", status.message);

    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"123"}]}]}]}"#;
    let answer = post(&console, &[JSON], body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("resourceSpans[0].scopeSpans[0].spans[0]"), "{}", answer.text());

    assert_eq!(post(&console, &[PROTOBUF, GZIP], "not packed").await.status, StatusCode::BAD_REQUEST);
    let page = get(&console, "/").await.text();
    assert!(page.contains("has refused what came") && page.contains("not gzip"));
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let console = start();
    let bomb = gzip(&vec![0; 65 << 20]);
    assert!(bomb.len() < 100_000);
    assert_eq!(post(&console, &[PROTOBUF, GZIP], bomb).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let answer = post(&console, &[PROTOBUF], vec![0; 17 << 20]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(Status::decode(answer.body.as_slice()).expect("a google.rpc.Status").code, 8);
}

#[tokio::test]
async fn what_is_small_and_becomes_large_is_refused_at_once() {
    let console = start();
    let objects = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(5 << 20));
    for (kind, bomb) in [(PROTOBUF, gzip(&b"\x0a\x00".repeat(31 << 20))), (JSON, gzip(objects.as_bytes()))] {
        assert!(bomb.len() < 100_000);
        let (began, headers) = (Instant::now(), [kind, GZIP]);
        let (answer, page) = tokio::join!(post(&console, &headers, bomb), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let asked = Instant::now();
            get(&console, "/").await;
            asked.elapsed()
        });
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(page < Duration::from_secs(1), "pages are answered meanwhile: {page:?}");
    }
}

#[tokio::test]
async fn ten_thousand_spans_at_once_are_taken() {
    let console = start();
    let mut request = home(ID, "backend-flask");
    let span = request.resource_spans[0].scope_spans[0].spans[0].clone();
    let attributes: Vec<_> = (0..10).map(|number| text(&format!("key.{number}"), "a value")).collect();
    let spans = (1..=10_000_u64).map(|id| Span {
        span_id: id.to_be_bytes().to_vec(),
        attributes: attributes.clone(),
        ..span.clone()
    });
    request.resource_spans[0].scope_spans[0].spans = spans.collect();
    let json = gzip(&serde_json::to_vec(&request).expect("JSON"));
    let protobuf = gzip(&request.encode_to_vec());
    for (kind, body) in [(PROTOBUF, protobuf), (JSON, json)] {
        assert_eq!(post(&console, &[kind, GZIP], body).await.status, StatusCode::OK);
        assert!(get(&console, &format!("/r/{ID}")).await.text().contains("10000 spans"));
    }
}

#[tokio::test]
async fn ten_thousand_resources_in_one_trace_take_no_time() {
    let console = start();
    let mut request = home(ID, "backend-flask");
    let one = request.resource_spans.remove(0);
    let shared: Vec<_> = (0..20).map(|number| text(&format!("host.fact.{number}"), "a value")).collect();
    request.resource_spans = (1..=10_000_u64)
        .map(|id| {
            let mut one = one.clone();
            let attributes = &mut one.resource.as_mut().expect("a resource").attributes;
            attributes.extend(shared.iter().cloned().chain([text("pod", &id.to_string())]));
            one.scope_spans[0].spans.truncate(1);
            one.scope_spans[0].spans[0].span_id = id.to_be_bytes().to_vec();
            one
        })
        .collect();
    let (packed, began) = (gzip(&request.encode_to_vec()), Instant::now());
    assert_eq!(post(&console, &[PROTOBUF, GZIP], packed).await.status, StatusCode::OK);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(get(&console, &format!("/r/{ID}")).await.text().contains("10000 spans"));
}

#[tokio::test]
async fn what_is_not_spoken_is_refused() {
    let console = start();
    for headers in [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/grpc")]] {
        assert_eq!(post(&console, headers, "x").await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let answer = post(&console, &[JSON, ("content-encoding", "zstd")], "x").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = get(&console, "/v1/traces").await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST, OPTIONS"));
    let answer = send(&console, Method::DELETE, "/", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}

#[tokio::test]
async fn logs_and_metrics_do_not_fail_their_exporter() {
    let console = start();
    for path in ["/v1/logs", "/v1/metrics"] {
        let answer = send(&console, Method::POST, path, &[PROTOBUF], "anything").await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    }
    assert!(get(&console, "/").await.text().contains("logs or metrics"));
}

#[tokio::test]
async fn spans_without_proper_ids_are_counted_as_rejected() {
    let console = start();
    let mut request = home(ID, "backend-flask");
    request.resource_spans[0].scope_spans[0].spans[1].span_id = vec![0; 8];
    let answer = post(&console, &[PROTOBUF], request.encode_to_vec()).await;
    let partial =
        ExportTraceServiceResponse::decode(answer.body.as_slice()).expect("an answer").partial_success;
    assert_eq!(partial.map(|partial| partial.rejected_spans), Some(1));
    assert!(get(&console, &format!("/r/{ID}")).await.text().contains("1 span<"));
}

// ===== what is kept =====

#[tokio::test]
async fn the_oldest_trace_goes_first() {
    let console = Console::builder().address(any()).memory(200_000).start().expect("a console");
    for number in 1..=400 {
        let answer =
            post(&console, &[PROTOBUF], home(&format!("{number:032x}"), "backend-flask").encode_to_vec())
                .await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(get(&console, &format!("/r/{:032x}", 1)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&console, &format!("/r/{:032x}", 400)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_late_span_joins_its_trace() {
    let console = start();
    let mut early = home(ID, "backend-flask");
    let root = early.resource_spans[0].scope_spans[0].spans.remove(0);
    post(&console, &[PROTOBUF], early.encode_to_vec()).await;
    let page = get(&console, &format!("/r/{ID}")).await.text();
    assert!(page.contains("home-activities-mock-data") && page.contains("its first span is elsewhere"));

    let mut late = home(ID, "backend-flask");
    late.resource_spans[0].scope_spans[0].spans = vec![root];
    post(&console, &[PROTOBUF], late.encode_to_vec()).await;
    let page = get(&console, &format!("/r/{ID}")).await.text();
    assert!(page.contains("2 spans") && !page.contains("its first span is elsewhere"));
    let list = get(&console, "/").await.text();
    assert_eq!(list.matches(&format!("id=\"t-{ID}\"")).count(), 1);
}

#[tokio::test]
async fn the_raw_trace_can_be_posted_again() {
    let console = start();
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    let raw = get(&console, &format!("/r/{ID}.json")).await;
    assert_eq!(raw.header("content-type"), "application/json");
    let other = start();
    assert_eq!(post(&other, &[JSON], raw.body.clone()).await.status, StatusCode::OK);
    assert_eq!(get(&other, &format!("/r/{ID}.json")).await.text(), raw.text());
}

// ===== what is shown =====

#[tokio::test]
async fn what_telemetry_says_is_escaped() {
    let console = start();
    let evil = "<script>alert(1)</script><img src=x onerror='alert(1)'>\"";
    let mut request = home(ID, evil);
    for span in &mut request.resource_spans[0].scope_spans[0].spans {
        span.name = evil.to_owned();
        span.attributes = vec![text(evil, evil), text("http.request.method", evil), text("url.path", evil)];
        span.events = vec![opentelemetry_proto::tonic::trace::v1::span::Event {
            name: evil.to_owned(),
            attributes: vec![text(evil, &format!("{evil}\n{evil}"))],
            ..Default::default()
        }];
    }
    let mut events = Events::listen(&console, "/events", &[]).await;
    post(&console, &[PROTOBUF], request.encode_to_vec()).await;
    let row = events.next("rows").await;
    let quoted = get(&console, "/?q=%3Cscript%3E%22").await.text();
    for page in
        [get(&console, "/").await.text(), get(&console, &format!("/r/{ID}")).await.text(), row, quoted]
    {
        assert!(page.contains("&lt;script&gt;"));
        assert!(!page.contains("<script>") && !page.contains("<img"));
    }
}

#[tokio::test]
async fn credentials_are_not_shown() {
    let console = start();
    let mut request = home(ID, "backend-flask");
    request.resource_spans[0].scope_spans[0].spans[0].attributes.extend([
        text("http.request.header.x-honeycomb-team", "hcaik_secret"),
        text("http.request.header.authorization", "Bearer hcaik_secret"),
    ]);
    post(&console, &[PROTOBUF, ("x-honeycomb-team", "hcaik_secret")], request.encode_to_vec()).await;
    for path in ["/".to_owned(), format!("/r/{ID}"), format!("/r/{ID}.json")] {
        assert!(!get(&console, &path).await.text().contains("hcaik_secret"), "{path}");
    }
}

#[tokio::test]
async fn any_spelling_of_an_id_leads_to_its_trace() {
    let console = start();
    let spellings = [
        "6B003F3AFB249ACE0123456789ABCDEF",
        "1-6b003f3a-fb249ace0123456789abcdef",
        "00-6b003f3afb249ace0123456789abcdef-00f067aa0ba902b7-01",
        "Root=1-6b003f3a-fb249ace0123456789abcdef%3BParent=53995c3f42cd8ad8%3BSampled=1",
    ];
    for spelling in spellings {
        let answer = get(&console, &format!("/?q={spelling}")).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, &*format!("/r/{ID}")));
    }
    let answer = get(&console, "/r/1-6b003f3a-fb249ace0123456789abcdef").await;
    assert_eq!(answer.header("location"), format!("/r/{ID}"));
}

#[tokio::test]
async fn the_list_can_be_narrowed() {
    let console = start();
    let mut crash = home(&"a".repeat(32), "backend-flask");
    crash.resource_spans[0].scope_spans[0].spans[0].attributes =
        vec![text("http.response.status_code", "500")];
    crash.resource_spans[0].scope_spans[0].spans[0].name = "crash".to_owned();
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    post(&console, &[PROTOBUF], crash.encode_to_vec()).await;
    let found = async |query: &str| {
        let page = get(&console, query).await.text();
        (page.contains(&format!("t-{ID}")), page.contains(&format!("t-{}", "a".repeat(32))))
    };
    assert_eq!(found("/").await, (true, true));
    assert_eq!(found("/?errors=1").await, (false, true));
    assert_eq!(found("/?q=ANDREWbrown").await, (true, true));
    assert_eq!(found("/?q=activities%2Fhome").await, (true, false));
    assert_eq!(found("/?q=nowhere").await, (false, false));
    assert_eq!(found("/?before=1").await, (true, false));
}

#[tokio::test]
async fn an_unknown_trace_is_waited_for() {
    let console = start();
    let page = get(&console, &format!("/r/{ID}")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text().contains("Not here yet") && page.text().contains("http-equiv=\"refresh\""));
    let mut events = Events::listen(&console, &format!("/events?trace={ID}"), &[]).await;
    post(&console, &[PROTOBUF], home(&"b".repeat(32), "another").encode_to_vec()).await;
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    assert!(events.next("trace").await.contains(ID));
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_form_that_was_asked_for() {
    let console = start();
    let answer = get(&console, "/nowhere").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text().contains("No such page"));
    let answer = send(&console, Method::GET, "/nowhere", &[("accept", "application/json")], "").await;
    assert_eq!(answer.text(), r#"{"error":"not found"}"#);
    assert_eq!(get(&console, &format!("/r/{ID}.json")).await.text(), r#"{"error":"not found"}"#);
}

#[tokio::test]
async fn an_empty_list_says_where_to_point_an_exporter() {
    let console = start();
    let page = get(&console, "/").await.text();
    assert!(page.contains("no exporter has sent anything"));
    assert!(page.contains(&format!("OTEL_EXPORTER_OTLP_ENDPOINT={}", console.otlp_endpoint())));
}

#[tokio::test]
async fn pages_are_small_and_run_nothing_of_others() {
    let console = start();
    for number in 1..=100 {
        post(&console, &[PROTOBUF], home(&format!("{number:032x}"), "backend-flask").encode_to_vec()).await;
    }
    let page = get(&console, "/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let html = page.text();
    assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains("http://www.google"));
    let mut weight = html.len();
    for link in html.split('"').filter(|link| link.starts_with("/belvedere.")) {
        let asset = get(&console, link).await;
        assert_eq!(asset.status, StatusCode::OK, "{link}");
        assert!(asset.header("cache-control").contains("immutable"));
        weight += asset.body.len();
    }
    assert!(weight < 104_000, "{weight}");
}

#[tokio::test]
async fn a_head_request_gets_the_head_alone() {
    let console = start();
    for path in ["/", "/nowhere", &format!("/r/{ID}")] {
        let (get, head) = (get(&console, path).await, send(&console, Method::HEAD, path, &[], "").await);
        assert_eq!((head.status, head.body.len()), (get.status, 0));
        assert_eq!(head.header("content-length"), get.body.len().to_string());
    }
}

#[tokio::test]
async fn why_a_span_has_failed_stands_above_its_attributes() {
    let console = start();
    let mut request = home(ID, "backend-flask");
    let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
    let status = opentelemetry_proto::tonic::trace::v1::Status { code: 2, message: String::new() };
    span.status = Some(status);
    span.events = vec![opentelemetry_proto::tonic::trace::v1::span::Event {
        name: "exception".to_owned(),
        attributes: vec![text("exception.type", "panic"), text("exception.message", "the button")],
        ..Default::default()
    }];
    post(&console, &[PROTOBUF], request.encode_to_vec()).await;
    let page = get(&console, &format!("/r/{ID}")).await.text();
    assert!(page.contains("<b>Error</b>: the button"), "{page}");
    let (above, below) = page.split_once("<h3>Attributes").expect("attributes");
    assert!(above.contains("exception.message") && !below.contains("exception.message"));
}

#[tokio::test]
async fn a_span_until_the_end_of_time_is_shown() {
    let console = start();
    let mut request = home(ID, "backend-flask");
    let spans = &mut request.resource_spans[0].scope_spans[0].spans;
    (spans[0].start_time_unix_nano, spans[0].end_time_unix_nano) = (1, u64::MAX);
    spans[1].start_time_unix_nano = u64::MAX;
    spans[1].end_time_unix_nano = 0;
    post(&console, &[PROTOBUF], request.encode_to_vec()).await;
    for path in ["/".to_owned(), format!("/r/{ID}"), format!("/r/{ID}.json")] {
        assert_eq!(get(&console, &path).await.status, StatusCode::OK, "{path}");
    }
}

// ===== what is told =====

#[tokio::test]
async fn a_row_is_told_when_it_arrives() {
    let console = start();
    let mut events = Events::listen(&console, "/events", &[]).await;
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    let told = events.next("rows").await;
    assert!(told.contains(ID) && told.contains("/api/activities/home") && told.contains("skyline"));
}

#[tokio::test]
async fn what_was_missed_is_told_again() {
    let console = start();
    let mut events = Events::listen(&console, "/events", &[]).await;
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    let seen = events.next("rows").await;
    let seen = seen.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    drop(events);
    let missed = "c".repeat(32);
    post(&console, &[PROTOBUF], home(&missed, "backend-flask").encode_to_vec()).await;
    let mut events = Events::listen(&console, "/events", &[("last-event-id", &seen)]).await;
    let told = events.next("rows").await;
    assert!(told.contains(&format!("t-{missed}")) && !told.contains(&format!("t-{ID}")));

    let mut stranger = Events::listen(&console, "/events?after=1-1", &[]).await;
    stranger.next("reset").await;
}

#[tokio::test]
async fn a_page_that_claims_to_have_seen_the_future_is_told_nothing() {
    let console = start();
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    let page = get(&console, "/").await.text();
    let (_, rest) = page.split_once("after=").expect("an address to listen at");
    let (epoch, _) = rest.split_once('-').expect("an event's id");
    let future = format!("/events?after={epoch}-{}", u64::MAX);
    let mut events = Events::listen(&console, &future, &[]).await;
    post(&console, &[PROTOBUF], home(&"c".repeat(32), "backend-flask").encode_to_vec()).await;
    assert!(events.next("rows").await.contains(&"c".repeat(32)), "it goes on from now");
}

#[tokio::test]
async fn no_more_than_so_many_pages_listen() {
    let console = start();
    let mut listening = Vec::new();
    for _ in 0..32 {
        listening.push(Events::listen(&console, "/events", &[]).await);
    }
    assert_eq!(get(&console, "/events").await.status, StatusCode::SERVICE_UNAVAILABLE);
    listening.clear();
    let freed = async || while get_head(&console, "/events").await != StatusCode::OK {};
    tokio::time::timeout(Duration::from_secs(5), freed()).await.expect("places are free again");
}

// ===== who may ask =====

#[tokio::test]
async fn a_rebound_name_reads_and_writes_nothing() {
    let console = start();
    for path in ["/", "/events", "/v1/traces"] {
        let answer = send(&console, Method::GET, path, &[("host", "evil.example:7676")], "").await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
        assert!(answer.text().contains(".host("));
    }
    for host in ["localhost", "localhost:99", "[::1]:7676", "127.0.0.1"] {
        assert_eq!(
            send(&console, Method::GET, "/", &[("host", host)], "").await.status,
            StatusCode::OK,
            "{host}"
        );
    }
    let named = Console::builder().address(any()).host("my-laptop.local").start().expect("a console");
    let answer = send(&named, Method::GET, "/", &[("host", "my-laptop.local:1234")], "").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_this_machine_may_post_and_a_foreign_one_may_not() {
    let console = start();
    let local =
        [("origin", "http://localhost:3000"), ("access-control-request-headers", "content-type,traceparent")];
    let answer = send(&console, Method::OPTIONS, "/v1/traces", &local, "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type,traceparent");
    let answer = post(&console, &[JSON, local[0]], FROM_A_BROWSER).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (StatusCode::OK, "http://localhost:3000")
    );
    for foreign in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        assert_eq!(post(&console, &[JSON, foreign], FROM_A_BROWSER).await.status, StatusCode::FORBIDDEN);
    }
}

#[test]
fn a_taken_port_is_an_error_only_where_it_was_asked_for() {
    let (first, second) = (Console::builder().start(), Console::builder().start());
    let (first, second) = (first.expect("a console"), second.expect("another"));
    assert_ne!(first.address(), second.address());
    let error = Console::builder().address(first.address()).start().expect_err("taken");
    assert!(error.is_io() && error.to_string().contains(&first.address().to_string()), "{error}");
}

#[test]
fn other_machines_are_let_in_only_where_that_was_asked_for() {
    let everywhere = "0.0.0.0:0".parse().expect("an address");
    let error = Console::builder().address(everywhere).start().expect_err("not a loopback address");
    assert!(error.is_invalid() && error.to_string().contains("beyond_loopback"), "{error}");
    let console = Console::builder().address(everywhere).beyond_loopback().start().expect("a console");
    assert_eq!(console.otlp_endpoint(), format!("http://127.0.0.1:{}", console.address().port()));
}

#[test]
fn it_runs_without_a_runtime_and_stops_when_dropped() {
    let console = start();
    assert_eq!(console.url(), format!("http://{}/", console.address()));
    let mut stream = TcpStream::connect(console.address()).expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    let address = console.address();
    drop(console);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_endless_head_is_refused() {
    let console = start();
    let mut stream = TcpStream::connect(console.address()).expect("a connection");
    let _ = write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 431");
}

// ===== in a browser =====

#[tokio::test]
async fn a_browser_shows_a_request_as_it_arrives() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    let console = start();
    browser.go(&console.url()).await;
    browser.until("return document.getElementById('pause').dataset.state === 'live'").await;
    browser.run("window.stayed = true").await;

    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    browser.until(&format!("return document.getElementById('t-{ID}') !== null")).await;
    assert_eq!(browser.run("return window.stayed").await, true);
    assert_eq!(browser.run("return document.getElementById('empty')").await, serde_json::Value::Null);

    browser.press("p").await;
    post(&console, &[PROTOBUF], home(&"d".repeat(32), "backend-flask").encode_to_vec()).await;
    browser.until("return document.getElementById('fresh').textContent === '1 new'").await;
    browser.press("p").await;
    browser.until("return document.querySelectorAll('#rows > tr').length === 2").await;

    browser.click(&format!("#t-{ID} a")).await;
    browser.until("return location.pathname.startsWith('/r/')").await;
    browser.until("return document.querySelectorAll('#spans > li').length === 2").await;
    browser.click("#spans > li:nth-child(2) summary").await;
    let panel = browser.until("return document.querySelector('#panel .facts').innerText").await;
    let panel = panel.as_str().expect("a text");
    for shown in ["home-activities-mock-data", "app.result_length", "andrewbrown", "int", "first byte"] {
        assert!(panel.contains(shown), "{shown}: {panel}");
    }
    browser.press("k").await;
    browser.until("return document.querySelector('#panel h2').textContent.startsWith('GET ')").await;

    // A span that comes now joins the page, which is not loaded again.
    browser.run("window.stayed = true").await;
    let mut late = home(ID, "backend-flask");
    late.resource_spans[0].scope_spans[0].spans.truncate(1);
    late.resource_spans[0].scope_spans[0].spans[0].span_id = vec![9; 8];
    post(&console, &[PROTOBUF], late.encode_to_vec()).await;
    browser.until("return document.querySelectorAll('#spans > li').length === 3").await;
    assert_eq!(browser.run("return window.stayed").await, true);

    assert_eq!(browser.complaints().await, Vec::<String>::new());
    let asked = browser.requests().await;
    assert!(asked.len() > 4, "{asked:?}");
    assert!(asked.iter().all(|url| url.starts_with(&console.url())), "{asked:?}");
}

#[tokio::test]
async fn a_browser_opens_a_trace_when_it_arrives() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    let console = start();
    browser.go(&format!("{}r/{ID}", console.url())).await;
    browser.until("return document.querySelector('h1').textContent === 'Not here yet'").await;
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    browser.until("return document.querySelectorAll('#spans > li').length === 2").await;
}

#[tokio::test]
async fn a_browser_s_panel_makes_room_where_there_is_none() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    let console = start();
    post(&console, &[PROTOBUF], home(ID, "backend-flask").encode_to_vec()).await;
    browser.go(&format!("{}r/{ID}", console.url())).await;
    browser.until("return document.getElementById('panel').hidden === false").await;
    browser.resize(480, 800).await;
    browser.until("return document.getElementById('panel').hidden").await;
    browser.until("return document.querySelector('#spans .facts').offsetHeight > 0").await;
    let overlap = "const shown = [...document.querySelectorAll('.ticks text')]
        .map((text) => text.getBoundingClientRect()).filter((box) => box.width > 0);
        return shown.length < 2 || shown.some((box, at) => at > 0 && box.left < shown[at - 1].right + 2);";
    assert_eq!(browser.run(overlap).await, false, "the figures of the axis have room");
    browser.resize(1280, 800).await;
    browser.until("return document.getElementById('panel').hidden === false").await;
}

// ===== support =====

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

async fn post(console: &Console, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    send(console, Method::POST, "/v1/traces", headers, body).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// The home feed of the demo: a server span of 12.4 ms and the span of its handler.
fn home(trace: &str, service: &str) -> ExportTraceServiceRequest {
    let trace_id = u128::from_str_radix(trace, 16).expect("an id").to_be_bytes().to_vec();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let start = u64::try_from(now.as_nanos()).expect("before 2554");
    let server = Span {
        trace_id: trace_id.clone(),
        span_id: vec![1; 8],
        name: "GET /api/activities/home".to_owned(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 12_400_000,
        attributes: vec![
            text("http.request.method", "GET"),
            text("url.path", "/api/activities/home"),
            attribute("http.response.status_code", Value::IntValue(200)),
        ],
        ..Span::default()
    };
    let handler = Span {
        trace_id,
        span_id: vec![2; 8],
        parent_span_id: vec![1; 8],
        name: "home-activities-mock-data".to_owned(),
        kind: 1,
        start_time_unix_nano: start + 1_000_000,
        end_time_unix_nano: start + 9_000_000,
        attributes: vec![
            text("app.user_id", "andrewbrown"),
            attribute("app.result_length", Value::IntValue(3)),
        ],
        events: vec![opentelemetry_proto::tonic::trace::v1::span::Event {
            name: "first byte".to_owned(),
            time_unix_nano: start + 4_000_000,
            ..Default::default()
        }],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![server, handler], ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes: vec![text("service.name", service)], ..Resource::default() });
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..Default::default() }],
    }
}

/// The shape in which the JavaScript SDK writes: times as texts, ids as hex, numbers as numbers.
const FROM_A_BROWSER: &str = r#"{
  "resourceSpans": [{
    "resource": { "droppedAttributesCount": 0, "attributes": [
      { "key": "service.name", "value": { "stringValue": "frontend-react" } },
      { "key": "process.command_args", "value": { "arrayValue": { "values": [{ "stringValue": "vite" }] } } }
    ] },
    "scopeSpans": [{
      "scope": { "name": "@opentelemetry/instrumentation-fetch", "version": "0.223.0" },
      "spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "parentSpanId": "eee19b7ec3c1b173",
        "name": "HTTP GET", "kind": 3, "flags": 257,
        "startTimeUnixNano": "1795179604112000000", "endTimeUnixNano": "1795179604124400000",
        "attributes": [
          { "key": "http.url", "value": { "stringValue": "http://localhost:4567/api/activities/home?term=1" } },
          { "key": "http.status_code", "value": { "intValue": 200 } },
          { "key": "at_double", "value": { "doubleValue": 0.25 } },
          { "key": "is_bool", "value": { "boolValue": true } }
        ],
        "droppedAttributesCount": 0,
        "events": [{ "name": "fetchStart", "timeUnixNano": "1795179604113000000", "attributes": [], "droppedAttributesCount": 0 }],
        "droppedEventsCount": 0, "status": { "code": 0 }, "links": [], "droppedLinksCount": 0
      }, {
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B173",
        "name": "documentLoad", "kind": 1,
        "startTimeUnixNano": 1795179604100000000, "endTimeUnixNano": 1795179604200000000
      }]
    }]
  }]
}"#;
