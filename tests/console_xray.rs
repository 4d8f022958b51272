//! The console as an X-Ray daemon: over real sockets, from the crate's own lanes, and in a real browser where there is
//! one.

#![cfg(all(feature = "console", feature = "xray"))]

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use belvedere::aws::{Client, Region, Service};
use belvedere::console::Console;
use belvedere::outbox::Outbox;
use belvedere::xray::{Api, Daemon, DaemonAddress, Sampler, SegmentLane, XRayLayer};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[path = "support/console.rs"]
mod page;
#[path = "support/webdriver.rs"]
mod webdriver;

use page::{Answer, Events, any, get, send};

const ID: &str = "6b003f3afb249ace0123456789abcdef";
const XRAY_ID: &str = "1-6b003f3a-fb249ace0123456789abcdef";
const HEADER: &str = "{\"format\":\"json\",\"version\":1}\n";

// ===== by datagram =====

#[tokio::test]
async fn a_segment_alone_is_a_request() {
    let console = daemon();
    tell(&console, &crash());
    let list = until(&console, "/", ID).await;
    for shown in ["POST", "/api/messages", "500", "class=\"row failed\"", "backend-flask", "1 segment"] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    let page = get(&console, &format!("/r/{ID}")).await.text();
    for shown in [
        XRAY_ID,
        "backend-flask",
        "load-user",
        "users.example.com",
        "fault",
        "throttle",
        "error",
        "remote",
        "OrderError",
        "order 42 is broken",
        "caused by",
        "KeyError",
        "handler (app.py:78)",
        "andrewbrown",
        "AWS::EC2::Instance",
        "xray.sampling_rule_name",
        "Cruddur",
        "request.method",
        "user_id",
        "Metadata, orders",
        "sanitized_query",
        "Raw JSON",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("aria-label=\"Waterfall\"") && !page.contains("OTLP JSON"));
}

#[tokio::test]
async fn headers_are_taken_as_the_daemon_takes_them() {
    let console = daemon();
    let (mut taken, mut dropped) = (Vec::new(), Vec::new());
    for (number, (is_taken, header)) in [
        (true, "{\"format\": \"json\", \"version\": 1}\n"),
        (true, "{\"format\":\"JSON\",\"version\":1}\n"),
        (true, "{\"format\":\"json\",\"version\":1,\"more\":true}\n"),
        (true, "{\"format\":\"json\",\"version\":1}\r\n"),
        (false, "{\"format\":\"json\",\"version\":2}\n"),
        (false, "{\"format\":\"json\",\"version\":\"1\"}\n"),
        (false, "hello\n"),
        (false, "{\"format\":\"json\",\"version\":1}"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("{:032x}", number + 1);
        tell_raw(&console, format!("{header}{}", plain(&id, "probe")).as_bytes());
        if is_taken { taken.push(id) } else { dropped.push(id) }
    }
    tell(&console, &json_of(&plain(&"f".repeat(32), "last")));
    let list = until(&console, "/", &"f".repeat(32)).await;
    assert!(taken.iter().all(|id| list.contains(&format!("t-{id}"))));
    assert!(!dropped.iter().any(|id| list.contains(&format!("t-{id}"))));
}

#[tokio::test]
async fn the_largest_datagram_is_taken() {
    let console = daemon();
    let mut document = json_of(&plain(ID, "large"));
    let room = 65_507 - HEADER.len() - document.to_string().len();
    document["name"] = json!(format!("large{}", "n".repeat(room)));
    let datagram = format!("{HEADER}{document}");
    assert_eq!(datagram.len(), 65_507);
    tell_raw(&console, datagram.as_bytes());
    until(&console, "/", ID).await;
}

#[tokio::test]
async fn what_came_alone_finds_its_place_in_any_order() {
    let step = |id: u64, parent: &str, name: &str| {
        json!({ "trace_id": XRAY_ID, "id": format!("{id:016x}"), "parent_id": parent, "type": "subsegment", "name": name,
            "start_time": 1_795_177_910.5, "end_time": 1_795_177_910.6 })
    };
    let mut documents = vec![
        json!({ "trace_id": XRAY_ID, "id": "45faa8b1421f30d5", "name": "shop", "start_time": 1_795_177_910.0, "in_progress": true }),
        step(0xb1, "45faa8b1421f30d5", "step-one"),
        step(0xb2, "00000000000000b1", "step-two"),
        json!({ "trace_id": XRAY_ID, "id": "45faa8b1421f30d5", "name": "shop", "start_time": 1_795_177_910.0, "end_time": 1_795_177_911.0,
            "http": { "response": { "status": 204 } } }),
    ];
    for _ in 0..2 {
        let console = daemon();
        for document in &documents {
            tell(&console, document);
        }
        let path = format!("/r/{ID}");
        for last in ["step-one", "step-two"] {
            until(&console, &path, last).await;
        }
        let page = until(&console, &path, "204").await;
        let places =
            ["shop", "step-one", "step-two"].map(|name| page.find(&format!("title\">{name}<")).expect(name));
        assert!(places.is_sorted(), "{places:?}");
        assert!(page.contains("1 segment<") && page.contains("204") && !page.contains("in progress"));
        assert_eq!(page.matches("<li class=\"segment").count(), 3);
        documents.reverse();
    }
}

#[tokio::test]
async fn documents_of_other_sdks_are_shown() {
    let console = daemon();
    for name in [
        "19-sub-error-bubbles",
        "28-many-45.0",
        "28-many-45.2",
        "26-aws-error",
        "guide-everything",
        "java-cause-chain",
    ] {
        let path = format!("{}/tests/golden/xray/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let document = json_of(&fs::read_to_string(path).expect("a golden document"));
        tell(&console, &document);
        let id = document["trace_id"].as_str().expect("an id").replace('-', "").split_off(1);
        until(&console, &format!("/r/{id}"), document["id"].as_str().expect("an id")).await;
    }
    let page = get(&console, "/r/6b009400deea796f0a423d6341c67082").await.text();
    assert!(page.contains("recorded on"), "an exception that was passed on is named where it was");
    assert!(page.contains("#x-b86ff4304e4f041b"), "and linked");
}

#[tokio::test]
async fn garbage_is_shown_nowhere() {
    let console = daemon();
    let deep = format!(
        "{{\"trace_id\":\"{XRAY_ID}\",\"id\":\"45faa8b1421f30d5\",\"metadata\":{}",
        "{\"a\":".repeat(10_000)
    );
    for body in
        ["", "rubbish", "{{{ nope", "[]", "{\"trace_id\":1}", &deep, &"[".repeat(60_000), "\u{0}\u{1}"]
    {
        tell_raw(&console, format!("{HEADER}{body}").as_bytes());
    }
    tell_raw(&console, &[0xff; 2_000]);
    tell_raw(&console, b"");
    let list = until(&console, "/", "10</b> times").await;
    assert!(list.contains("no document that it takes") && !list.contains("rubbish"));
}

#[tokio::test]
async fn pages_are_answered_during_a_flood() {
    let console = daemon();
    let address = console.xray_daemon().expect("an address").to_owned();
    let flood = std::thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let wide = format!(
            "{HEADER}{{\"trace_id\":\"{XRAY_ID}\",\"id\":\"45faa8b1421f30d5\",\"m\":[{}0]}}",
            "{\"a\":0},".repeat(8_000)
        );
        for _ in 0..3_000 {
            let _ = socket.send_to(wide.as_bytes(), &address);
        }
    });
    while !flood.is_finished() {
        let asked = tokio::time::Instant::now();
        get(&console, "/").await;
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    flood.join().expect("no panic");
}

#[tokio::test]
async fn credentials_and_markup_of_documents_are_not_shown() {
    let console = daemon();
    let evil = "<script>alert(1)</script><img src=x onerror='alert(1)'>\"";
    let document = json!({
        "trace_id": XRAY_ID, "id": "45faa8b1421f30d5", "name": evil, "user": evil, "origin": evil, "namespace": evil,
        "start_time": 1.0, "end_time": 2.0, "fault": true, "annotations": { evil: evil }, "sql": { evil: evil },
        "http": { "request": { "method": evil, "url": format!("http://h/{evil}") } }, "links": [{ "id": evil, "attributes": { evil: evil } }],
        "cause": { "exceptions": [{ "type": evil, "message": evil, "stack": [{ "path": evil, "label": evil, "line": 1 }] }] },
        "metadata": { evil: { "headers": { "Authorization": "hunter2" }, "text": format!("{evil}\n{evil}") } }, evil: evil,
    });
    let mut events = Events::listen(&console, "/events", &[]).await;
    tell(&console, &document);
    let row = events.next("rows").await;
    for page in [get(&console, "/").await.text(), get(&console, &format!("/r/{ID}")).await.text(), row] {
        assert!(page.contains("&lt;script&gt;") && !page.contains("hunter2"));
        assert!(!page.contains("<script>") && !page.contains("<img"));
    }
    let raw = get(&console, &format!("/r/{ID}.xray.json")).await.text();
    assert!(!raw.contains("hunter2") && raw.contains("Authorization"));
}

// ===== beside spans =====

#[tokio::test]
async fn segments_stand_beside_the_spans_of_their_trace_in_either_order() {
    for segments_first in [true, false] {
        let console = daemon();
        if segments_first {
            tell(&console, &crash());
            until(&console, &format!("/r/{ID}"), XRAY_ID).await;
        }
        let span = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"spans"}}}}]}},"scopeSpans":[{{"spans":[{{
            "traceId":"{ID}","spanId":"45faa8b1421f30d5","name":"POST /spans","kind":2,"startTimeUnixNano":"1795177910300000000",
            "endTimeUnixNano":"1795177910400000000"}}]}}]}}]}}"#
        );
        let json = [("content-type", "application/json")];
        assert_eq!(send(&console, Method::POST, "/v1/traces", &json, span).await.status, StatusCode::OK);
        if !segments_first {
            tell(&console, &crash());
        }
        let page = until(&console, &format!("/r/{ID}"), "id=\"segments\"").await;
        assert!(page.contains("id=\"spans\"") && page.contains("POST /spans") && page.contains("load-user"));
        assert!(page.contains("1 span<") && page.contains("1 segment<"));
        let list = get(&console, "/").await.text();
        assert_eq!(list.matches("<tr").count(), 2, "a head, and one row");
        assert!(
            list.contains("POST /spans") && list.contains("1 segment"),
            "the spans say what the request was"
        );
        assert!(
            get(&console, "/?q=order+42+is+broken").await.text().contains(&format!("t-{ID}")),
            "all is searched"
        );
    }
}

#[tokio::test]
async fn the_raw_documents_can_be_sent_again() {
    let console = daemon();
    tell(&console, &crash());
    until(&console, "/", ID).await;
    let raw = get(&console, &format!("/r/{XRAY_ID}.xray.json")).await;
    assert_eq!(raw.header("location"), format!("/r/{ID}.xray.json"));
    let raw = get(&console, &format!("/r/{ID}.xray.json")).await;
    assert_eq!(raw.header("content-type"), "application/json");
    assert_eq!(json_of(&raw.text()), json!([crash()]));
    let other = daemon();
    let documents: Vec<_> =
        json_of(&raw.text()).as_array().expect("a list").iter().map(Value::to_string).collect();
    let answer = put(&other, &documents).await;
    assert_eq!(json_of(&answer.text()), json!({ "UnprocessedTraceSegments": [] }));
    assert_eq!(get(&other, &format!("/r/{ID}.xray.json")).await.text(), raw.text());
    assert_eq!(get(&other, &format!("/r/{}.xray.json", "a".repeat(32))).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_is_told_of_segments() {
    let console = daemon();
    let mut rows = Events::listen(&console, "/events", &[]).await;
    let mut one = Events::listen(&console, &format!("/events?trace={ID}"), &[]).await;
    tell(&console, &crash());
    assert!(rows.next("rows").await.contains("/api/messages"));
    assert!(one.next("trace").await.contains(ID));
}

// ===== the API =====

#[tokio::test]
async fn what_is_not_taken_is_told_by_its_code() {
    let console = daemon();
    let documents = [
        plain(ID, "good"),
        "{{{ nope".to_owned(),
        plain("not-an-id", "bad id"),
        format!("{{\"trace_id\":\"{XRAY_ID}\",\"id\":\"00000000000000b1\",\"type\":\"subsegment\"}}"),
        format!(
            "{{\"trace_id\":\"{XRAY_ID}\",\"id\":\"00000000000000b2\",\"name\":\"{}\"}}",
            "n".repeat(70_000)
        ),
    ];
    let answer = json_of(&put(&console, &documents).await.text());
    let codes: Vec<_> = answer["UnprocessedTraceSegments"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["Id"].as_str(), one["ErrorCode"].as_str().expect("a code")))
        .collect();
    assert_eq!(
        codes,
        [
            (None, "ParseError"),
            (Some("45faa8b1421f30d5"), "InvalidTraceId"),
            (Some("00000000000000b1"), "MissingParentId"),
            (Some("00000000000000b2"), "DocumentTooLarge"),
        ]
    );
    assert!(get(&console, "/").await.text().contains(ID));
}

#[tokio::test]
async fn packed_bodies_are_unpacked() {
    let console = daemon();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let body = json!({ "TraceSegmentDocuments": [plain(ID, "packed")] }).to_string();
    encoder.write_all(body.as_bytes()).expect("memory");
    let packed = encoder.finish().expect("memory");
    let address = console.xray_daemon().expect("an address");
    let headers = [("content-encoding", "gzip")];
    let answer = page::send_to(address, Method::POST, "/TraceSegments", &headers, packed).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(get(&console, "/").await.text().contains("packed"));
}

#[tokio::test]
async fn odd_documents_are_shown() {
    let console = daemon();
    let odd = [
        json!(null),
        json!(-1),
        json!(1e308),
        json!("é\u{0}\n"),
        json!([[], {}, null]),
        json!({ "": { "a.b": {} } }),
        json!(true),
    ];
    let members = [
        "name",
        "start_time",
        "end_time",
        "in_progress",
        "parent_id",
        "type",
        "http",
        "aws",
        "cause",
        "annotations",
        "metadata",
        "subsegments",
        "links",
        "sql",
        "user",
        "namespace",
        "service",
        "fault",
        "error",
        "more",
    ];
    for (number, member) in members.into_iter().enumerate() {
        for (place, value) in odd.iter().enumerate() {
            let trace = format!("{:032x}", number * 100 + place + 1);
            let mut document = json_of(&plain(&trace, "odd"));
            let exception =
                json!({ "id": value, "cause": value, "message": value, "stack": [value, { "line": value }] });
            document["subsegments"] =
                json!([{ member: value, "cause": { "exceptions": [exception, value] } }, value]);
            document[member] = value.clone();
            let taken = put(&console, &[document.to_string()]).await.text();
            assert!(taken.contains("[]"), "{member}: {value}: {taken}");
            for path in [format!("/r/{trace}"), format!("/r/{trace}.xray.json"), "/?q=odd".to_owned()] {
                assert_eq!(get(&console, &path).await.status, StatusCode::OK, "{member}: {value}");
            }
        }
    }
}

#[tokio::test]
async fn samplers_get_the_default_rule_and_tell_what_they_did() {
    let console =
        Console::builder().address(any()).xray(any()).xray_sampling(5, 0.1).start().expect("a console");
    let rules = json_of(&ask(&console, "/GetSamplingRules", "{}").await.text());
    let rule = &rules["SamplingRuleRecords"][0]["SamplingRule"];
    assert_eq!(
        (&rule["RuleName"], &rule["ReservoirSize"], &rule["FixedRate"]),
        (&json!("Default"), &json!(5), &json!(0.1))
    );
    assert_eq!(rules["NextToken"], Value::Null);

    let report = |rule: &str| {
        json!({ "RuleName": rule, "ClientID": "727b34970cd3e81759921f89", "RequestCount": 25, "BorrowCount": 1,
        "SampledCount": 3, "Timestamp": 1_795_177_944 })
    };
    let body =
        json!({ "SamplingStatisticsDocuments": [report("Default"), report("unheard-of")] }).to_string();
    let targets = json_of(&ask(&console, "/SamplingTargets", &body).await.text());
    let target = &targets["SamplingTargetDocuments"][0];
    assert_eq!(
        (&target["RuleName"], &target["ReservoirQuota"], &target["Interval"]),
        (&json!("Default"), &json!(5), &json!(10))
    );
    assert!(target["ReservoirQuotaTTL"].as_f64() > targets["LastRuleModification"].as_f64());
    assert_eq!(targets["UnprocessedStatistics"][0]["RuleName"], "unheard-of");

    tell(&console, &crash());
    let page = until(&console, &format!("/r/{ID}"), "segment").await;
    assert!(page.contains("<b>25</b> requests, <b>3</b> kept"), "{page}");
}

#[tokio::test]
async fn what_is_none_of_the_daemon_s_business_is_refused() {
    let console = daemon();
    assert_eq!(ask(&console, "/TelemetryRecords", "anything").await.text().trim(), "{}");
    for (method, path, status) in [
        (Method::POST, "/Nonsense", StatusCode::NOT_FOUND),
        (Method::GET, "/", StatusCode::NOT_FOUND),
        (Method::POST, "/v1/traces", StatusCode::NOT_FOUND),
        (Method::GET, "/GetSamplingRules", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(daemon_ask(&console, method, path, &[], "{}").await.status, status, "{path}");
    }
    assert_eq!(
        json_of(&ask(&console, "/Nonsense", "").await.text())["message"],
        "The console does not know this call."
    );
    for foreign in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let answer = daemon_ask(&console, Method::POST, "/TraceSegments", &[foreign], "{}").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let rebound = [("host", "evil.example:2000")];
    let answer = daemon_ask(&console, Method::POST, "/GetSamplingRules", &rebound, "{}").await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    for bad in [
        "[",
        "{\"TraceSegmentDocuments\":7}",
        &format!("{{\"TraceSegmentDocuments\":[{}\"\"]}}", "\"\",".repeat(100_000)),
    ] {
        let answer = ask(&console, "/TraceSegments", bad).await;
        assert!(
            answer.status.is_client_error() && answer.header("x-amzn-errortype") == "InvalidRequestException"
        );
    }
}

// ===== the crate's own lanes =====

#[tokio::test]
async fn the_daemon_lane_reaches_it() {
    let console = daemon();
    let address: DaemonAddress =
        console.xray_daemon().expect("an address").parse().expect("a daemon's address");
    let outbox = Outbox::builder().start().expect("an outbox");
    serve(SegmentLane::daemon(&outbox, Daemon::new(address))).await;
    assert_eq!(outbox.shutdown(Duration::from_secs(5)).await.lost(), 0);
    let list = until(&console, "/", "shop").await;
    for shown in ["/carts/7", "GET", "503", "1 segment"] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
}

#[tokio::test]
async fn the_api_lane_reaches_it_by_either_port() {
    for by_page in [true, false] {
        let console = daemon();
        let daemon = format!("http://{}", console.xray_daemon().expect("an address"));
        let endpoint = if by_page { console.otlp_endpoint() } else { daemon };
        let keys = aws_credential_types::Credentials::from_keys("AKID", "secret", None);
        let region =
            Region::lookup(|_| Some("eu-central-1".to_owned())).expect("a region").expect("a region");
        let lookup = |name: &str| (name == "AWS_ENDPOINT_URL_XRAY").then(|| endpoint.clone());
        let client =
            Client::builder(Service::XRAY, region, keys).lookup(lookup).expect("an endpoint").build();
        let outbox = Outbox::builder().start().expect("an outbox");
        serve(SegmentLane::api(&outbox, Api::new(client.expect("a client")))).await;
        assert_eq!(outbox.shutdown(Duration::from_secs(5)).await.lost(), 0);
        assert!(until(&console, "/", "shop").await.contains("/carts/7"));
    }
}

// ===== where it listens =====

#[test]
fn both_ports_are_one_and_any_where_2000_is_taken() {
    let (one, two) = (Console::builder().address(any()).start(), Console::builder().address(any()).start());
    let (one, two) = (one.expect("a console"), two.expect("another"));
    let (first, second) = (one.xray_daemon().expect("an address"), two.xray_daemon().expect("an address"));
    assert_ne!(first, second);
    let taken: SocketAddr = first.parse().expect("an address");
    let error = Console::builder().address(any()).xray(taken).start().expect_err("taken");
    assert!(error.is_io() && error.to_string().contains(first), "{error}");

    let alone = Console::builder().address(any()).no_xray().start().expect("a console");
    assert_eq!(alone.xray_daemon(), None);
}

#[test]
fn other_machines_are_let_in_only_where_that_was_asked_for() {
    let everywhere = "0.0.0.0:0".parse().expect("an address");
    let error =
        Console::builder().address(any()).xray(everywhere).start().expect_err("not a loopback address");
    assert!(error.is_invalid() && error.to_string().contains("xray"), "{error}");
    let console =
        Console::builder().address(any()).xray(everywhere).beyond_loopback().start().expect("a console");
    assert!(console.xray_daemon().expect("an address").starts_with("127.0.0.1:"));
    let error = Console::builder().address(any()).xray_sampling(1, 5.0).start().expect_err("not a share");
    assert!(error.is_invalid(), "{error}");
}

// ===== in a browser =====

#[tokio::test]
async fn a_browser_shows_segments_as_they_arrive() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    let console = daemon();
    browser.go(&console.url()).await;
    browser.until("return document.getElementById('pause').dataset.state === 'live'").await;
    tell(&console, &crash());
    browser.until(&format!("return document.getElementById('t-{ID}') !== null")).await;
    browser.click(&format!("#t-{ID} a")).await;
    browser.until("return document.querySelectorAll('#segments > li').length === 4").await;
    browser.until("return document.querySelector('#panel h2')?.textContent === 'backend-flask'").await;
    browser.press("j").await;
    browser.until("return document.querySelector('#panel h2').textContent === 'load-user'").await;
    browser.click("#panel .raw summary").await;
    browser.until("return document.querySelector('#panel .raw pre').offsetHeight > 0").await;

    browser.run("window.stayed = true").await;
    let late = json!({ "trace_id": XRAY_ID, "id": "00000000000000d1", "parent_id": "45faa8b1421f30d5", "type": "subsegment",
        "name": "late", "start_time": 1_795_177_910.39, "end_time": 1_795_177_910.395 });
    tell(&console, &late);
    browser.until("return document.querySelectorAll('#segments > li').length === 5").await;
    assert_eq!(browser.run("return window.stayed").await, true);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_page_opened_with_gives_way_to_what_fails_unless_somebody_chose_it() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    for chosen in [false, true] {
        let console = daemon();
        let segment = json!({ "trace_id": XRAY_ID, "id": "45faa8b1421f30d5", "name": "shop",
            "start_time": 1_795_177_910.0, "end_time": 1_795_177_911.0 });
        tell(&console, &segment);
        until(&console, &format!("/r/{ID}"), "shop").await;
        browser.go(&format!("{}r/{ID}", console.url())).await;
        let shows =
            |name: &str| format!("return document.querySelector('#panel h2')?.textContent === '{name}'");
        browser.until(&shows("shop")).await;
        if chosen {
            browser.click("#segments > li summary").await;
        }
        let late = json!({ "trace_id": XRAY_ID, "id": "00000000000000d1", "parent_id": "45faa8b1421f30d5",
            "type": "subsegment", "name": "late", "fault": true, "start_time": 1_795_177_910.3,
            "end_time": 1_795_177_910.4 });
        tell(&console, &late);
        browser.until("return document.querySelectorAll('#segments > li').length === 2").await;
        browser.until(&shows(if chosen { "shop" } else { "late" })).await;
    }
}

// ===== support =====

fn daemon() -> Console {
    Console::builder().address(any()).xray(any()).start().expect("a console")
}

fn tell(console: &Console, document: &Value) {
    tell_raw(console, format!("{HEADER}{document}").as_bytes());
}

fn tell_raw(console: &Console, datagram: &[u8]) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.send_to(datagram, console.xray_daemon().expect("an address")).expect("sent");
}

/// The page, once it has the text in it.
async fn until(console: &Console, path: &str, text: &str) -> String {
    let mut page = String::new();
    for _ in 0..250 {
        page = get(console, path).await.text();
        if page.contains(text) && !page.contains("Not here yet") {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {text}: {page}");
}

async fn put(console: &Console, documents: &[String]) -> Answer {
    ask(console, "/TraceSegments", &json!({ "TraceSegmentDocuments": documents }).to_string()).await
}

async fn ask(console: &Console, path: &str, body: &str) -> Answer {
    daemon_ask(console, Method::POST, path, &[], body).await
}

async fn daemon_ask(
    console: &Console,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    page::send_to(console.xray_daemon().expect("an address"), method, path, headers, body.to_owned()).await
}

/// One exchange, through a layer with this lane.
async fn serve(lane: SegmentLane) {
    let handler = service_fn(async |_: Request<Full<bytes::Bytes>>| {
        let answer = Response::builder().status(503).body(Full::<bytes::Bytes>::from("busy"));
        Ok::<_, std::convert::Infallible>(answer.expect("an answer"))
    });
    let layer = XRayLayer::on("shop", lane).sample(Sampler::all());
    let request = Request::get("http://shop.test/carts/7?token=1").body(Full::default()).expect("a request");
    let answer =
        ServiceBuilder::new().layer(layer).service(handler).oneshot(request).await.expect("an answer");
    answer.into_body().collect().await.expect("a body");
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn plain(trace: &str, name: &str) -> String {
    let id = if trace.len() == 32 { format!("1-{}-{}", &trace[..8], &trace[8..]) } else { trace.to_owned() };
    format!(
        r#"{{"trace_id":"{id}","id":"45faa8b1421f30d5","name":"{name}","start_time":1795177910.3,"end_time":1795177910.4}}"#
    )
}

/// A request that failed, and all that can be said of it.
fn crash() -> Value {
    json!({
        "trace_id": XRAY_ID, "id": "45faa8b1421f30d5", "name": "backend-flask", "start_time": 1_795_177_910.3, "end_time": 1_795_177_910.4,
        "origin": "AWS::EC2::Instance", "user": "andrewbrown", "fault": true, "error": true,
        "http": { "request": { "method": "POST", "url": "http://127.0.0.1:4567/api/messages?token=1", "client_ip": "203.0.113.9" },
            "response": { "status": 500, "content_length": 21 } },
        "aws": { "xray": { "sdk": "X-Ray for Rust", "sampling_rule_name": "Cruddur" } },
        "annotations": { "user_id": 42, "express": true },
        "metadata": { "orders": { "raw": { "nested": [1, { "deep": null }] }, "note": "fragile" } },
        "cause": { "working_directory": "/app", "exceptions": [
            { "id": "52d57674fcb4c4ea", "type": "OrderError", "message": "order 42 is broken", "cause": "52d57674fcb4c4eb",
              "stack": [{ "path": "app.py", "line": 78, "label": "handler" }], "truncated": 3 },
            { "id": "52d57674fcb4c4eb", "type": "KeyError", "message": "42" } ] },
        "subsegments": [
            { "id": "df11bc324b23d54e", "name": "load-user", "start_time": 1_795_177_910.31, "end_time": 1_795_177_910.33,
              "sql": { "sanitized_query": "SELECT * FROM users WHERE id = ?", "database_type": "PostgreSQL" } },
            { "id": "df11bc324b23d54f", "name": "users.example.com", "namespace": "remote", "start_time": 1_795_177_910.34,
              "end_time": 1_795_177_910.38, "error": true, "throttle": true, "http": { "request": { "method": "GET",
              "url": "https://users.example.com/42" }, "response": { "status": 429 } }, "subsegments": [
                { "id": "df11bc324b23d550", "name": "connect", "start_time": 1_795_177_910.341, "end_time": 1_795_177_910.35 } ] },
        ],
    })
}
