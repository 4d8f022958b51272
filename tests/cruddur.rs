//! The Cruddur example as its callers see it: the program itself, on real sockets.

#![cfg(all(feature = "full", feature = "console"))]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::LazyLock,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};

#[path = "cruddur/compose.rs"]
mod compose;
mod support;
#[path = "support/webdriver.rs"]
mod webdriver;

// ===== the routes =====

#[tokio::test]
async fn each_route_answers_in_its_shape() {
    const MESSAGE: &[&str] = &["created_at", "display_name", "handle", "message", "uuid"];
    const CRUD: &[&str] = &["created_at", "display_name", "expires_at", "handle", "message", "uuid"];
    const GROUP: &[&str] = &["created_at", "display_name", "handle", "uuid"];
    let backend = Backend::start().await;
    for (path, length, keys) in [
        ("/api/activities/home", 3, ACTIVITY),
        ("/api/activities/notifications", 1, ACTIVITY),
        (&*format!("/api/activities/{CRUD_UUID}"), 1, ACTIVITY),
        ("/api/activities/@andrewbrown", 1, CRUD),
        ("/api/activities/search?term=CLOUD", 1, MESSAGE),
        ("/api/message_groups", 2, GROUP),
        ("/api/messages/@worf", 2, MESSAGE),
        ("/api/messages/@worf?user_reciever_handle=londo", 2, MESSAGE),
    ] {
        let answer = backend.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let list = answer.json();
        assert_eq!(list.as_array().map(Vec::len), Some(length), "{path}: {list}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        for item in list.as_array().unwrap() {
            assert_eq!(self::keys(item), keys, "{path}");
            assert!(is_time(&item["created_at"]), "{path}: {item}");
        }
    }
}

#[tokio::test]
async fn what_is_posted_is_answered_in_its_shape() {
    let backend = Backend::start().await;
    let crud = backend.post("/api/activities", json!({"message": "Hi", "ttl": "3-hours"})).await;
    assert_eq!(crud.status, 200);
    assert_eq!(keys(&crud.json()), ["created_at", "display_name", "expires_at", "handle", "message", "uuid"]);
    assert_eq!(crud.json()["display_name"], "Andrew Brown");

    let reply = backend.post(&format!("/api/activities/{CRUD_UUID}/reply"), json!({"message": "Ho"})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        keys(&reply.json()),
        ["created_at", "display_name", "handle", "message", "reply_to_activity_uuid", "uuid"]
    );
    assert_eq!(reply.json()["reply_to_activity_uuid"], CRUD_UUID);

    let sent = json!({"message": "Psst", "user_receiver_handle": "worf"});
    let message = backend.post("/api/messages", sent).await;
    assert_eq!(message.status, 200);
    assert_eq!(keys(&message.json()), ["created_at", "display_name", "handle", "message", "uuid"]);
}

#[tokio::test]
async fn what_is_posted_is_found_again() {
    let backend = Backend::start().await;
    let crud = backend.post("/api/activities", json!({"message": "Zanzibar", "ttl": "1-hour"})).await.json();
    let home = backend.get("/api/activities/home").await.json();
    assert_eq!(home[0]["uuid"], crud["uuid"], "the newest is the first");
    assert_eq!(backend.get("/api/activities/search?term=zanzi").await.json()[0]["uuid"], crud["uuid"]);

    let path = format!("/api/activities/{}", crud["uuid"].as_str().unwrap());
    backend.post(&format!("{path}/reply"), json!({"message": "Where is that?"})).await;
    let shown = backend.get(&path).await.json();
    assert_eq!(shown[0]["replies_count"], 1);
    assert_eq!(shown[0]["replies"][0]["message"], "Where is that?");

    let sent = json!({"message": "An island", "user_receiver_handle": "garek"});
    backend.post("/api/messages", sent).await;
    assert_eq!(backend.get("/api/messages/@garek").await.json()[2]["message"], "An island");
    let other = backend.get("/api/messages/@andrewbrown?user=garek").await.json();
    assert_eq!(other[2]["message"], "An island", "the other one reads it, too");
}

#[tokio::test]
async fn all_that_is_wrong_is_listed() {
    let backend = Backend::start().await;
    let reply = &*format!("/api/activities/{CRUD_UUID}/reply");
    for (path, body, codes) in [
        ("/api/activities", json!({"message": "", "ttl": "1-day"}), json!(["message_blank"])),
        ("/api/activities", json!({"message": " ", "ttl": ""}), json!(["message_blank", "ttl_blank"])),
        ("/api/activities", json!({}), json!(["message_blank", "ttl_blank"])),
        ("/api/activities", json!({"message": null, "ttl": "1-day"}), json!(["message_blank"])),
        (
            "/api/activities",
            json!({"message": "ä".repeat(281), "ttl": "2-days"}),
            json!(["message_exceed_max_chars", "ttl_unknown"]),
        ),
        (reply, json!({"message": ""}), json!(["message_blank"])),
        (reply, json!({"message": "x".repeat(1025)}), json!(["message_exceed_max_chars"])),
        ("/api/messages", json!({"message": ""}), json!(["message_blank", "user_receiver_handle_blank"])),
        (
            "/api/messages",
            json!({"message": "x".repeat(1025), "user_receiver_handle": "worf"}),
            json!(["message_exceed_max_chars"]),
        ),
    ] {
        let answer = backend.post(path, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (422, codes), "{path}");
    }
    for (path, codes) in [
        ("/api/activities/@%20", json!(["blank_user_handle"])),
        ("/api/messages/@%20", json!(["blank_user_handle"])),
        ("/api/activities/search", json!(["search_term_blank"])),
        ("/api/activities/search?term=%20", json!(["search_term_blank"])),
    ] {
        let answer = backend.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (422, codes), "{path}");
    }
}

#[tokio::test]
async fn the_longest_message_is_taken() {
    let backend = Backend::start().await;
    let longest = json!({"message": "ä".repeat(280), "ttl": "30-days"});
    assert_eq!(backend.post("/api/activities", longest).await.status, 200);
    let longest = json!({"message": "ä".repeat(1024), "user_receiver_handle": "worf"});
    assert_eq!(backend.post("/api/messages", longest).await.status, 200);
}

#[tokio::test]
async fn each_error_is_json_and_names_its_trace() {
    const UNKNOWN: &str = "/api/activities/00000000-0000-4000-8000-000000000000";
    let backend = Backend::start().await;
    for (status, method, path, kind, body) in [
        (404, "GET", "/nowhere", "", ""),
        (404, "GET", "/api/activities/home2", "", ""),
        (404, "GET", "/api/activities/@nobody", "", ""),
        (404, "GET", "/api/messages/@nobody", "", ""),
        (404, "GET", UNKNOWN, "", ""),
        (404, "POST", &format!("{UNKNOWN}/reply"), JSON, r#"{"message":"?"}"#),
        (404, "POST", "/api/messages", JSON, r#"{"message":"?","user_receiver_handle":"nobody"}"#),
        (405, "DELETE", "/api/activities/home", "", ""),
        (405, "GET", "/api/activities", "", ""),
        (405, "POST", "/rollbar/test", "", ""),
        (400, "POST", "/api/activities", JSON, r#"{"message":"#),
        (400, "POST", "/api/messages", JSON, ""),
        (400, "GET", "/api/slow?ms=long", "", ""),
        (400, "GET", "/api/activities/@%ff", "", ""),
        (400, "GET", "/api/activities/home?user=nobody", "", ""),
        (415, "POST", "/api/activities", "text/plain", "hello"),
        (415, "POST", "/api/activities", "", r#"{"message":"Hi","ttl":"1-day"}"#),
        (400, "POST", "/api/activities", JSON, r#"{"message":1}"#),
        (400, "POST", "/api/activities", JSON, r#"["Hi","1-day"]"#),
        (400, "POST", "/api/activities", JSON, "null"),
        (400, "POST", "/api/messages", JSON, "[]"),
        (413, "POST", "/api/activities", JSON, &format!(r#"{{"message":"{}"}}"#, "x".repeat(20_000))),
        (500, "GET", "/rollbar/error", "", ""),
        (500, "GET", "/rollbar/panic", "", ""),
    ] {
        let headers: &[_] = if kind.is_empty() { &[] } else { &[("content-type", kind)] };
        let answer = backend.send(method, path, headers, body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
        let error = answer.json();
        assert_eq!(keys(&error), ["error", "trace_id"], "{method} {path}");
        assert_eq!(error["trace_id"], answer.trace_id(), "{method} {path}");
    }
    assert_eq!(backend.get("/rollbar/test").await.text, "Hello World!", "it lives on");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let backend = Backend::start().await;
    let answer = backend.send("DELETE", "/api/activities/home", &[], "").await;
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let backend = Backend::start().await;
    for path in ["/", "/api/activities/home", "/api/message_groups", "/rollbar/test"] {
        let (head, get) = (backend.send("HEAD", path, &[], "").await, backend.get(path).await);
        assert_eq!((head.status, &*head.text), (StatusCode::OK, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn a_stream_comes_line_by_line() {
    let backend = Backend::start().await;
    let began = Instant::now();
    let request = Request::get(backend.at("/api/activities/stream")).body(Full::<Bytes>::default()).unwrap();
    let mut body = client().request(request).await.unwrap().into_body();
    let mut lines = Vec::new();
    while let Some(frame) = body.frame().await {
        let line: Value = serde_json::from_slice(&frame.unwrap().into_data().unwrap()).unwrap();
        lines.push((line, began.elapsed()));
    }
    assert_eq!(lines.len(), 5);
    assert!(lines[0].1 < Duration::from_millis(1200), "the first does not wait for the last");
    assert!(lines[4].1 > Duration::from_millis(1600), "{:?}", lines[4].1);
    assert!(lines.iter().all(|(line, _)| keys(line) == ACTIVITY));
}

#[tokio::test]
async fn a_slow_route_takes_the_time_that_it_is_told() {
    let backend = Backend::start().await;
    let began = Instant::now();
    assert_eq!(backend.get("/api/slow?ms=300").await.json(), json!({"ms": 300}));
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_caller_says_who_it_is() {
    let backend = Backend::start().await;
    let notified = async |path: &str, user: &[(&str, &str)]| {
        backend.send("GET", path, user, "").await.json()[0]["handle"].as_str().map(str::to_owned)
    };
    let path = "/api/activities/notifications";
    assert_eq!(notified(path, &[]).await.as_deref(), Some("worf"));
    assert_eq!(notified(path, &[("x-user", "worf")]).await.as_deref(), Some("andrewbrown"));
    assert_eq!(notified(&format!("{path}?user=worf"), &[]).await.as_deref(), Some("andrewbrown"));
    assert_eq!(
        notified(&format!("{path}?user=worf"), &[("x-user", "garek")]).await.as_deref(),
        Some("andrewbrown")
    );
    assert_eq!(backend.send("GET", path, &[("x-user", "nobody")], "").await.status, 400);
}

// ===== other origins =====

#[tokio::test]
async fn the_front_end_may_trace_its_requests_and_no_other_origin_may() {
    let vars = [("FRONTEND_URL", "http://localhost:3000/"), ("BACKEND_URL", "https://api.example.com")];
    let backend = Backend::with(&vars, &[]).await;
    for (origin, allowed) in [
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://api.example.com", "https://api.example.com"),
        ("http://localhost:3001", ""),
        ("https://evil.example", ""),
        ("null", ""),
    ] {
        for (method, path) in [("GET", "/api/activities/home"), ("POST", "/api/activities")] {
            let preflight = backend.preflight(path, origin, method).await;
            assert_eq!(preflight.status, 200);
            assert_eq!(preflight.header("access-control-allow-origin"), allowed, "{method} for {origin}");
        }
        let answer = backend.send("GET", "/api/activities/home", &[("origin", origin)], "").await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn a_preflight_allows_what_a_traced_page_sends() {
    let backend = Backend::with(&[("FRONTEND_URL", "http://localhost:3000")], &[]).await;
    let preflight = backend.preflight("/api/activities/home", "http://localhost:3000", "GET").await;
    assert_eq!(sorted(preflight.header("access-control-allow-methods")), "get,head,options,post");
    assert_eq!(
        sorted(preflight.header("access-control-allow-headers")),
        "baggage,content-type,if-modified-since,traceparent,tracestate,x-amzn-trace-id,x-user"
    );
    assert_eq!(preflight.header("x-trace-id"), "", "a preflight is no trace");
    let answer = backend.send("GET", "/rollbar/panic", &[("origin", "http://localhost:3000")], "").await;
    assert_eq!(
        sorted(answer.header("access-control-expose-headers")),
        "link,location,server-timing,traceresponse,x-amzn-trace-id,x-trace-id"
    );
}

#[tokio::test]
async fn without_the_variables_no_other_origin_may_do_anything() {
    let backend = Backend::with(&[("FRONTEND_URL", "*"), ("BACKEND_URL", "")], &[]).await;
    for origin in ["http://localhost:3000", "null", "None", "*"] {
        let preflight = backend.preflight("/api/activities", origin, "POST").await;
        assert_eq!(preflight.header("access-control-allow-origin"), "", "{origin}");
    }
}

// ===== traces =====

#[tokio::test]
async fn a_trace_goes_on_in_the_other_process() {
    let backend = Backend::start().await;
    let answer = backend.send("GET", "/api/activities/home", &[("x-user", "londo")], "").await;
    let spans = backend.console().await.spans(&answer.trace_id(), 5).await;

    let server = Span::find(&spans, "GET /api/activities/home");
    let client = Span::find(&spans, "POST");
    let other = Span::find(&spans, "POST /timelines/{timeline}");
    let rank = Span::find(&spans, "rank");
    let mock = Span::find(&spans, "home-activities-mock-data");
    let services = [server, client, mock, other, rank].map(|span| &*span.service);
    assert_eq!(services, ["backend-flask", "backend-flask", "backend-flask", "timeline", "timeline"]);
    let parents = [server, client, mock, other, rank].map(|span| &*span.parent);
    assert_eq!(parents, ["", &server.id, &server.id, &client.id, &other.id]);
    assert_eq!(server.attribute("app.user_id"), json!({"stringValue": "londo"}));
    assert_eq!(server.attribute("http.route"), json!({"stringValue": "/api/activities/home"}));
    assert_eq!(mock.scope, "home.activities");
    assert_eq!(mock.attribute("app.result_length"), json!({"intValue": "3"}));
    assert!(is_time(&mock.attribute("app.now")["stringValue"]));
}

#[tokio::test]
async fn a_caller_s_trace_goes_on_here() {
    let backend = Backend::start().await;
    let parent = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer = backend.send("GET", "/rollbar/test", &[parent], "").await;
    assert_eq!(answer.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    let spans = backend.console().await.spans(&answer.trace_id(), 1).await;
    assert_eq!(Span::find(&spans, "GET /rollbar/test").parent, "b7ad6b7169203331");
    assert_eq!(Span::find(&spans, "GET /rollbar/test").events(), ["message"]);
}

#[tokio::test]
async fn an_answer_says_how_long_the_server_took_for_which_span() {
    let backend = Backend::start().await;
    let answer = backend.get("/api/slow?ms=50").await;
    let spans = backend.console().await.spans(&answer.trace_id(), 1).await;
    let span = Span::find(&spans, "GET /api/slow");
    let parent = format!("00-{}-{}-", answer.trace_id(), span.id);
    assert!(answer.header("traceresponse").starts_with(&parent), "{}", answer.header("traceresponse"));
    let timing = answer.header("server-timing").strip_prefix("total;dur=").unwrap();
    let (millis, rest) = timing.split_once(", ").unwrap();
    assert!(millis.parse::<f64>().unwrap() >= 50.0, "{timing}");
    assert!(rest.starts_with(&format!("traceparent;desc=\"{parent}")), "{rest}");
}

#[tokio::test]
async fn errors_and_panics_are_exceptions_on_the_span() {
    let backend = Backend::start().await;
    for (path, kind, message) in [
        (
            "/rollbar/error",
            "cruddur::routes::failures::FeedError",
            "the feed cannot be read: the database does not answer",
        ),
        ("/rollbar/panic", "cruddur::error::Panicked", "somebody pressed the button"),
    ] {
        let answer = backend.get(path).await;
        assert!(!answer.text.contains(message), "the caller is told nothing of the inside");
        let spans = backend.console().await.spans(&answer.trace_id(), 1).await;
        let span = Span::find(&spans, &format!("GET {path}"));
        assert_eq!(span.json["status"]["code"], 2, "{path}");
        assert_eq!(span.events(), ["exception"], "{path}");
        let said = |key| attribute(&span.json["events"][0], key)["stringValue"].as_str().map(str::to_owned);
        assert_eq!(said("exception.type").as_deref(), Some(kind));
        assert_eq!(said("exception.message").as_deref(), Some(message));
    }
}

#[tokio::test]
async fn a_stream_s_span_ends_with_the_stream() {
    let backend = Backend::start().await;
    let answer = backend.get("/api/activities/stream").await;
    let spans = backend.console().await.spans(&answer.trace_id(), 1).await;
    let span = Span::find(&spans, "GET /api/activities/stream");
    assert!(span.duration() > Duration::from_millis(1600), "{:?}", span.duration());
    assert_eq!(span.attribute("app.streamed"), json!({"intValue": "5"}));
}

#[tokio::test]
async fn the_page_and_its_files_are_no_traces() {
    let backend = Backend::start().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let answer = backend.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, kind), "{path}");
        assert_eq!(answer.header("x-trace-id"), "", "{path}");
        assert!(!answer.text.contains("https://"), "{path} asks nobody else");
    }
}

#[tokio::test]
async fn the_page_is_there_for_anybody() {
    let backend = Backend::start().await;
    for path in ["/?user=zzz", "/?user=%ff"] {
        let answer = backend.send("GET", path, &[("x-user", "zzz")], "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn traces_go_where_the_environment_says_and_to_both_if_it_says_so() {
    let place = Backend::start().await;
    let there = place.console().await;
    let endpoint = there.0.trim_end_matches('/').to_owned();

    let told = Backend::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)], &[]).await;
    assert_eq!(told.console_url().await, "", "no console of its own");
    let answer = told.get("/api/activities/home").await;
    there.spans(&answer.trace_id(), 5).await;

    let vars =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("CONSOLE", "both"), ("OTEL_SERVICE_NAME", "mine")];
    let both = Backend::with(&vars, &[]).await;
    let answer = both.get("/api/activities/home").await;
    let spans = there.spans(&answer.trace_id(), 5).await;
    assert_eq!(both.console().await.spans(&answer.trace_id(), 5).await.len(), spans.len());
    assert_eq!(Span::find(&spans, "GET /api/activities/home").service, "mine");
    assert_eq!(Span::find(&spans, "rank").service, "timeline");
}

#[tokio::test]
async fn traffic_is_made_when_it_is_asked_for() {
    let backend = Backend::with(&[], &["--traffic", "40"]).await;
    let console = backend.console().await;
    let seen = async {
        while !get(&console.0).await.text.contains("/api/activities/home") {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, seen).await.expect("a request of the traffic is in the list");
}

#[tokio::test]
async fn no_console_is_started_where_nothing_is_sent() {
    for var in
        [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "console"), ("OTEL_SDK_DISABLED", "true")]
    {
        let backend = Backend::with(&[var], &[]).await;
        assert_eq!(backend.console_url().await, "", "{var:?}");
    }
}

// ===== segments =====

#[tokio::test]
async fn a_route_has_the_subsegments_of_the_course() {
    let backend = Backend::start().await;
    let console = backend.console().await;
    for (path, names) in [
        ("/api/activities/home", json!(["activities_home", ["timeline"]])),
        ("/api/activities/notifications", json!(["timeline"])),
        ("/api/activities/@andrewbrown", json!(["activities_users", ["mock-data"]])),
        (&*format!("/api/activities/{CRUD_UUID}"), json!(["activities_show"])),
        ("/api/activities/nowhere", json!(["activities_show"])),
        ("/api/message_groups", json!([])),
    ] {
        let answer = backend.send("GET", path, &[("x-user", "londo")], "").await;
        let segment = console.segment(&answer.trace_id(), "backend-flask").await;
        assert_eq!(names_in(&segment), names, "{path}");
        assert_eq!(segment["user"], "londo", "{path}");
        assert_eq!(segment["annotations"]["app_user_id"], "londo", "{path}");
        assert_eq!(segment["http"]["response"]["status"], answer.status.as_u16(), "{path}");
        assert_eq!(segment["error"] == true, answer.status == 404, "{path}");
        assert_eq!(segment["fault"], Value::Null, "{path}");
    }
}

#[tokio::test]
async fn the_data_of_a_user_s_page_is_described() {
    let backend = Backend::start().await;
    let answer = backend.get("/api/activities/@worf").await;
    let segment = backend.console().await.segment(&answer.trace_id(), "backend-flask").await;
    let mock = &segment["subsegments"][0]["subsegments"][0];
    assert_eq!(mock["annotations"], json!({"handle": "worf"}));
    let key = &mock["metadata"]["namespace"]["key"];
    assert_eq!(keys(key), ["now", "results-size"]);
    assert_eq!(key["results-size"], answer.json().as_array().unwrap().len());
    assert!(is_time(&key["now"]), "{key}");
}

#[tokio::test]
async fn the_other_service_is_a_node_of_its_own() {
    let backend = Backend::start().await;
    let console = backend.console().await;
    let answer = backend.get("/api/activities/home").await;
    let trace = answer.trace_id();
    let here = console.segment(&trace, "backend-flask").await;
    let there = console.segment(&trace, "timeline").await;
    let call = &here["subsegments"][0]["subsegments"][0];
    assert_eq!((&call["name"], &call["namespace"]), (&json!("timeline"), &json!("remote")));
    assert_eq!(call["traced"], true);
    assert_eq!(there["parent_id"], call["id"]);
    assert_eq!(there["trace_id"], here["trace_id"]);

    let spans = console.spans(&trace, 5).await;
    assert_eq!(Span::find(&spans, "GET /api/activities/home").id, text(&here["id"]));
    assert_eq!(Span::find(&spans, "POST").id, text(&call["id"]));
    assert_eq!(Span::find(&spans, "POST /timelines/{timeline}").id, text(&there["id"]));
}

#[tokio::test]
async fn errors_and_panics_are_faults_with_their_cause() {
    let backend = Backend::start().await;
    let console = backend.console().await;
    for (path, said) in [
        ("/rollbar/error", &["the feed cannot be read", "the database does not answer"][..]),
        ("/rollbar/panic", &["somebody pressed the button"]),
    ] {
        let answer = backend.get(path).await;
        let segment = console.segment(&answer.trace_id(), "backend-flask").await;
        assert_eq!(segment["fault"], true, "{path}");
        let exceptions = list(&segment["cause"]["exceptions"]);
        let messages: Vec<_> = exceptions.iter().map(|exception| text(&exception["message"])).collect();
        assert_eq!(messages, said, "{path}");
    }
    let answer = backend.post("/api/activities", json!({})).await;
    let segment = console.segment(&answer.trace_id(), "backend-flask").await;
    assert_eq!((&segment["error"], &segment["fault"]), (&json!(true), &Value::Null), "a 422 is the caller's");
}

#[tokio::test]
async fn a_call_that_nobody_answers_is_a_fault_of_the_call_alone() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let backend = Backend::with(&[("TIMELINE_URL", &format!("http://{free}"))], &[]).await;
    let answer = backend.get("/api/activities/home").await;
    let segment = backend.console().await.segment(&answer.trace_id(), "backend-flask").await;
    let call = &segment["subsegments"][0]["subsegments"][0];
    assert_eq!((&call["name"], &call["fault"]), (&json!("timeline"), &json!(true)));
    assert_ne!(call["cause"], Value::Null);
    assert_eq!((answer.status.as_u16(), &segment["fault"]), (200, &Value::Null));
}

#[tokio::test]
async fn what_fails_is_one_item_with_its_reason_and_its_person() {
    let backend = Backend::start().await;
    let console = backend.console().await;
    for (path, level, body) in [
        ("/rollbar/test?user=worf", "warning", "Hello World!"),
        ("/rollbar/error?user=worf", "error", "the feed cannot be read"),
        ("/rollbar/error?user=worf", "error", "the database does not answer"),
        ("/rollbar/panic?user=worf", "critical", "examples/cruddur/routes/failures.rs"),
    ] {
        let trace = backend.get(path).await.trace_id();
        let items = console.items(&trace).await;
        let [item] = &*items else { panic!("{path}: {items:?}") };
        assert_eq!((text(&item["level"]), text(&item["person"]["id"])), (level.into(), "worf".into()));
        assert!(item["body"].to_string().contains(body), "{path}: {item}");
        assert!(text(&item["context"]).starts_with("GET /rollbar/"), "{item}");
    }
    let trace = backend.get("/api/activities/nowhere").await.trace_id();
    console.spans(&trace, 1).await;
    let answer = get(&format!("{}r/{trace}.rollbar.json", console.0)).await;
    assert_eq!(answer.json(), json!([]), "a 404 is the caller's");
}

#[tokio::test]
async fn with_a_token_items_go_to_where_the_environment_says() {
    let place = console();
    let vars = [("ROLLBAR_ACCESS_TOKEN", "canary"), ("ROLLBAR_ENDPOINT", &*place.rollbar_endpoint())];
    let vars = [&vars[..], &[("ROLLBAR_ENVIRONMENT", "staging"), ("ROLLBAR_CODE_VERSION", "1.2.3")]].concat();
    let backend = Backend::with(&vars, &[]).await;
    let trace = backend.get("/rollbar/error").await.trace_id();
    let items = Console(place.url()).items(&trace).await;
    assert_eq!(
        (text(&items[0]["environment"]), text(&items[0]["code_version"])),
        ("staging".into(), "1.2.3".into())
    );
}

#[tokio::test]
async fn segments_go_to_the_daemon_that_the_environment_names_as_well() {
    let place = console();
    let daemon = place.xray_daemon().unwrap();
    let vars = [("AWS_XRAY_DAEMON_ADDRESS", daemon), ("AWS_XRAY_TRACING_NAME", "mine")];
    let backend = Backend::with(&vars, &[]).await;
    let trace = backend.get("/api/activities/home").await.trace_id();
    for console in [Console(place.url()), backend.console().await] {
        console.segment(&trace, "mine").await;
        console.segment(&trace, "timeline").await;
    }
}

#[tokio::test]
async fn without_x_ray_there_are_no_segments() {
    let backend = Backend::with(&[("AWS_XRAY_SDK_ENABLED", "false")], &[]).await;
    let console = backend.console().await;
    let trace = backend.get("/api/activities/home").await.trace_id();
    console.spans(&trace, 5).await;
    assert_eq!(console.documents(&trace).await, [Value::Null; 0]);
}

// ===== the log =====

#[tokio::test]
async fn each_request_is_a_line_of_the_course_beside_its_trace() {
    let backend = Backend::start().await;
    let console = backend.console().await;
    for (path, shown) in [
        ("/api/activities/home", "127.0.0.1 GET http /api/activities/home? 200 OK"),
        ("/api/activities/search?term=secret", "127.0.0.1 GET http /api/activities/search? 200 OK"),
        ("/api/activities/@nobody", "127.0.0.1 GET http /api/activities/@nobody? 404 Not Found"),
        ("/rollbar/panic", "127.0.0.1 GET http /rollbar/panic? 500 Internal Server Error"),
    ] {
        let trace = backend.get(path).await.trace_id();
        let xray = format!("1-{}-{}", &trace[..8], &trace[8..]);
        let lines = console.lines(&trace, &format!("{shown} {xray}")).await;
        let of_requests = lines.iter().filter(|line| line.contains(" GET http ")).collect::<Vec<_>>();
        let [line] = &*of_requests else { panic!("one line: {lines:?}") };
        let time = line.split_once("] ").unwrap().0;
        assert!(time.starts_with("[20") && time.len() == "[2026-Nov-20 12:26".len(), "{line}");
    }
    assert_eq!(backend.get("/page.css").await.header("x-trace-id"), "", "no line, either");
}

#[tokio::test]
async fn the_feed_says_hello_and_the_other_service_has_a_line_of_its_own() {
    let backend = Backend::start().await;
    let trace = backend.get("/api/activities/home").await.trace_id();
    let console = backend.console().await;
    let hello = console.lines(&trace, "Hello Cloudwatch! from  /api/activities/home").await;
    let hello = hello.iter().find_map(|line| serde_json::from_str::<Value>(line).ok()).unwrap();
    assert_eq!((text(&hello["level"]), text(&hello["trace_id"])), ("INFO".into(), trace.clone()));
    console.lines(&trace, " POST http /timelines/home? 200 OK").await;
    let page = get(&format!("{}r/{trace}", console.0)).await.text;
    for pane in ["aria-label=\"Waterfall\"", "aria-label=\"X-Ray\"", "aria-label=\"Logs\"", "3 lines"] {
        assert!(page.contains(pane), "{pane}: {page}");
    }
}

#[tokio::test]
async fn lines_go_to_the_group_that_the_environment_names_as_well() {
    let place = console();
    let endpoint = place.cloudwatch_endpoint();
    let vars = [
        ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &*endpoint),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "made"),
        ("AWS_SECRET_ACCESS_KEY", "up"),
        ("CLOUDWATCH_LOG_GROUP", "/course/week-2"),
        ("CLOUDWATCH_LOG_STREAM", "backend"),
    ];
    let backend = Backend::with(&vars, &[]).await;
    let trace = backend.get("/rollbar/test").await.trace_id();
    for console in [Console(place.url()), backend.console().await] {
        console.lines(&trace, "GET http /rollbar/test? 200 OK").await;
        let events = get(&format!("{}r/{trace}.cloudwatch.json", console.0)).await.json();
        assert_eq!(events[0]["logGroupName"], "/course/week-2");
        assert_eq!(events[0]["logStreamName"], "backend");
    }
}

#[tokio::test]
async fn a_group_without_a_region_is_told() {
    let backend = command(&[("CLOUDWATCH_LOG_GROUP", "cruddur")], &[]).output().await.unwrap();
    let told = String::from_utf8(backend.stderr).unwrap();
    assert!(!backend.status.success() && told.contains("AWS_REGION"), "{told}");
}

// ===== in a browser =====

#[tokio::test]
async fn the_page_leads_to_traces_that_are_sent_and_to_no_others() {
    const PRESS: &str = "return document.querySelector('#log li:last-child .status:not(.open)') !== null";
    let Some(browser) = webdriver::Browser::start().await else { return };
    for (sampler, links) in [("always_on", 1), ("always_off", 0)] {
        let backend = Backend::with(&[("OTEL_TRACES_SAMPLER", sampler)], &[]).await;
        browser.go(&backend.url).await;
        browser.until(PRESS).await;
        assert_eq!(browser.run("return document.querySelectorAll('#log .trace a').length").await, links);
    }
}

#[tokio::test]
async fn a_button_s_trace_is_seen_within_two_seconds() {
    const SEEN: &str = "const spans = [...document.querySelectorAll('#spans > li')];
        const services = [...document.querySelectorAll('.head .service')].map((service) => service.innerText.trim());
        return spans.length === 5 && spans.every((span) => span.checkVisibility() && span.offsetHeight > 0)
            && ['backend-flask', 'timeline'].every((service) => services.includes(service))";
    let Some(browser) = webdriver::Browser::start().await else { return };
    let backend = Backend::start().await;
    backend.open(&browser).await;
    let pressed = Instant::now();
    browser.click("[data-get='/api/activities/home']").await;
    browser.until(ANSWERED).await;
    browser.follow(TRACE).await;
    browser.until(SEEN).await;
    let took = pressed.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(complaints(&browser).await, [""; 0]);
}

#[tokio::test]
async fn a_panic_s_trace_shows_what_the_panic_said() {
    const SHOWN: &str = "const status = document.querySelector('#panel:not([hidden]) .facts .status');
        return status !== null && status.checkVisibility() && status.innerText";
    let Some(browser) = webdriver::Browser::start().await else { return };
    let backend = Backend::start().await;
    backend.open(&browser).await;
    browser.click("[data-get='/rollbar/panic']").await;
    browser.until(ANSWERED).await;
    assert_eq!(browser.run("return document.querySelector('#log .status').innerText").await, "500");
    browser.follow(TRACE).await;
    assert_eq!(browser.until(SHOWN).await, "Error: somebody pressed the button");
    assert_eq!(complaints(&browser).await, [""; 0]);
}

#[tokio::test]
async fn a_narrow_page_has_its_buttons_first() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    let backend = Backend::start().await;
    browser.resize(480, 800).await;
    browser.go(&backend.url).await;
    let above = "const top = (id) => document.getElementById(id).getBoundingClientRect().top;
        return top('buttons') < top('feed') && top('buttons') < 400";
    browser.until(above).await;
}

// ===== start and stop =====

#[tokio::test]
async fn one_line_with_one_link_is_printed() {
    let mut backend = Backend::start().await;
    backend.get("/api/activities/home").await;
    assert!(backend.process.start_kill().is_ok());
    let mut rest = String::new();
    backend.stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "", "after the line {:?}", backend.url);
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_what_to_do() {
    let first = Backend::start().await;
    let port = first.url.trim_end_matches('/').rsplit(':').next().unwrap();
    let second = command(&[("PORT", port)], &[]).output().await.unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(told.contains("is taken") && told.contains("PORT="), "{told}");
}

#[tokio::test]
async fn what_is_not_understood_is_told() {
    for (vars, args, words) in [
        ([("PORT", "high")], &[][..], "PORT is \"high\""),
        ([("CONSOLE", "yes")], &[], "CONSOLE is \"yes\""),
        ([("TIMELINE_URL", "there")], &[], "TIMELINE_URL is \"there\""),
        ([("PORT", "high")], &["timeline"], "PORT is \"high\""),
        ([("PORT", "high")], &["healthy"], "PORT is \"high\""),
        ([("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")], &[], "OTEL_EXPORTER_OTLP_ENDPOINT is \"nonsense\""),
        ([("HOST", "")], &["--trafic"], "\"--trafic\" means nothing here"),
        ([("HOST", "")], &["--traffic", "1000000"], "at most 200"),
    ] {
        let output = timeout(PATIENCE, command(&vars, args).output()).await.unwrap().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_supervisor_s_signal_ends_it_quickly_and_nothing_is_lost() {
    let mut backend = Backend::start().await;
    let answer = backend.get("/api/activities/home").await;
    assert_eq!(answer.status, 200);
    let began = Instant::now();
    backend.signal("TERM").await;
    let status: ExitStatus = timeout(PATIENCE, backend.process.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let mut told = String::new();
    backend.process.stderr.take().unwrap().read_to_string(&mut told).await.unwrap();
    assert_eq!(told, "", "it has nothing to complain about");
}

#[tokio::test]
async fn the_printed_spans_of_both_processes_are_seen() {
    let mut backend = Backend::with(&[("OTEL_TRACES_EXPORTER", "otlp,console")], &[]).await;
    let answer = backend.get("/api/activities/home").await;
    backend.console().await.spans(&answer.trace_id(), 5).await;
    let mut names = Vec::new();
    let printed = async {
        while names.len() < 5 {
            let mut line = String::new();
            assert!(backend.stdout.read_line(&mut line).await.unwrap() > 0, "{names:?}");
            let name = line.strip_prefix("  \"name\": \"").and_then(|rest| rest.strip_suffix("\",\n"));
            names.extend(name.map(str::to_owned));
        }
    };
    let in_time = timeout(PATIENCE, printed).await.is_ok();
    assert!(in_time, "{names:?}");
    for name in ["rank", "POST /timelines/{timeline}", "GET /api/activities/home"] {
        assert!(names.iter().any(|printed| printed == name), "{name} of {names:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_signal_ends_it_at_once_and_both_say_what_was_lost() {
    // It takes connections and answers nobody.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut backend = Backend::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)], &[]).await;
    assert_eq!(backend.get("/api/activities/home").await.status, 200);
    let mut stderr = backend.process.stderr.take().unwrap();
    let began = Instant::now();
    backend.signal("INT").await;
    sleep(Duration::from_millis(500)).await;
    backend.signal("INT").await;
    let status = timeout(PATIENCE, backend.process.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let mut told = String::new();
    timeout(PATIENCE, stderr.read_to_string(&mut told)).await.expect("both end").unwrap();
    for service in ["backend-flask: ", "timeline: "] {
        let line = told.lines().find(|line| line.starts_with(service));
        assert!(line.is_some_and(|line| line.contains(" lost (")), "{service} in {told}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_dead_endpoint_is_waited_for_by_both_processes_at_once() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut backend = Backend::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)], &[]).await;
    assert_eq!(backend.get("/api/activities/home").await.status, 200);
    let began = Instant::now();
    backend.signal("INT").await;
    timeout(PATIENCE, backend.process.wait()).await.expect("it ends").unwrap();
    assert!(began.elapsed() < Duration::from_millis(6500), "{:?}", began.elapsed());
}

#[cfg(unix)]
#[tokio::test]
async fn the_last_spans_of_both_processes_are_sent_before_it_ends() {
    let place = Backend::start().await;
    let there = place.console().await;
    let endpoint = there.0.trim_end_matches('/').to_owned();
    let mut told = Backend::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)], &[]).await;
    let answer = told.get("/api/activities/home").await;
    told.signal("INT").await;
    timeout(PATIENCE, told.process.wait()).await.expect("it ends").unwrap();
    there.spans(&answer.trace_id(), 5).await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_other_process_does_not_outlive_a_killed_backend() {
    let backend = Backend::start().await;
    let answer = backend.get("/api/activities/home").await;
    let spans = backend.console().await.spans(&answer.trace_id(), 5).await;
    let port = Span::find(&spans, "POST /timelines/{timeline}").attribute("server.port")["intValue"].clone();
    let address = format!("127.0.0.1:{}", port.as_str().unwrap());
    assert!(TcpStream::connect(&address).await.is_ok());
    backend.signal("KILL").await;
    let gone = async {
        while TcpStream::connect(&address).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it ends with its standard input");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_backend_whose_other_process_is_gone_answers_all_the_same() {
    let mut backend = Backend::start().await;
    backend.get("/api/activities/home").await;
    let children = backend.children();
    for child in &children {
        assert!(Command::new("kill").args(["-s", "KILL", child]).status().await.unwrap().success());
    }
    sleep(Duration::from_millis(200)).await;
    let reaped = async {
        while children.iter().any(|child| Path::new("/proc").join(child).exists()) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, reaped).await.expect("it is no zombie");
    let answer = backend.get("/api/activities/home").await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(3));
    let spans = backend.console().await.spans(&answer.trace_id(), 3).await;
    assert_ne!(Span::find(&spans, "GET /api/activities/home").attribute("app.timeline.error"), Value::Null);
    let error = Span::find(&spans, "GET /api/activities/home").attribute("app.timeline.error");
    assert!(text(&error["stringValue"]).contains(": "), "with what lies beneath it: {error}");
    assert_eq!(Span::find(&spans, "POST").json["status"]["code"], 2);

    backend.process.start_kill().unwrap();
    let mut told = String::new();
    backend.process.stderr.take().unwrap().read_to_string(&mut told).await.unwrap();
    assert_eq!(told.matches("the timeline service ended").count(), 1, "{told}");
    assert!(!told.contains('\x1b'), "{told:?}");
}

/// A program whose file is gone cannot start itself once more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_backend_that_cannot_start_the_other_process_says_so_and_serves() {
    use std::os::fd::AsRawFd as _;

    let link = PROGRAM.with_file_name(format!("cruddur-{}", std::process::id()));
    fs::hard_link(&*PROGRAM, &link).unwrap();
    let file = fs::File::open(&link).unwrap();
    fs::remove_file(&link).unwrap();
    let program = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());

    let mut backend = Backend::of(command_of(Path::new(&program), &[], &[])).await;
    assert_eq!(backend.get("/api/activities/home").await.json().as_array().map(Vec::len), Some(3));
    assert_eq!(backend.get("/api/activities/notifications").await.json()[0]["handle"], "worf");
    backend.process.start_kill().unwrap();
    let mut told = String::new();
    backend.process.stderr.take().unwrap().read_to_string(&mut told).await.unwrap();
    assert!(told.contains("no timeline service"), "{told}");
}

#[tokio::test]
async fn the_other_service_ends_with_its_standard_input() {
    let mut process = command(&[], &["timeline", "--child"]).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(&address).await.is_ok());
    drop(process.stdin.take());
    assert!(timeout(PATIENCE, process.wait()).await.expect("it ends").unwrap().success());
}

// ===== as two services =====

#[tokio::test]
async fn a_backend_that_is_told_where_the_other_service_is_starts_none() {
    let place = Backend::start().await;
    let there = place.console().await;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", there.0.trim_end_matches('/'));
    let timeline = Backend::of_service("Listening on ", command(&[endpoint], &["timeline"])).await;
    let backend = Backend::with(&[endpoint, ("TIMELINE_URL", &timeline.url)], &[]).await;

    let answer = backend.get("/api/activities/home").await;
    let spans = there.spans(&answer.trace_id(), 5).await;
    let (client, server) = (Span::find(&spans, "POST"), Span::find(&spans, "POST /timelines/{timeline}"));
    assert_eq!((&*server.service, &server.parent), ("timeline", &client.id));
    let port = timeline.url.trim_end_matches('/').rsplit(':').next().unwrap();
    assert_eq!(client.attribute("server.port"), json!({"intValue": port}));
    if cfg!(target_os = "linux") {
        assert_eq!(backend.children(), [""; 0]);
        assert_ne!(place.children(), [""; 0], "it would be seen");
    }
}

#[tokio::test]
async fn a_backend_whose_other_service_is_nowhere_answers_all_the_same() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let backend = Backend::with(&[("TIMELINE_URL", &format!("http://{free}"))], &[]).await;
    assert_eq!(backend.get("/api/activities/home").await.json().as_array().map(Vec::len), Some(3));
}

#[cfg(unix)]
#[tokio::test]
async fn the_other_service_alone_ends_with_a_supervisor_s_signal() {
    let mut timeline = Backend::of_service("Listening on ", command(&[], &["timeline"])).await;
    drop(timeline._stdin);
    assert_eq!(get(&timeline.url).await.status, 404, "its standard input does not matter");
    let id = timeline.process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().await.unwrap().success());
    let status = timeout(PATIENCE, timeline.process.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_service_that_takes_connections_is_healthy_and_one_that_is_gone_is_not() {
    let mut backend = Backend::start().await;
    let port = backend.url.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    for (host, healthy) in [("", true), ("0.0.0.0", true), ("127.0.0.1", true)] {
        assert_eq!(is_healthy(host, &port).await, healthy, "{host}");
    }
    backend.process.kill().await.unwrap();
    assert!(!is_healthy("", &port).await);
}

async fn is_healthy(host: &str, port: &str) -> bool {
    let mut asked = command(&[("HOST", host), ("PORT", port)], &["healthy"]);
    timeout(PATIENCE, asked.status()).await.expect("it says so").unwrap().success()
}

// ===== the program =====

/// The program, running. It is killed when this is dropped.
struct Backend {
    process: Child,
    stdout: BufReader<ChildStdout>,
    _stdin: ChildStdin,
    url: String,
}

/// A console's page.
struct Console(String);

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

/// A span as the console tells it.
struct Span {
    service: String,
    scope: String,
    id: String,
    parent: String,
    json: Value,
}

// ===== impl Backend =====

impl Backend {
    async fn start() -> Self {
        Self::with(&[], &[]).await
    }

    async fn with(vars: &[(&str, &str)], args: &[&str]) -> Self {
        Self::of(command(vars, args)).await
    }

    async fn of(command: Command) -> Self {
        Self::of_service("Open ", command).await
    }

    /// What prints one line: these words, and its link.
    async fn of_service(words: &str, mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let stdin = process.stdin.take().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        timeout(PATIENCE, stdout.read_line(&mut line)).await.expect("it prints its link").unwrap();
        let url = line.strip_prefix(words).expect("the line is the link").trim().to_owned();
        Self { process, stdout, _stdin: stdin, url }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{}", self.url.trim_end_matches('/'), path)
    }

    async fn get(&self, path: &str) -> Answer {
        get(&self.at(path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[("content-type", JSON)], &body.to_string()).await
    }

    async fn preflight(&self, path: &str, origin: &str, method: &str) -> Answer {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", "content-type,traceparent"),
        ];
        self.send("OPTIONS", path, &headers, "").await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut builder = Request::builder().method(method).uri(self.at(path));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        Answer::to(builder.body(Full::from(body.to_owned())).unwrap()).await
    }

    /// Opens the page, and waits for the request that it makes by itself.
    async fn open(&self, browser: &webdriver::Browser) {
        browser.go(&self.url).await;
        browser
            .until("return document.querySelector('#log li:only-child .status:not(.open)') !== null")
            .await;
    }

    /// What the page says where the console is.
    async fn console_url(&self) -> String {
        let page = self.get("/").await.text;
        let (_, rest) = page.split_once("data-console=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    async fn console(&self) -> Console {
        Console(self.console_url().await)
    }

    /// The processes that it started, on Linux.
    fn children(&self) -> Vec<String> {
        let id = self.process.id().unwrap();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().map(str::to_owned).collect()
    }

    #[cfg(unix)]
    async fn signal(&self, name: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().await.unwrap().success());
    }
}

// ===== impl Console =====

impl Console {
    /// The spans of a trace, once there are so many.
    async fn spans(&self, trace_id: &str, count: usize) -> Vec<Span> {
        let url = format!("{}r/{trace_id}.json", self.0);
        let mut spans = Vec::new();
        let arrived = async {
            while spans.len() < count {
                sleep(Duration::from_millis(50)).await;
                spans = Span::all(&get(&url).await);
            }
        };
        let in_time = timeout(PATIENCE, arrived).await.is_ok();
        let names: Vec<_> = spans.iter().map(|span| &span.json["name"]).collect();
        assert!(in_time && spans.len() == count, "{count} spans of {url}: {names:?}");
        spans
    }
}

// ===== impl Console, of X-Ray and Rollbar =====

impl Console {
    /// The segment of a service, once it is here.
    async fn segment(&self, trace_id: &str, service: &str) -> Value {
        let arrived = async {
            loop {
                let documents = self.documents(trace_id).await;
                if let Some(segment) = documents.into_iter().find(|segment| segment["name"] == service) {
                    return segment;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, arrived).await.unwrap_or_else(|_| panic!("no segment of {service} in {trace_id}"))
    }

    /// What Rollbar got of it, once there is something.
    async fn items(&self, trace_id: &str) -> Vec<Value> {
        let arrived = async {
            loop {
                let answer = get(&format!("{}r/{trace_id}.rollbar.json", self.0)).await;
                if answer.status == 200 && answer.json() != json!([]) {
                    return list(&answer.json()).to_vec();
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, arrived).await.unwrap_or_else(|_| panic!("no item of {trace_id}"))
    }

    /// The messages of the log, once one of them has this in it.
    async fn lines(&self, trace_id: &str, wanted: &str) -> Vec<String> {
        let found = async {
            loop {
                let answer = get(&format!("{}r/{trace_id}.cloudwatch.json", self.0)).await;
                let events = if answer.status == 200 { answer.json() } else { json!([]) };
                let lines: Vec<_> = list(&events).iter().map(|event| text(&event["message"])).collect();
                if lines.iter().any(|line| line.contains(wanted)) {
                    return lines;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no line {wanted:?}"))
    }

    async fn documents(&self, trace_id: &str) -> Vec<Value> {
        let answer = get(&format!("{}r/{trace_id}.xray.json", self.0)).await;
        if answer.status == 200 { list(&answer.json()).to_vec() } else { Vec::new() }
    }
}

// ===== impl Span =====

impl Span {
    fn all(answer: &Answer) -> Vec<Self> {
        if answer.status != 200 {
            return Vec::new();
        }
        let mut spans = Vec::new();
        for resource in list(&answer.json()["resourceSpans"]) {
            let service = text(&attribute(&resource["resource"], "service.name")["stringValue"]);
            for scope in list(&resource["scopeSpans"]) {
                let name = text(&scope["scope"]["name"]);
                spans.extend(list(&scope["spans"]).iter().map(|json| Self::of(&service, &name, json)));
            }
        }
        spans
    }

    fn of(service: &str, scope: &str, json: &Value) -> Self {
        let (service, scope) = (service.to_owned(), scope.to_owned());
        Self {
            service,
            scope,
            id: text(&json["spanId"]),
            parent: text(&json["parentSpanId"]),
            json: json.clone(),
        }
    }

    fn find<'a>(spans: &'a [Self], name: &str) -> &'a Self {
        spans.iter().find(|span| span.json["name"] == name).expect(name)
    }

    fn attribute(&self, key: &str) -> Value {
        attribute(&self.json, key)
    }

    fn events(&self) -> Vec<&str> {
        list(&self.json["events"]).iter().filter_map(|event| event["name"].as_str()).collect()
    }

    fn duration(&self) -> Duration {
        let nanos = |key| text(&self.json[key]).parse::<u64>().unwrap();
        Duration::from_nanos(nanos("endTimeUnixNano") - nanos("startTimeUnixNano"))
    }
}

// ===== impl Answer =====

impl Answer {
    async fn to(request: Request<Full<Bytes>>) -> Self {
        let response = timeout(PATIENCE, client().request(request)).await.expect("an answer").unwrap();
        let (head, body) = response.into_parts();
        let body = timeout(PATIENCE, body.collect()).await.expect("the whole answer").unwrap().to_bytes();
        Self { status: head.status, headers: head.headers, text: String::from_utf8(body.into()).unwrap() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    /// A header's value; empty if it is not there.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn trace_id(&self) -> String {
        let id = self.header("x-trace-id");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id:?}");
        id.to_owned()
    }
}

/// What the browser complained about, but for statuses that are meant: the panic's, and that of a trace that is not
/// here yet.
async fn complaints(browser: &webdriver::Browser) -> Vec<String> {
    let is_meant = |complaint: &str| {
        [("/rollbar/panic - Failed to load", " 500 "), ("/r/", " 404 ")]
            .iter()
            .any(|(of, status)| complaint.contains(of) && complaint.contains(status))
    };
    browser.complaints().await.into_iter().filter(|complaint| !is_meant(complaint)).collect()
}

/// A console that is not the example's own.
fn console() -> belvedere::console::Console {
    let free = "127.0.0.1:0".parse().unwrap();
    belvedere::console::Console::builder().address(free).xray(free).xray_sampling(1, 1.0).start().unwrap()
}

async fn get(url: &str) -> Answer {
    Answer::to(Request::get(url).body(Full::default()).unwrap()).await
}

fn client() -> Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// The program with these variables and none of those that whoever runs the tests may have.
fn command(vars: &[(&str, &str)], args: &[&str]) -> Command {
    command_of(&PROGRAM, vars, args)
}

fn command_of(program: &Path, vars: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars().filter(|(name, _)| is_read(name)) {
        command.env_remove(name);
    }
    command
        .env("PORT", "0")
        .envs(vars.iter().copied())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn is_read(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "HOST",
        "PORT",
        "FRONTEND_URL",
        "BACKEND_URL",
        "TIMELINE_URL",
        "CONSOLE",
        "RUST_LOG",
        "RUST_BACKTRACE",
    ];
    const PREFIXES: [&str; 7] =
        ["OTEL_", "HONEYCOMB_", "AWS_", "BELVEDERE_", "ECS_", "ROLLBAR_", "CLOUDWATCH_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The example beside this test, built as it is now. Not every command that builds tests also builds examples.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let this = env::current_exe().unwrap();
    let profile = this.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    let program = profile.join("examples").join(format!("cruddur{}", env::consts::EXE_SUFFIX));
    build(profile);
    assert!(
        fs::exists(&program).unwrap(),
        "{program:?} is not there: run `cargo build --examples --all-features`"
    );
    program
});

fn build(profile: &Path) {
    let name = match profile.file_name().and_then(|name| name.to_str()).expect("a profile's folder") {
        "debug" => "dev",
        name => name,
    };
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "--quiet",
        "--example",
        "cruddur",
        "--all-features",
    ]);
    cargo.args(["--profile", name, "--target-dir"]).arg(profile.parent().expect("profiles lie in a folder"));
    // What cargo tells a test about its package makes build scripts think that they have to run again.
    for (name, _) in
        env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG") || name.starts_with("CARGO_MANIFEST"))
    {
        cargo.env_remove(name);
    }
    // Where there is no cargo, the tests were built elsewhere, and the example with them.
    if let Ok(status) = cargo.status() {
        assert!(status.success(), "the example does not build");
    }
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn sorted(list: &str) -> String {
    let list = list.to_ascii_lowercase();
    let mut words: Vec<_> = list.split(',').map(str::trim).collect();
    words.sort_unstable();
    words.join(",")
}

fn attribute(of: &Value, key: &str) -> Value {
    list(&of["attributes"])
        .iter()
        .find(|attribute| attribute["key"] == key)
        .map_or(Value::Null, |found| found["value"].clone())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The names of a segment's subsegments, each before those of its own.
fn names_in(segment: &Value) -> Value {
    let mut names = Vec::new();
    for subsegment in list(&segment["subsegments"]) {
        names.push(subsegment["name"].clone());
        names.extend(Some(names_in(subsegment)).filter(|within| *within != json!([])));
    }
    names.into()
}

/// ISO 8601 with an offset.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z')
}

const ACTIVITY: &[&str] = &[
    "created_at",
    "display_name",
    "expires_at",
    "handle",
    "likes_count",
    "message",
    "replies",
    "replies_count",
    "reposts_count",
    "uuid",
];
/// The page's second request, the one that a button made, is over.
const ANSWERED: &str =
    "return document.querySelector('#log li:first-child:nth-last-child(2) .status:not(.open)') !== null";
const TRACE: &str = "#log li:first-child .trace a";
const CRUD_UUID: &str = "0a7c3a52-4f0e-4c57-9a51-6f1f6d2f8b01";
const JSON: &str = "application/json";
/// For a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);
