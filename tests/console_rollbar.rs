//! The console as Rollbar: over real sockets, with the payloads of other SDKs, and from the crate's own layer.

#![cfg(all(feature = "console", feature = "rollbar"))]

use std::fs;
use std::time::Duration;

use belvedere::console::Console;
use belvedere::exchange::{Annotations, HandlerError};
use belvedere::outbox::Outbox;
use belvedere::rollbar::{self, Api, ItemLane, Level, RollbarLayer};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

#[path = "support/console.rs"]
mod page;
#[path = "support/webdriver.rs"]
mod webdriver;

use page::{Answer, Events, get, send, start};

const ID: &str = "6b003f3afb249ace0123456789abcdef";
const UUID: &str = "1d1b0c52-7a3e-4b45-9c57-9f2f6f0a3c12";
const PLAIN_UUID: &str = "1d1b0c527a3e4b459c579f2f6f0a3c12";
const TOKEN: (&str, &str) = ("x-rollbar-access-token", "canary-token");

// ===== what is taken =====

#[tokio::test]
async fn an_item_stands_with_the_trace_that_it_names() {
    let console = start();
    for custom in
        [json!({ "trace_id": ID }), json!({ "xray_trace_id": format!("1-{}-{}", &ID[..8], &ID[8..]) })]
    {
        let answer = post(&console, &data(json!({ "custom": custom }))).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let attribute = json!([{ "key": "other", "value": "x" }, { "key": "trace_id", "value": ID }]);
    post(&console, &data(json!({ "attributes": attribute }))).await;
    let headers = json!({ "headers": { "Traceparent": format!("00-{ID}-00f067aa0ba902b7-01") } });
    post(&console, &data(json!({ "request": headers }))).await;
    let items: Vec<Value> =
        serde_json::from_slice(&get(&console, &format!("/r/{ID}.rollbar.json")).await.body).unwrap();
    assert_eq!(items.len(), 4);
}

#[tokio::test]
async fn an_item_of_no_trace_is_found_by_its_uuid() {
    let console = start();
    let answer = post(&console, &golden("message-with-request")).await;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer, json!({ "err": 0, "result": { "id": null, "uuid": UUID } }));
    let list = get(&console, "/").await.text();
    for shown in [PLAIN_UUID, "POST", "/cups/17", "class=\"grade info\""] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    let found = get(&console, &format!("/?q={UUID}")).await;
    assert_eq!(found.header("location"), format!("/r/{PLAIN_UUID}"));
    let page = get(&console, &format!("/r/{PLAIN_UUID}")).await.text();
    for shown in [
        "A cup was broken",
        "shards.left",
        "picard@example.org",
        "198.51.100.0",
        "cup",
        "broken-cup",
        "Raw JSON",
        "Rollbar uuid",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("aria-label=\"Waterfall\"") && !page.contains("aria-label=\"X-Ray\""));
}

#[tokio::test]
async fn the_uuid_of_an_item_leads_to_its_trace() {
    let console = start();
    post(&console, &data(json!({ "uuid": UUID, "custom": { "trace_id": ID } }))).await;
    assert_eq!(get(&console, &format!("/?q={UUID}")).await.header("location"), format!("/r/{ID}"));
}

#[tokio::test]
async fn a_chain_is_shown_with_its_frames_the_last_call_on_top() {
    let console = start();
    let frames = json!([
        { "filename": "/cargo/tokio/src/task.rs", "lineno": 7, "method": "run" },
        { "filename": "/srv/shop/src/carts.rs", "lineno": 42, "method": "shop::carts::pay", "code": "pay(&cart)?;",
          "context": { "pre": ["let cart = cart();"], "post": ["Ok(())"] } },
    ]);
    let exception = |class, message| json!({ "class": class, "message": message });
    let chain = json!([
        { "frames": frames, "exception": exception("PayError", "no payment") },
        { "frames": [], "exception": exception("io::Error", "the line is dead") },
    ]);
    let telemetry = json!([{ "level": "info", "type": "log", "source": "server", "timestamp_ms": 1_795_200_001_000_u64,
        "body": { "message": "the cart is full" } }]);
    let item = json!({ "environment": "production", "level": "critical", "timestamp": 1_795_200_003.5, "uuid": UUID,
        "body": { "trace_chain": chain, "telemetry": telemetry }, "server": { "root": "/srv/shop" } });
    post(&console, &json!({ "data": item })).await;
    let page = get(&console, &format!("/r/{PLAIN_UUID}")).await.text();
    for shown in [
        "PayError: no payment",
        "caused by ",
        "the line is dead",
        "class=\"grade critical\"",
        "title=\"/srv/shop/src/carts.rs\">src/carts.rs:42<",
        "in project",
        "pay(&amp;cart)?;",
        "let cart = cart();",
        "the cart is full",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(page.find("carts.rs:42") < page.find("task.rs:7"));
    assert_eq!(page.matches("in project").count(), 1);
    let list = get(&console, "/?errors=1").await.text();
    assert!(list.contains("class=\"row failed\"") && list.contains("PayError: no payment"), "{list}");
}

#[tokio::test]
async fn what_other_sdks_send_is_taken() {
    let console = start();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rollbar");
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let answer = post(&console, &serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()).await;
        // Its request is a text.
        let is_odd = path.ends_with("odd-values.json");
        assert_eq!(answer.status == StatusCode::OK, !is_odd, "{path:?}: {}", answer.text());
        count += usize::from(!is_odd);
    }
    let list = get(&console, "/").await.text();
    assert_eq!(list.matches("class=\"row ").count(), count);
    for id in list.split("href=\"/r/").skip(1).filter_map(|rest| rest.split_once('"')) {
        assert_eq!(get(&console, &format!("/r/{}", id.0)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_item_that_is_sent_again_is_one_item() {
    let console = start();
    for _ in 0..2 {
        assert_eq!(post(&console, &golden("message-with-request")).await.status, StatusCode::OK);
    }
    let items = get(&console, &format!("/r/{PLAIN_UUID}.rollbar.json")).await;
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&items.body).unwrap().len(), 1);
}

// ===== what is refused =====

#[tokio::test]
async fn what_rollbar_refuses_is_refused() {
    let console = start();
    let frame = json!({ "frames": [7], "exception": { "class": "E" } });
    for (status, item) in [
        (400, "{".to_owned()),
        (400, String::new()),
        (400, "[".repeat(100_000)),
        (422, "[]".to_owned()),
        (422, "{}".to_owned()),
        (422, json!({ "data": "text" }).to_string()),
        (422, json!({ "data": { "body": {} } }).to_string()),
        (422, json!({ "data": { "body": { "message": "text" } } }).to_string()),
        (422, json!({ "data": { "body": { "message": { "body": 7 } } } }).to_string()),
        (422, json!({ "data": { "body": { "trace_chain": [] } } }).to_string()),
        (422, json!({ "data": { "body": { "trace": { "frames": [] } } } }).to_string()),
        (422, json!({ "data": { "body": { "trace": frame } } }).to_string()),
        (422, data(json!({ "request": "********" })).to_string()),
        (413, data(json!({ "custom": { "long": "x".repeat(1 << 20) } })).to_string()),
        (413, data(json!({ "custom": { "many": vec![1; 1 << 18] } })).to_string()),
    ] {
        let answer = send(&console, Method::POST, "/api/1/item/", &[TOKEN], item.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{item:.80}: {}", answer.text());
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(told["err"] == 1 && told["message"].is_string(), "{told}");
    }
    let list = get(&console, "/").await.text();
    assert!(list.contains("has refused what came") && !list.contains("class=\"row "), "{list}");
}

#[tokio::test]
async fn any_token_will_do_and_none_will_not() {
    let console = start();
    let item = data(json!({ "uuid": UUID }));
    let answer = send(&console, Method::POST, "/api/1/item", &[], item.to_string()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let mut with_token = item;
    with_token["access_token"] = json!("canary-token");
    let answer = send(&console, Method::POST, "/api/1/item", &[], with_token.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!everything(&console, PLAIN_UUID).await.contains("canary-token"));
}

#[tokio::test]
async fn a_page_of_somewhere_else_may_not_post() {
    let console = start();
    let body = data(json!({})).to_string();
    let foreign = [TOKEN, ("origin", "https://evil.example")];
    let answer = send(&console, Method::POST, "/api/1/item/", &foreign, body.clone()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let own = [TOKEN, ("origin", "http://localhost:3000")];
    let answer = send(&console, Method::POST, "/api/1/item/", &own, body).await;
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    let answer = send(&console, Method::OPTIONS, "/api/1/item/", &own[1..], "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(
        send(&console, Method::GET, "/api/1/item/", &[], "").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn credentials_are_masked_and_markup_is_text() {
    let console = start();
    let headers = json!({ "Authorization": "Bearer canary", "Cookie": "sid=canary", "X-Rollbar-Access-Token": "canary" });
    let hostile = "<script>alert(1)</script>";
    let item = data(json!({
        "uuid": UUID, "title": hostile, "context": hostile, "environment": hostile,
        "request": { "headers": headers, "url": format!("http://x/{hostile}"), "method": hostile },
        "custom": { hostile: hostile, "access_token": "canary", "nested": [{ "Set-Cookie": "canary" }] },
        "body": { "trace": {
            "frames": [{ "filename": hostile, "method": hostile, "code": hostile, "lineno": hostile }],
            "exception": { "class": hostile, "message": hostile },
        } },
    }));
    assert_eq!(post(&console, &item).await.status, StatusCode::OK);
    let all = everything(&console, PLAIN_UUID).await;
    assert!(!all.contains("canary") && all.contains("••••••"));
    let pages = [get(&console, "/").await.text(), get(&console, &format!("/r/{PLAIN_UUID}")).await.text()];
    assert!(pages.iter().all(|page| !page.contains("<script>alert")));
}

#[tokio::test]
async fn odd_values_are_shown_and_break_nothing() {
    let console = start();
    let mut deep = json!("deep");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    for odd in [json!(null), json!(7), json!([]), json!({}), json!([[1]]), json!(true), json!(-1e300), deep] {
        for key in [
            "level",
            "timestamp",
            "uuid",
            "context",
            "title",
            "fingerprint",
            "attributes",
            "environment",
            "language",
        ] {
            let answer = post(&console, &data(json!({ key: odd }))).await;
            assert_eq!(answer.status, StatusCode::OK, "{key} {odd}: {}", answer.text());
        }
        for (part, key) in [
            ("request", "url"),
            ("request", "headers"),
            ("custom", "trace_id"),
            ("person", "id"),
            ("server", "root"),
        ] {
            post(&console, &data(json!({ part: { key: odd } }))).await;
        }
        let body = json!({ "message": { "body": "hello", "more": odd }, "telemetry": [odd], "trace": odd });
        post(&console, &data(json!({ "body": body }))).await;
    }
    let list = get(&console, "/").await.text();
    for id in list.split("href=\"/r/").skip(1).filter_map(|rest| rest.split_once('"')) {
        assert_eq!(get(&console, &format!("/r/{}", id.0)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_trace_has_room_for_so_many_items() {
    let console = start();
    let item = data(json!({ "custom": { "trace_id": ID } }));
    for _ in 0..100 {
        assert_eq!(post(&console, &item).await.status, StatusCode::OK);
    }
    let answer = post(&console, &item).await;
    assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.text().contains("full"));
}

// ===== live, and from the crate itself =====

#[tokio::test]
async fn a_line_of_items_alone_says_the_gravest_level() {
    let console = start();
    for (level, timestamp) in [("warning", 1), ("critical", 2), ("info", 3)] {
        let custom = json!({ "trace_id": ID });
        post(&console, &data(json!({ "custom": custom, "level": level, "timestamp": timestamp }))).await;
    }
    let list = get(&console, "/").await.text();
    let (_, line) = list.split_once(&format!("id=\"t-{ID}\"")).unwrap();
    let (line, _) = line.split_once("</tr>").unwrap();
    assert!(line.contains("critical") && !line.contains("warning"), "{line}");
}

#[tokio::test]
async fn a_browser_gives_an_item_s_name_all_the_room_of_a_narrow_page() {
    let Some(browser) = webdriver::Browser::start().await else { return };
    let console = start();
    let title = "a title of one line";
    post(&console, &data(json!({ "custom": { "trace_id": ID }, "title": title }))).await;
    browser.resize(480, 800).await;
    browser.go(&format!("{}r/{ID}", console.url())).await;
    let room = "const [when, line] = ['.when time', 'summary'].map((part) =>
        document.querySelector(`#items ${part}`).getBoundingClientRect().right);
        return line - when < 24;";
    assert_eq!(browser.run(room).await, true, "the time is at the end of the line");
}

#[tokio::test]
async fn a_list_that_listens_is_told_of_an_item() {
    let console = start();
    let mut list = Events::listen(&console, "/events", &[]).await;
    let mut one = Events::listen(&console, &format!("/events?trace={ID}"), &[]).await;
    post(&console, &data(json!({ "custom": { "trace_id": ID }, "level": "critical" }))).await;
    assert!(list.next("rows").await.contains("grade critical"));
    assert!(one.next("trace").await.contains(ID));
}

#[tokio::test]
async fn what_the_layer_reports_is_there() {
    let console = start();
    let outbox = Outbox::builder().start().unwrap();
    let api = Api::new("canary-token".parse().unwrap()).endpoint(console.rollbar_endpoint().parse().unwrap());
    let layer = RollbarLayer::on(ItemLane::new(&outbox, api).unwrap()).environment("local");
    let service = service_fn(async |request: Request<String>| {
        let annotations = Annotations::current();
        annotations.insert("user_id", "worf");
        annotations.insert("cart", 17);
        rollbar::report_message(Level::Warning, "Hello World!");
        let mut response = Response::new(String::new());
        if request.uri().path() == "/carts" {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response.extensions_mut().insert(HandlerError::new(std::io::Error::other("the cart is gone")));
        }
        Ok::<_, std::io::Error>(response)
    });
    let service = ServiceBuilder::new().layer(layer).service(service);
    let request = Request::get("http://shop.example/carts?password=canary")
        .header("traceparent", format!("00-{ID}-00f067aa0ba902b7-01"))
        .body(String::new());
    let response = service.oneshot(request.unwrap()).await.unwrap();
    drop(http_body_util::BodyExt::collect(response.into_body()).await.unwrap());
    assert!(outbox.shutdown(Duration::from_secs(5)).await.lost() == 0);
    let page = get(&console, &format!("/r/{ID}")).await.text();
    for shown in [
        "Hello World!",
        "warning",
        "the cart is gone",
        "console_rollbar.rs",
        "worf",
        "cart",
        "local",
        "2 items",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!everything(&console, ID).await.contains("canary"));
    let list = get(&console, "/").await.text();
    assert!(list.contains("error +1"), "{list}");
}

fn data(more: Value) -> Value {
    let mut item = json!({ "environment": "test", "body": { "message": { "body": "hello" } } });
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "data": item })
}

fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/rollbar/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

async fn post(console: &Console, item: &Value) -> Answer {
    send(console, Method::POST, "/api/1/item/", &[TOKEN], item.to_string()).await
}

/// All that the console shows of a trace.
async fn everything(console: &Console, id: &str) -> String {
    let mut all = get(console, "/").await.text();
    for path in [format!("/r/{id}"), format!("/r/{id}.rollbar.json")] {
        all += &get(console, &path).await.text();
    }
    all
}
