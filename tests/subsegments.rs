//! What handlers do inside of a segment: subsegments across awaits, tasks and threads, facts, errors, and what outlives it.
#![cfg(feature = "full")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/log.rs"]
mod log;
#[path = "support/segments.rs"]
mod segments;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    convert::Infallible,
    future::pending,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, StatusCode},
    response::Response,
};
use belvedere::{
    exchange::{Annotations, Value},
    trace::{InScope as _, SpanId},
    xray::{
        self, ContextMissing, Document, Namespace, OpenSubsegment, Sampler, Sql, Status, Subsegment,
        XRayLayer,
    },
};
use futures_util::FutureExt as _;
use opentelemetry::Context;
use proptest::prelude::*;
use segments::{Traced, Wrapped, exceptions, json, outline};
use tokio::{
    sync::oneshot,
    task::{spawn_blocking, yield_now},
    time::{sleep, timeout},
};
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutLayer;

// ===== captures =====

#[tokio::test]
async fn a_capture_is_a_subsegment_with_all_that_is_added_inside_of_it() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            xray::annotate("cart", 17);
            xray::user("worf");
            let loaded = xray::capture("load items", async {
                xray::annotate("hits", 3);
                xray::metadata("db", "plan", ["scan", "sort"]);
                xray::capture("parse", async { yield_now().await }).await;
                "three"
            });
            assert_eq!(loaded.await, "three");
        })
        .await;
    let segment = traced.segment().await;
    assert_eq!(outline(&segment.subsegments), "load items(parse)");
    let (whole, load) = (json(&segment), json(&segment.subsegments[0]));
    assert_eq!(whole["annotations"], json(&HashMap::from([("cart", 17)])));
    assert_eq!(whole["user"], "worf");
    assert_eq!(load["annotations"], json(&HashMap::from([("hits", 3)])));
    assert_eq!(load["metadata"]["db"]["plan"], json(&["scan", "sort"]));
    assert!(load.get("namespace").is_none() && load.get("fault").is_none());
    let time = |value: &serde_json::Value, key: &str| value[key].as_f64().unwrap();
    assert!(time(&whole, "start_time") <= time(&load, "start_time"));
    assert!(time(&load, "end_time") <= time(&whole, "end_time") + 1e-3);
}

#[tokio::test]
async fn concurrent_captures_are_siblings_each_with_its_own() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let step = |outer: &'static str, inner: &'static str| {
                xray::capture(outer, async move {
                    yield_now().await;
                    xray::capture(inner, async { yield_now().await }).await;
                    yield_now().await;
                    assert!(xray::current().is_recorded());
                })
            };
            let (one, other) = (step("a", "a1"), step("b", "b1"));
            tokio::join!(one, other);
        })
        .await;
    let segment = traced.segment().await;
    assert!(["a(a1) b(b1)", "b(b1) a(a1)"].contains(&&*outline(&segment.subsegments)), "{segment:#?}");
}

#[tokio::test]
async fn items_of_a_body_are_captured_in_its_segment() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let items = futures_util::stream::unfold(0, |n| async move {
                let item = xray::capture(format!("item {n}"), async move {
                    yield_now().await;
                    Ok::<_, io::Error>("data: x\n\n")
                });
                if n < 3 { Some((item.await, n + 1)) } else { None }
            });
            Body::from_stream(items)
        })
        .await;
    assert_eq!(outline(&traced.segment().await.subsegments), "item 0 item 1 item 2");
}

#[tokio::test]
async fn captures_keep_their_place_in_tasks_and_on_threads() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            xray::capture("outer", async {
                let spawned = tokio::spawn(xray::capture("spawned", async { yield_now().await }));
                let scoped = tokio::spawn(async { xray::capture("scoped", async {}).await }.in_scope());
                let blocking = spawn_blocking((|| drop(xray::subsegment("blocking"))).in_scope());
                spawned.await.unwrap();
                scoped.await.unwrap();
                blocking.await.unwrap();
            })
            .await;
            tokio::spawn(async { xray::capture("nowhere", async {}).await }).await.unwrap();
        })
        .await;
    let segment = traced.segment().await;
    let mut names: Vec<_> =
        segment.subsegments[0].subsegments.iter().map(|inner| inner.entity.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["blocking", "scoped", "spawned"]);
    assert_eq!(segment.subsegments.len(), 1, "what takes no scope along has none");
}

#[tokio::test]
async fn a_capture_takes_the_request_s_annotations_and_trace_along_into_a_task() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            tokio::spawn(xray::capture("task", async {
                Annotations::current().insert("from_task", true);
            }))
            .await
            .unwrap();
        })
        .await;
    assert_eq!(json(&traced.segment().await)["annotations"]["from_task"], true);
}

#[tokio::test]
async fn a_capture_that_is_never_polled_never_was() {
    let traced = Traced::new("shop").await;
    traced.serve(|| async { drop(xray::capture("never", async {})) }).await;
    assert!(traced.segment().await.subsegments.is_empty());
}

#[tokio::test]
async fn a_capture_that_is_dropped_says_so_and_is_no_fault() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let slow = xray::capture("slow", async {
                let _inner = xray::capture("inner", async { sleep(Duration::from_secs(3600)).await }).await;
            });
            drop(tokio::time::timeout(Duration::from_millis(5), slow).await);
        })
        .await;
    let segment = traced.segment().await;
    assert_eq!(outline(&segment.subsegments), "slow(inner)");
    let slow = json(&segment.subsegments[0]);
    assert_eq!(slow["metadata"]["belvedere"]["canceled"], true);
    assert_eq!(slow["subsegments"][0]["metadata"]["belvedere"]["canceled"], true);
    assert!(slow.get("fault").is_none() && slow["end_time"].is_number());
}

// ===== guards =====

#[tokio::test]
async fn what_a_capture_gives_up_ends_within_it() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let limited = xray::begin_subsegment("limited");
            let slow = limited.begin_subsegment("slow").capture(pending::<()>());
            limited.capture(tokio::time::timeout(Duration::from_millis(1), slow)).await.unwrap_err();
        })
        .await;
    assert_eq!(outline(&traced.segment().await.subsegments), "limited(slow)");
}

#[tokio::test]
async fn guards_nest_and_what_was_current_before_is_so_again() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let before = xray::current().id();
            {
                let outer = xray::subsegment("outer");
                assert_eq!(xray::current().id(), outer.id());
                xray::subsegment("inner").annotate("depth", 2);
                assert_eq!(xray::current().id(), outer.id());
                outer.end();
            }
            assert_eq!(xray::current().id(), before);
            xray::subsegment("next").end();
        })
        .await;
    assert_eq!(outline(&traced.segment().await.subsegments), "outer(inner) next");
}

#[tokio::test]
async fn what_a_layer_further_in_gives_up_is_a_part_of_the_segment() {
    let traced = Traced::new("shop").await;
    let limit = Duration::from_millis(1);
    let service = tower::ServiceBuilder::new()
        .layer(traced.layer.clone())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit))
        .service_fn(|_: Request<Body>| xray::capture("slow", pending::<Result<Response, Infallible>>()));
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(outline(&traced.segment().await.subsegments), "slow");
}

#[tokio::test]
async fn what_begins_in_one_place_may_end_in_another() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let query = xray::begin_subsegment("carts@db.example");
            assert_ne!(xray::current().id(), query.id());
            query.update(|subsegment| {
                subsegment.namespace = Some(Namespace::Remote);
                let mut sql = Sql::default();
                sql.sanitized_query = Some("SELECT 1".into());
                subsegment.sql = Some(Box::new(sql));
                subsegment.entity.id = SpanId::generate();
            });
            let id = query.id();
            let query = spawn_blocking(move || {
                query.begin_subsegment("fetch").end();
                query
            });
            let query = query.await.unwrap();
            assert_eq!(query.id(), id, "its id stays");
            query.capture(async { xray::subsegment("decode").end() }).await;
        })
        .await;
    let segment = traced.segment().await;
    assert_eq!(outline(&segment.subsegments), "carts@db.example(fetch decode)");
    let query = json(&segment.subsegments[0]);
    assert_eq!(
        (&query["namespace"], &query["sql"]["sanitized_query"]),
        (&"remote".into(), &"SELECT 1".into())
    );
}

#[tokio::test]
async fn the_header_for_whom_is_called_by_hand_names_the_subsegment() {
    let traced = Traced::new("queue").await;
    let request = Request::get("/")
        .header("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=a:1|b:2")
        .body(Body::empty())
        .unwrap();
    traced
        .ask(request, || async {
            let publish = xray::subsegment("publish");
            let header = publish.header().unwrap();
            let expected = format!(
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent={};Sampled=1;Lineage=a:1|b:2",
                publish.id().unwrap()
            );
            assert_eq!(header.to_str().unwrap(), expected);
        })
        .await;
    traced.segment().await;
}

// ===== facts =====

/// A value that is traced while it is written, and a key and a text that are so while they are made.
struct Busy(xray::Live);

impl serde::Serialize for Busy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.annotate("written", true);
        serializer.serialize_str("busy")
    }
}

impl From<Busy> for Cow<'static, str> {
    fn from(Busy(live): Busy) -> Self {
        live.annotate("named", true);
        "busy".into()
    }
}

impl From<Busy> for Value {
    fn from(Busy(live): Busy) -> Self {
        live.annotate("made", true);
        "busy".into()
    }
}

#[tokio::test]
async fn facts_that_are_traced_while_they_are_made_hold_nobody_up() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let (live, (done, is_done)) = (xray::current(), oneshot::channel());
            // Not the blocking pool, which a test would wait for forever.
            std::thread::spawn(move || {
                let busy = || Busy(live.clone());
                live.metadata(busy(), busy(), busy());
                live.annotate(busy(), busy());
                done.send(()).unwrap();
            });
            timeout(Duration::from_secs(10), is_done).await.unwrap().unwrap();
        })
        .await;
    let segment = json(&traced.segment().await);
    assert_eq!(
        segment["annotations"],
        serde_json::json!({ "named": true, "written": true, "made": true, "busy": "busy" })
    );
    assert_eq!(segment["metadata"], serde_json::json!({ "busy": { "busy": "busy" } }));
}

// ===== errors =====

#[tokio::test]
async fn an_error_is_told_once_with_its_chain_and_referred_to_further_out() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let outer = xray::try_capture("outer", async {
                let disk = async { Err::<(), _>(Wrapped("no cart", io::Error::other("the disk is gone"))) };
                xray::try_capture("inner", disk).await
            });
            outer.await.unwrap_err();
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    let segment = traced.segment().await;
    let (outer, inner) = (&segment.subsegments[0], &segment.subsegments[0].subsegments[0]);
    let told = exceptions(&inner.entity);
    assert_eq!(
        told.iter().map(|(_, message)| &**message).collect::<Vec<_>>(),
        ["no cart", "the disk is gone"]
    );
    let id = inner.entity.cause.as_ref().unwrap().id();
    for further in [&outer.entity, &segment.entity] {
        assert!(further.status.fault);
        assert!(matches!(further.cause, Some(xray::Cause::Id(_))), "{:?}", further.cause);
        assert_eq!(further.cause.as_ref().unwrap().id(), id);
    }
}

#[tokio::test]
async fn an_error_that_passes_through_a_subsegment_which_does_not_tell_it_is_told_once_all_the_same() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let cart = xray::capture("cart", async {
                xray::try_capture("disk", async { Err::<(), _>(io::Error::other("gone")) }).await
            });
            xray::record_error(&cart.await.unwrap_err());
        })
        .await;
    let segment = traced.segment().await;
    let (cart, disk) = (&segment.subsegments[0], &segment.subsegments[0].subsegments[0]);
    assert_eq!(json(&segment)["cause"], json(disk)["cause"]["exceptions"][0]["id"]);
    assert!(!cart.entity.status.fault && cart.entity.cause.is_none());
}

#[tokio::test]
async fn an_error_around_one_that_was_told_refers_to_that_for_its_cause() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let outer = xray::try_capture("outer", async {
                let failed = xray::try_capture("inner", async { Err::<(), _>(io::Error::other("disk")) });
                failed.await.map_err(|error| Wrapped("no cart", error))
            });
            drop(outer.await);
        })
        .await;
    let segment = traced.segment().await;
    let (outer, inner) = (&segment.subsegments[0], &segment.subsegments[0].subsegments[0]);
    assert_eq!(exceptions(&outer.entity).len(), 1);
    let outer = json(outer);
    assert_eq!(outer["cause"]["exceptions"][0]["message"], "no cart");
    assert_eq!(outer["cause"]["exceptions"][0]["cause"], json(inner)["cause"]["exceptions"][0]["id"]);
}

#[tokio::test]
async fn an_error_that_is_caught_is_a_fault_of_its_subsegment_alone() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            drop(xray::try_capture("cache", async { Err::<(), _>(io::Error::other("cold")) }).await);
        })
        .await;
    let segment = traced.segment().await;
    assert!(segment.subsegments[0].entity.status.fault);
    assert!(!segment.entity.status.fault && segment.entity.cause.is_none());
}

#[tokio::test]
async fn errors_of_all_kinds_can_be_recorded() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let boxed: Box<dyn std::error::Error + Send + Sync> =
                Wrapped("boxed", io::Error::other("cause")).into();
            xray::record_error(&boxed);
            xray::record_error("a text");
            xray::record_error(&String::from("a string"));
            xray::record_error(&io::Error::other("typed"));
            xray::current().status(Status::THROTTLE);
        })
        .await;
    let segment = traced.segment().await;
    let messages: Vec<_> = exceptions(&segment.entity).into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, ["boxed", "cause", "a text", "a string", "typed"]);
    assert!(segment.entity.status.fault && segment.entity.status.throttle);
}

#[tokio::test]
async fn an_error_that_is_recorded_where_the_caller_is_to_blame_is_no_fault_of_the_service() {
    for (status, fault) in [(StatusCode::BAD_REQUEST, false), (StatusCode::OK, true)] {
        let traced = Traced::new("shop").await;
        traced
            .serve(move || async move {
                xray::subsegment("check").blame("no such cart", Status::ERROR);
                xray::record_error("no such cart");
                status
            })
            .await;
        let segment = traced.segment().await;
        assert_eq!((segment.entity.status.fault, segment.entity.status.error), (fault, !fault));
        assert!(segment.entity.cause.is_some());
        let check = &segment.subsegments[0].entity;
        assert!(check.status == Status::ERROR && check.cause.is_some());
    }
}

#[tokio::test]
async fn a_panic_is_a_fault_of_every_subsegment_that_it_goes_through() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let captured = xray::capture("captured", async {
                let _guard = xray::subsegment("guarded");
                panic!("the till is on fire");
            });
            AssertUnwindSafe(captured).catch_unwind().await.unwrap_err();
            let _after = xray::subsegment("after");
        })
        .await;
    let segment = traced.segment().await;
    assert_eq!(outline(&segment.subsegments), "captured(guarded) after");
    let captured = &segment.subsegments[0];
    assert_eq!(exceptions(&captured.entity), [("panic".to_owned(), "the till is on fire".to_owned())]);
    assert!(captured.entity.status.fault && captured.subsegments[0].entity.status.fault);
    assert!(!segment.subsegments[1].entity.status.fault && !segment.entity.status.fault);
}

#[tokio::test]
async fn a_capture_that_another_one_s_panic_stops_is_canceled_and_no_fault() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let both = async {
                tokio::join!(
                    xray::capture("stopped", pending::<()>()),
                    xray::capture("broken", async { panic!("the till is on fire") }),
                )
            };
            AssertUnwindSafe(both).catch_unwind().await.unwrap_err();
        })
        .await;
    let segment = traced.segment().await;
    for subsegment in segment.subsegments.iter() {
        let (name, entity) = (subsegment.entity.name.as_str(), &subsegment.entity);
        assert_eq!(entity.status.fault, name == "broken", "{entity:?}");
        assert_eq!(json(subsegment)["metadata"]["belvedere"]["canceled"] == true, name == "stopped");
    }
}

#[test]
fn a_guard_that_lives_within_an_unwinding_is_no_fault() {
    struct Tidy(Option<Live>);
    type Live = xray::Live;
    impl Drop for Tidy {
        fn drop(&mut self) {
            self.0.take().unwrap().begin_subsegment("tidy").end();
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let segment = runtime.block_on(async {
        let traced = Traced::new("shop").await;
        traced
            .serve(|| async {
                let live = xray::current();
                let unwound = catch_unwind(AssertUnwindSafe(|| {
                    let _tidy = Tidy(Some(live));
                    panic!("the till is on fire");
                }));
                assert!(unwound.is_err());
            })
            .await;
        traced.segment().await
    });
    assert!(!segment.subsegments[0].entity.status.fault);
}

// ===== what outlives its segment =====

#[tokio::test]
async fn a_subsegment_that_outlives_its_segment_is_sent_by_itself_with_all_that_is_in_it() {
    let traced = Traced::new("shop").await;
    let (answered, wait) = oneshot::channel::<()>();
    let wait = std::sync::Arc::new(Mutex::new(Some((wait, None))));
    let shared = wait.clone();
    traced
        .serve(move || async move {
            let (wait, _) = shared.lock().unwrap().take().unwrap();
            let mail = tokio::spawn(xray::capture("mail", async {
                xray::subsegment("render").end();
                wait.await.unwrap();
                xray::subsegment("send").end();
            }));
            yield_now().await;
            *shared.lock().unwrap() = Some((oneshot::channel().1, Some(mail)));
        })
        .await;
    answered.send(()).unwrap();
    let mail = wait.lock().unwrap().take().unwrap().1.unwrap();
    mail.await.unwrap();
    let documents = traced.documents().await;
    let [Document::Segment(segment), Document::Subsegment(late)] = &documents[..] else {
        panic!("{documents:#?}")
    };
    assert!(segment.subsegments.is_empty());
    assert_eq!((late.trace_id, late.parent_id), (segment.trace_id, segment.entity.id));
    assert_eq!(late.subsegment.entity.name.as_str(), "mail");
    assert_eq!(outline(&late.subsegment.subsegments), "render send");
    assert_eq!(json(&documents[1])["type"], "subsegment");
}

#[tokio::test]
async fn a_subsegment_of_one_that_is_over_goes_by_itself() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let outer = xray::begin_subsegment("outer");
            let inner = outer.begin_subsegment("inner");
            outer.end();
            inner.end();
        })
        .await;
    let documents = traced.documents().await;
    let [Document::Subsegment(inner), Document::Segment(segment)] = &documents[..] else {
        panic!("{documents:#?}")
    };
    assert_eq!(outline(&segment.subsegments), "outer");
    assert_eq!(inner.parent_id, segment.subsegments[0].entity.id);
}

#[tokio::test]
async fn a_subsegment_that_begins_when_its_exchange_is_over_goes_by_itself_though_nobody_asked_before() {
    let traced = Traced::new("shop").await;
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Arc::new(Mutex::new(Some(tell)));
    traced
        .serve(|| async move { tell.lock().unwrap().take().unwrap().send(Context::current()).unwrap() })
        .await;
    let guard = told.await.unwrap().attach();
    xray::annotate("late", true);
    xray::subsegment("late").end();
    drop(guard);
    let documents = traced.documents().await;
    let [Document::Segment(segment), Document::Subsegment(late)] = &documents[..] else {
        panic!("{documents:#?}")
    };
    assert!(segment.subsegments.is_empty() && segment.entity.annotations.is_empty());
    assert_eq!((late.trace_id, late.parent_id), (segment.trace_id, segment.entity.id));
}

#[tokio::test]
async fn what_is_entered_in_an_exchange_is_not_current_in_one_that_is_served_inside_of_it() {
    async fn ask(layer: &XRayLayer, header: Option<&str>, recorded: bool) {
        let handler = move || async move {
            assert_eq!(xray::current().is_recorded(), recorded);
            xray::annotate("inner", true);
        };
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        let header = header.map(|header| ("x-amzn-trace-id".parse().unwrap(), header.parse().unwrap()));
        request.headers_mut().extend(header.into_iter().collect::<axum::http::HeaderMap>());
        let router = axum::Router::new().fallback(handler).layer(layer.clone());
        let response = router.oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    }
    let traced = Traced::new("shop").await;
    let layer = traced.layer.clone();
    traced
        .serve(|| async move {
            let step = async {
                ask(&layer, None, true).await;
                ask(&layer, Some("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=0"), false).await;
                xray::annotate("step", true);
            };
            xray::capture("step", step).await;
        })
        .await;
    let documents = traced.documents().await;
    let [Document::Segment(inner), Document::Segment(outer)] = &documents[..] else {
        panic!("{documents:#?}")
    };
    let step = &outer.subsegments[0];
    assert_eq!(json(step)["annotations"], serde_json::json!({"step": true}));
    assert_eq!(json(inner)["annotations"], serde_json::json!({"inner": true}));
    assert_eq!((inner.trace_id, inner.parent_id), (outer.trace_id, Some(step.entity.id)));
    assert!(outer.entity.annotations.is_empty());
}

#[tokio::test]
async fn a_value_may_look_at_its_subsegment_while_it_is_written() {
    struct Curious;
    impl serde::Serialize for Curious {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            xray::annotate("seen", true);
            serializer.serialize_bool(true)
        }
    }
    let traced = Traced::new("shop").await;
    traced.serve(|| async { xray::metadata("shop", "curious", Curious) }).await;
    let segment = json(&traced.segment().await);
    assert_eq!(segment["metadata"]["shop"]["curious"], true);
}

#[tokio::test]
async fn what_is_added_after_the_end_goes_nowhere() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let inner = xray::begin_subsegment("inner");
            let live = (*inner).clone();
            inner.end();
            live.annotate("late", true);
            live.record_error(&io::Error::other("late"));
        })
        .await;
    let segment = traced.segment().await;
    assert!(segment.subsegments[0].entity.annotations.is_empty());
    assert!(!segment.subsegments[0].entity.status.fault);
}

#[tokio::test]
async fn four_thousand_subsegments_arrive_and_do_not_all_wait_for_their_segment() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            for n in 0..4_000 {
                xray::subsegment("step").annotate("n", n);
            }
        })
        .await;
    let documents = traced.documents().await;
    let mut seen = HashSet::new();
    for document in &documents {
        let subsegments = match document {
            Document::Segment(segment) => &segment.subsegments[..],
            Document::Subsegment(independent) => std::slice::from_ref(&independent.subsegment),
        };
        seen.extend(subsegments.iter().map(|subsegment| {
            let json = json(subsegment);
            // X-Ray indexes 50 annotations of a trace; the others are metadata.
            let n = json["annotations"]["n"].as_u64();
            n.or_else(|| json["metadata"]["annotations"]["n"].as_u64()).unwrap()
        }));
    }
    assert_eq!(seen.len(), 4_000);
    assert!(documents.len() > 3_000, "{}", documents.len());
}

#[tokio::test]
async fn what_has_left_a_trace_takes_no_room_in_it() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let over = xray::begin_subsegment("over");
            let live = (*over).clone();
            over.end();
            for _ in 0..2_000 {
                let round = live.begin_subsegment("round");
                round.begin_subsegment("step").end();
            }
        })
        .await;
    let documents = traced.documents().await;
    assert_eq!(documents.len(), 2_001, "each round goes with its step");
}

#[tokio::test]
async fn a_long_line_of_subsegments_each_in_the_last_one_is_no_depth() {
    let traced = Traced::new("shop").await;
    traced
        .serve(|| async {
            let mut last = xray::begin_subsegment("0");
            for n in 1..5_000 {
                last = last.begin_subsegment(n.to_string());
            }
        })
        .await;
    assert_eq!(traced.documents().await.len(), 5_000);
}

// ===== where there is no segment =====

#[tokio::test]
async fn outside_of_a_segment_nothing_happens() {
    let subsegment = xray::subsegment("nowhere");
    subsegment.annotate("a", 1);
    subsegment.update(|_| panic!("there is nothing to change"));
    xray::metadata("a", "b", 1);
    xray::user("nobody");
    xray::record_error("nothing");
    assert_eq!(xray::capture("nowhere", async { 7 }).await, 7);
    assert_eq!(xray::try_capture("nowhere", async { Err::<(), _>("no") }).await, Err("no"));
    let live = xray::current();
    assert!(
        !live.is_recorded() && live.id().is_none() && live.header().is_none() && live.trace_id().is_none()
    );
}

#[tokio::test]
async fn a_segment_that_is_missing_is_logged_if_that_is_wished_and_one_that_is_not_recorded_never() {
    let log = log::Log::default();
    let _subscriber = tracing::subscriber::set_default(log.subscriber());
    let missing = || log.lines().iter().filter(|line| line.contains("no segment here")).count();
    xray::annotate("a", 1);
    assert_eq!(missing(), 0);
    ContextMissing::Log.install();
    let mut traced = Traced::new("shop").await;
    traced.layer = traced.layer.sample(Sampler::none());
    traced.serve(|| async { xray::capture("a", async { xray::annotate("a", 1) }).await }).await;
    assert_eq!(missing(), 0);
    for _ in 0..5 {
        xray::annotate("a", 1);
    }
    ContextMissing::Ignore.install();
    assert_eq!(missing(), 3, "the first, the second and the fourth: {:?}", log.lines());
    assert!(traced.documents().await.is_empty());
}

#[test]
fn the_variable_for_a_missing_context_has_three_words() {
    let read = |value: &str| {
        ContextMissing::lookup(|name| (name == "AWS_XRAY_CONTEXT_MISSING").then(|| value.to_owned()))
    };
    assert_eq!(read("").unwrap(), None);
    assert_eq!(read("ignore_error").unwrap(), Some(ContextMissing::Ignore));
    assert_eq!(read(" LOG_ERROR ").unwrap(), Some(ContextMissing::Log));
    assert_eq!(read("RUNTIME_ERROR").unwrap(), Some(ContextMissing::Log));
    let error = read("PANIC").unwrap_err().to_string();
    assert!(
        error.contains("AWS_XRAY_CONTEXT_MISSING") && error.contains("PANIC") && error.contains("LOG_ERROR"),
        "{error}"
    );
}

// ===== any order =====

/// One step with subsegments that are kept by number.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// One begins in another one, or in the segment.
    Begin {
        within: usize,
    },
    End(usize),
    /// The exchange is over.
    Answer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..12_usize).prop_map(|within| Step::Begin { within }),
        4 => (0..12_usize).prop_map(Step::End),
        1 => Just(Step::Answer),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_of_begins_and_ends_each_arrives_once_and_names_its_parent(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (documents, parents) = runtime.block_on(run(steps));
        let mut found = HashMap::new();
        for document in &documents {
            match document {
                Document::Segment(segment) => walk(&segment.subsegments, segment.entity.id, &mut found),
                Document::Subsegment(independent) => {
                    walk(std::slice::from_ref(&independent.subsegment), independent.parent_id, &mut found);
                }
            }
        }
        prop_assert_eq!(found, parents);
    }
}

/// Does the steps, and gives what the daemon got, and the parent of each.
async fn run(steps: Vec<Step>) -> (Vec<Document>, HashMap<SpanId, SpanId>) {
    let traced = Traced::new("shop").await;
    let (head, answer) = oneshot::channel();
    let (done, wait) = oneshot::channel::<()>();
    let channels = std::sync::Arc::new(Mutex::new(Some((head, wait))));
    let exchange = traced.serve(move || async move {
        let (head, wait) = channels.lock().unwrap().take().unwrap();
        head.send(xray::current()).unwrap();
        drop(wait.await);
    });
    let play = async {
        let root = answer.await.unwrap();
        let (mut done, mut parents) = (Some(done), HashMap::new());
        let mut open: Vec<Option<OpenSubsegment>> = Vec::new();
        for step in steps {
            match step {
                Step::Begin { within } => {
                    let parent = open.get(within).and_then(|open| open.as_deref()).unwrap_or(&root);
                    let begun = parent.begin_subsegment("step");
                    parents.insert(begun.id().unwrap(), parent.id().unwrap());
                    open.push(Some(begun));
                }
                Step::End(at) => drop(open.get_mut(at).and_then(Option::take)),
                Step::Answer => {
                    drop(done.take());
                    for _ in 0..20 {
                        yield_now().await;
                    }
                }
            }
        }
        parents
    };
    let ((), parents) = tokio::join!(exchange, play);
    (traced.documents().await, parents)
}

fn walk(subsegments: &[Subsegment], parent: SpanId, found: &mut HashMap<SpanId, SpanId>) {
    for subsegment in subsegments {
        assert_eq!(found.insert(subsegment.entity.id, parent), None, "it arrived twice");
        walk(&subsegment.subsegments, subsegment.entity.id, found);
    }
}
