//! The console as CloudWatch Logs: over real sockets, with raw posts, and from the crate's own layer.

#![cfg(all(feature = "console", feature = "cloudwatch"))]

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use belvedere::aws::{Client, Region, Service};
use belvedere::cloudwatch::{Api, CloudWatchLayer, Format, LogEvent, LogLane};
use belvedere::console::Console;
use belvedere::exchange::Annotations;
use belvedere::outbox::Outbox;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

#[path = "support/console.rs"]
mod page;
#[path = "support/webdriver.rs"]
mod webdriver;

use page::{Answer, Events, get, send, start};

const ID: &str = "6b003f3afb249ace0123456789abcdef";
const XRAY: &str = "1-6b003f3a-fb249ace0123456789abcdef";
const SPAN: &str = "00f067aa0ba902b7";
const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.1");
const MEBIBYTE: usize = 1 << 20;

// ===== what is taken =====

#[tokio::test]
async fn a_line_stands_with_the_trace_that_it_names_however_it_does() {
    let console = start();
    for message in [
        json!({ "trace_id": ID, "message": "by its member" }).to_string(),
        json!({ "xray_trace_id": XRAY, "message": "by X-Ray's" }).to_string(),
        json!({ "fields": { "message": "by a member within" }, "span": { "trace_id": ID } }).to_string(),
        format!("[2026-Nov-20 12:26] 127.0.0.1 GET http /api/activities/home? 200 OK {XRAY}"),
        format!("INFO traceparent=00-{ID}-{SPAN}-01 by a header"),
    ] {
        let answer = put(&console, std::slice::from_ref(&message)).await;
        assert_eq!((answer.status, &*answer.text()), (StatusCode::OK, "{}"), "{message}");
        assert_eq!(answer.header("content-type"), JSON.1);
    }
    let list = get(&console, "/").await.text();
    assert!(list.contains("5 lines") && list.matches("class=\"row ").count() == 1, "{list}");
    let page = get(&console, &format!("/r/{XRAY}")).await;
    assert_eq!(page.header("location"), format!("/r/{ID}"));
    let page = get(&console, &format!("/r/{ID}")).await.text();
    for shown in [
        "aria-label=\"Logs\"",
        "by its member",
        "by X-Ray&#39;s",
        "by a member within",
        "GET http /api/activities/home? 200 OK",
        "class=\"grade info\"",
        "cruddur",
        "web/1",
        "5 lines",
    ] {
        assert!(
            page.replace("&#x27;", "&#39;").replace("X-Ray's", "X-Ray&#39;s").contains(shown),
            "{shown}: {page}"
        );
    }
}

#[tokio::test]
async fn lines_are_in_the_order_in_which_they_were_written() {
    let console = start();
    let now = millis();
    for (late, word) in [(30, "third"), (0, "first"), (20, "second")] {
        let event = json!({ "timestamp": now + late, "message": format!("{word} {XRAY}") });
        assert_eq!(put_events(&console, &[event]).await.status, StatusCode::OK);
    }
    let page = get(&console, &format!("/r/{ID}")).await.text();
    let places = ["first 1-6b", "second 1-6b", "third 1-6b"].map(|word| page.find(word).unwrap());
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.contains("+20\u{202f}ms") && page.contains("+30\u{202f}ms"), "{page}");
    let raw = raw(&console, &format!("/r/{ID}.cloudwatch.json")).await;
    assert_eq!(
        raw[1],
        json!({ "logGroupName": "cruddur", "logStreamName": "web/1", "timestamp": now + 20, "message": format!("second {XRAY}") })
    );
}

#[tokio::test]
async fn an_access_record_alone_is_a_request() {
    let console = start();
    let record = |method: &str, path: &str, status: u16, trace: &str| {
        json!({ "level": if status < 500 { "INFO" } else { "ERROR" }, "method": method, "path": path, "status": status,
            "duration_ms": 12.5, "outcome": "complete", "trace_id": trace })
        .to_string()
    };
    put(
        &console,
        &[record("GET", "/carts/7", 200, ID), record("POST", "/carts", 503, &ID.replace('6', "7"))],
    )
    .await;
    let list = get(&console, "/").await.text();
    for shown in
        ["GET", "/carts/7", "200", "12.5", "POST", "503", "class=\"row failed\"", "class=\"row fine\""]
    {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    assert!(
        list.contains("<span class=\"grade error\" title=\"the worst is error\">1 line</span>"),
        "{list}"
    );
    let page = get(&console, &format!("/r/{ID}")).await.text();
    assert!(page.contains("GET /carts/7 200 12.5\u{202f}ms"), "{page}");
    assert_eq!(get(&console, "/?errors=1").await.text().matches("class=\"row ").count(), 1);
}

#[tokio::test]
async fn lines_without_a_trace_are_in_a_list_of_their_own() {
    let console = start();
    assert!(get(&console, "/logs").await.text().contains("None has come"));
    let digest = "00112233445566778899aabbccddeeff";
    put(
        &console,
        &["Hello Cloudwatch! from  /api/activities/home".to_owned(), format!("the digest is {digest}")],
    )
    .await;
    let list = get(&console, "/").await.text();
    assert!(list.contains("2 lines without a trace") && list.contains("No request has arrived."), "{list}");
    assert!(!list.contains("class=\"row "), "so many digits alone make no request");
    let lines = get(&console, "/logs").await.text();
    assert!(
        lines.contains("Hello Cloudwatch! from  /api/activities/home") && lines.contains(digest),
        "{lines}"
    );
    assert!(lines.find("the digest is") < lines.find("Hello Cloudwatch!"), "the latest is on top");
    assert_eq!(raw(&console, "/logs.json").await.len(), 2);

    put(&console, &[json!({ "trace_id": digest, "message": "it is a trace" }).to_string()]).await;
    assert_eq!(
        raw(&console, &format!("/r/{digest}.cloudwatch.json")).await.len(),
        2,
        "once there is such a trace"
    );
    assert_eq!(raw(&console, "/logs.json").await.len(), 1);
    put(&console, &[format!("again {digest}")]).await;
    assert_eq!(raw(&console, &format!("/r/{digest}.cloudwatch.json")).await.len(), 3);
}

#[tokio::test]
async fn so_many_lines_without_a_trace_are_kept_and_the_oldest_go() {
    let console = Console::builder().address(page::any()).no_xray().memory(4 << 20).start().unwrap();
    for batch in 0..3 {
        let lines: Vec<_> = (0..500).map(|line| format!("line {batch}.{line}")).collect();
        assert_eq!(put(&console, &lines).await.status, StatusCode::OK);
    }
    let lines = raw(&console, "/logs.json").await;
    assert_eq!(
        (lines.len(), &lines[0]["message"], &lines[999]["message"]),
        (1000, &json!("line 2.499"), &json!("line 1.0"))
    );
    let long: Vec<_> = (0..100).map(|_| "x".repeat(8000)).collect();
    put(&console, &long).await;
    let bytes: usize =
        raw(&console, "/logs.json").await.iter().map(|line| line["message"].as_str().unwrap().len()).sum();
    assert!((1 << 18..1 << 19).contains(&bytes), "an eighth of the memory: {bytes}");
}

#[tokio::test]
async fn a_trace_has_room_for_so_many_lines_and_says_what_found_none() {
    let console = start();
    let lines: Vec<_> = (0..1_007).map(|line| format!("line {line} {XRAY}")).collect();
    assert_eq!(put(&console, &lines).await.status, StatusCode::OK);
    let page = get(&console, &format!("/r/{ID}")).await.text();
    assert!(page.contains("1000 lines") && page.contains("<b>7</b> more lines found no room"));
}

#[tokio::test]
async fn calls_that_make_what_is_there_go_on() {
    let console = start();
    for (call, body, answer) in [
        ("DescribeLogGroups", json!({ "logGroupNamePrefix": "cruddur" }), json!({ "logGroups": [] })),
        ("CreateLogGroup", json!({ "logGroupName": "cruddur" }), json!({})),
        ("PutRetentionPolicy", json!({ "logGroupName": "cruddur", "retentionInDays": 1 }), json!({})),
        ("TagResource", json!({ "resourceArn": "arn", "tags": {} }), json!({})),
        ("DescribeLogStreams", json!({ "logGroupName": "cruddur" }), json!({ "logStreams": [] })),
        ("CreateLogStream", json!({ "logGroupName": "cruddur", "logStreamName": "web/1" }), json!({})),
    ] {
        let told = ask(&console, call, body.to_string()).await;
        assert_eq!((told.status, json_of(&told)), (StatusCode::OK, answer), "{call}");
    }
    assert!(get(&console, "/").await.text().contains("Nothing to see yet"));
}

#[tokio::test]
async fn packed_bodies_are_unpacked() {
    let console = start();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(batch(&[event(&format!("hello {XRAY}"))]).as_bytes()).unwrap();
    let headers = [JSON, ("content-encoding", "gzip"), ("x-amz-target", "Logs_20140328.PutLogEvents")];
    let answer = send(&console, Method::POST, "/", &headers, gzip.finish().unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert!(get(&console, &format!("/r/{ID}")).await.text().contains("hello"));
}

// ===== what is refused =====

#[tokio::test]
async fn what_cloudwatch_refuses_is_refused_in_its_words() {
    const PARAMETER: &str = "InvalidParameterException";
    const SERIALIZATION: &str = "SerializationException";
    let (console, now) = (start(), millis());
    let at = |timestamp: i64| json!({ "timestamp": timestamp, "message": "x" });
    let whole = |size: usize| batch(&[event(&"x".repeat(size))]);
    for (status, code, words, body) in [
        (400, SERIALIZATION, "not a request", "{".to_owned()),
        (400, SERIALIZATION, "not a request", String::new()),
        (400, SERIALIZATION, "not a request", "[".repeat(10_000)),
        (400, SERIALIZATION, "not a request", "\u{1f}".to_owned()),
        (400, SERIALIZATION, "not a request", batch(&[json!({ "timestamp": "now", "message": "x" })])),
        (400, PARAMETER, "'logGroupName'", "{}".to_owned()),
        (
            400,
            PARAMETER,
            "'logStreamName'",
            json!({ "logGroupName": "a", "logStreamName": "x".repeat(513) }).to_string(),
        ),
        (400, PARAMETER, "'[]' at 'logEvents'", batch(&[])),
        (400, PARAMETER, "'logEvents.member.message'", batch(&[event("")])),
        (400, PARAMETER, "less than or equal to 10000", batch(&vec![at(now); 10_001])),
        (400, PARAMETER, "Upload too large: 1048577 bytes exceeds limit of 1048576", whole(MEBIBYTE - 25)),
        (400, PARAMETER, "in chronological order.", batch(&[at(now), at(now - 1)])),
        (400, PARAMETER, "cannot span more than 24 hours.", batch(&[at(now - 86_400_001), at(now)])),
        (413, PARAMETER, "larger than 16 MiB", whole(17 << 20)),
        (413, PARAMETER, "more than is read at once", format!("[{}]", "{},".repeat(1 << 15))),
    ] {
        let answer = ask(&console, "PutLogEvents", body).await;
        let told = json_of(&answer);
        assert_eq!((answer.status.as_u16(), told["__type"].as_str()), (status, Some(code)), "{told}");
        assert!(told["message"].as_str().unwrap().contains(words), "{words}: {told}");
        assert_eq!(answer.header("content-type"), JSON.1);
    }
    assert_eq!(ask(&console, "PutLogEvents", whole(MEBIBYTE - 26)).await.status, StatusCode::OK);
    assert_eq!(ask(&console, "PutLogEvents", batch(&vec![at(now); 10_000])).await.status, StatusCode::OK);
    assert_eq!(
        ask(&console, "PutLogEvents", batch(&[at(now - 86_400_000), at(now)])).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_is_too_old_or_too_new_is_left_out_and_told() {
    let (console, now, hour) = (start(), millis(), 3_600_000);
    let at =
        |timestamp: i64, word: &str| json!({ "timestamp": timestamp, "message": format!("{word} {XRAY}") });
    let events =
        [at(1, "ancient"), at(now - 15 * 24 * hour, "old"), at(now, "fit"), at(now + 3 * hour, "new")];
    let answer = put_events(&console, &events).await;
    let rejected = json!({ "tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3 });
    assert_eq!(
        (answer.status, json_of(&answer)),
        (StatusCode::OK, json!({ "rejectedLogEventsInfo": rejected }))
    );
    let kept = raw(&console, &format!("/r/{ID}.cloudwatch.json")).await;
    assert_eq!((kept.len(), kept[0]["timestamp"].as_i64()), (1, Some(now)));
}

#[tokio::test]
async fn what_is_no_call_of_logs_is_refused() {
    let console = start();
    let body = || batch(&[event("x")]);
    for target in
        ["Logs_20140328.StartQuery", "Logs_20140328.", "DynamoDB_20120810.PutItem", "PutLogEvents", "\u{e9}"]
    {
        let answer = send(&console, Method::POST, "/", &[JSON, ("x-amz-target", target)], body()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{target}");
        assert_eq!(json_of(&answer)["__type"], "UnknownOperationException", "{target}");
    }
    assert_eq!(
        send(&console, Method::POST, "/", &[JSON], body()).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let target = ("x-amz-target", "Logs_20140328.PutLogEvents");
    assert_eq!(
        send(&console, Method::GET, "/", &[target], "").await.header("content-type"),
        "text/html; charset=utf-8"
    );
    let odd = [JSON, target, ("content-encoding", "zstd")];
    assert_eq!(
        send(&console, Method::POST, "/", &odd, body()).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let foreign = [JSON, target, ("origin", "https://evil.example")];
    let answer = send(&console, Method::POST, "/", &foreign, body()).await;
    assert_eq!(
        (answer.status, &json_of(&answer)["__type"]),
        (StatusCode::FORBIDDEN, &json!("AccessDeniedException"))
    );
    let rebound = [JSON, target, ("host", "evil.example")];
    assert_eq!(
        send(&console, Method::POST, "/", &rebound, body()).await.status,
        StatusCode::MISDIRECTED_REQUEST
    );
    assert!(raw(&console, "/logs.json").await.is_empty());
}

#[tokio::test]
async fn credentials_are_masked_and_what_strangers_sent_is_text() {
    let console = start();
    let hostile = "<script>alert(1)</script>\u{1b}[31m\u{202e}gnp.exe\u{0}\r\nforged";
    let object = json!({
        "trace_id": ID, "message": hostile, "level": hostile, hostile: hostile, "nested": { hostile: [hostile] },
        "headers": { "Authorization": "Bearer canary", "cookie": "canary" }, "access_token": "canary",
    });
    let access = json!({ "xray_trace_id": XRAY, "method": hostile, "path": hostile, "status": hostile, "error": hostile });
    let events = [
        event(&object.to_string()),
        event(&access.to_string()),
        event(&format!("{hostile} {XRAY}")),
        event(hostile),
    ];
    let body = json!({ "logGroupName": hostile, "logStreamName": hostile, "logEvents": events });
    assert_eq!(ask(&console, "PutLogEvents", body.to_string()).await.status, StatusCode::OK);
    for path in ["/", "/logs", &format!("/r/{ID}")] {
        let page = get(&console, path).await.text();
        for never in ["<script>alert", "canary", "\u{1b}", "\u{202e}", "\0"] {
            assert!(!page.contains(never), "{path} has {never:?}: {page}");
        }
    }
    let page = get(&console, &format!("/r/{ID}")).await.text();
    assert!(
        page.contains("\\u{202e}gnp.exe") && page.contains("••••••") && page.contains("⏎ forged"),
        "{page}"
    );
    assert!(!get(&console, &format!("/r/{ID}.cloudwatch.json")).await.text().contains("canary"));
}

#[tokio::test]
async fn odd_messages_are_shown_and_break_nothing() {
    let console = start();
    let deep = "[".repeat(1000);
    let wide = format!("{{{}}}", (0..20_000).map(|key| format!("\"{key}\":1")).collect::<Vec<_>>().join(","));
    let objects =
        [json!(null), json!(7), json!([]), json!({}), json!([[1]]), json!(true), json!(-1e300), json!("")];
    for odd in &objects {
        for key in [
            "level",
            "message",
            "method",
            "path",
            "status",
            "duration_ms",
            "trace_id",
            "xray_trace_id",
            "fields",
            "error",
        ] {
            let mut object = json!({ "trace_id": ID, "method": "GET", "path": "/", "status": 200 });
            object[key] = odd.clone();
            assert_eq!(put(&console, &[object.to_string()]).await.status, StatusCode::OK, "{key} {odd}");
        }
    }
    for odd in [
        deep,
        wide,
        " ".to_owned(),
        "\0".to_owned(),
        "{}".to_owned(),
        "{\"a\":".to_owned(),
        "漢".repeat(300_000),
    ] {
        assert_eq!(put(&console, &[odd]).await.status, StatusCode::OK);
    }
    for path in ["/", "/logs", "/logs.json", &format!("/r/{ID}"), &format!("/r/{ID}.cloudwatch.json")] {
        assert_eq!(get(&console, path).await.status, StatusCode::OK, "{path}");
    }
}

// ===== live, in a browser, and from the crate itself =====

#[tokio::test]
async fn pages_that_listen_are_told_of_lines() {
    let console = start();
    let mut list = Events::listen(&console, "/events", &[]).await;
    let mut one = Events::listen(&console, &format!("/events?trace={ID}"), &[]).await;
    let mut loose = Events::listen(&console, "/events?lines=1", &[]).await;
    put(&console, &[json!({ "trace_id": ID, "level": "WARN", "message": "low" }).to_string()]).await;
    assert!(list.next("rows").await.contains("grade warning"));
    assert!(one.next("trace").await.contains(ID));
    put(&console, &["of no trace".to_owned()]).await;
    assert!(list.next("rows").await.contains("1 line without a trace"));
    assert!(loose.next("trace").await.contains("lines"));
}

#[tokio::test]
async fn a_browser_shows_lines_as_they_arrive() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    let console = start();
    browser.go(&console.url()).await;
    put(&console, &["the first of no trace".to_owned()]).await;
    browser.until("return [...document.querySelectorAll('#summary a')].some(a => a.textContent == '1 line without a trace')").await;
    browser.click("#summary a").await;
    browser.until("return document.querySelectorAll('#logs > li').length == 1").await;
    put(&console, &["the second of no trace".to_owned()]).await;
    browser.until("return document.querySelectorAll('#logs > li').length == 2").await;

    browser.go(&format!("{}r/{ID}", console.url())).await;
    let record = json!({ "trace_id": ID, "level": "INFO", "method": "GET", "path": "/carts/7", "status": 200, "duration_ms": 12 });
    put(&console, &[record.to_string()]).await;
    browser
        .until(
            "return document.querySelector('#panel .facts h2')?.textContent.startsWith('GET /carts/7 200')",
        )
        .await;
    let error = json!({ "trace_id": ID, "level": "ERROR", "message": "the cart is gone" });
    put(&console, &[error.to_string()]).await;
    browser
        .until("return document.querySelector('#panel .facts h2')?.textContent == 'the cart is gone'")
        .await;
    browser.resize(400, 800).await;
    browser.until("return document.querySelector('.log.at details').open").await;
    let fits = browser.run("return document.documentElement.scrollWidth <= innerWidth").await;
    assert_eq!(fits, true, "nothing is wider than the window");
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|complaint| complaint.contains("404")), "{complaints:?}");
}

#[tokio::test]
async fn what_the_layer_logs_is_there() {
    let console = start();
    for (format, shown) in [
        (Format::json(), "\"path\":\"/carts\""),
        (
            Format::of(|record| format!("{record} {}", record.xray_trace_id)),
            "GET http /carts? 500 Internal Server Error",
        ),
    ] {
        let outbox = Outbox::builder().start().unwrap();
        let lane = LogLane::new(&outbox, Api::new(client(&console), "cruddur".parse().unwrap()));
        lane.push(LogEvent::new(
            SystemTime::now(),
            json!({ "trace_id": ID, "message": "Hello Cloudwatch!" }).to_string(),
        ));
        let layer = CloudWatchLayer::on(lane).format(format);
        let service = service_fn(async |_: Request<String>| {
            Annotations::current().insert("user_id", "worf");
            let mut response = Response::new(String::from("gone"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            Ok::<_, std::io::Error>(response)
        });
        let request = Request::get("http://shop.example/carts?password=canary")
            .header("traceparent", format!("00-{ID}-{SPAN}-01"))
            .body(String::new());
        let service = ServiceBuilder::new().layer(layer).service(service);
        let response = service.oneshot(request.unwrap()).await.unwrap();
        drop(http_body_util::BodyExt::collect(response.into_body()).await.unwrap());
        assert_eq!(outbox.shutdown(Duration::from_secs(5)).await.lost(), 0);
        let text = get(&console, &format!("/r/{ID}.cloudwatch.json")).await.text().replace("\\\"", "\"");
        assert!(text.contains(shown), "{text}");
    }
    let page = get(&console, &format!("/r/{ID}")).await.text();
    for shown in
        ["Hello Cloudwatch!", "user_id", "worf", "class=\"grade error\"", "4 lines", "GET /carts 500"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("canary"));
}

fn client(console: &Console) -> Client {
    let keys = Credentials::new("made", "up", None, None, "test");
    let client = Client::builder(Service::LOGS, "eu-west-1".parse::<Region>().unwrap(), keys);
    client.endpoint(console.cloudwatch_endpoint().parse().unwrap()).build().unwrap()
}

fn millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

fn event(message: &str) -> Value {
    json!({ "timestamp": millis(), "message": message })
}

fn batch(events: &[Value]) -> String {
    json!({ "logGroupName": "cruddur", "logStreamName": "web/1", "logEvents": events }).to_string()
}

async fn put(console: &Console, messages: &[String]) -> Answer {
    let timestamp = millis();
    let event = |message: &String| json!({ "timestamp": timestamp, "message": message });
    put_events(console, &messages.iter().map(event).collect::<Vec<_>>()).await
}

async fn put_events(console: &Console, events: &[Value]) -> Answer {
    ask(console, "PutLogEvents", batch(events)).await
}

async fn ask(console: &Console, call: &str, body: impl Into<Bytes>) -> Answer {
    let target = format!("Logs_20140328.{call}");
    send(console, Method::POST, "/", &[JSON, ("x-amz-target", &target)], body).await
}

async fn raw(console: &Console, path: &str) -> Vec<Value> {
    serde_json::from_slice(&get(console, path).await.body).unwrap()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}
