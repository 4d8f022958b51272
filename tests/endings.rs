//! Every way in which an exchange can end: each ends once, as what it was, when it was.

mod support;

use std::{convert::Infallible, future::poll_fn, pin::pin, task::Poll, time::Duration};

use belvedere::observe::{Observe, ObserveLayer};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use support::{Ended, Recorder, Script};
use tokio::time::{sleep, timeout};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

/// A watched service that gives this answer.
fn answering(
    recorder: &Recorder,
    answer: impl FnOnce() -> Response<Script> + Clone,
) -> impl Service<
    Request<()>,
    Response = Response<
        belvedere::observe::Body<Script, <Recorder as belvedere::observe::Observer>::Observation>,
    >,
    Error = Infallible,
> {
    Observe::new(
        service_fn(move |_: Request<()>| {
            let answer = answer.clone();
            async move { Ok::<_, Infallible>(answer()) }
        }),
        recorder.clone(),
    )
}

fn get() -> Request<()> {
    Request::new(())
}

fn with_status(status: u16, body: Script) -> Response<Script> {
    Response::builder().status(status).body(body).unwrap()
}

/// Sends one request, reads the body to its end if it has one, and tells how the exchange ended.
async fn read_all(request: Request<()>, answer: impl FnOnce() -> Response<Script> + Clone) -> Ended {
    let recorder = Recorder::new();
    let response = answering(&recorder, answer).oneshot(request).await.unwrap();
    drop(response.into_body().collect().await);
    recorder.only()
}

/// Sends one request, and tells what had ended before the body was polled at all.
async fn head_only(request: Request<()>, answer: impl FnOnce() -> Response<Script> + Clone) -> Ended {
    let recorder = Recorder::new();
    let response = answering(&recorder, answer).oneshot(request).await.unwrap();
    let ended = recorder.only();
    drop(response);
    assert_eq!(recorder.only().end, ended.end, "dropping it ends nothing twice");
    ended
}

#[tokio::test(start_paused = true)]
async fn a_body_without_a_length_ends_complete_at_its_none() {
    let ended = read_all(get(), || Response::new(Script::new().data("ab").wait(500).data("c"))).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 3));
    assert_eq!(ended.head, Some(Duration::ZERO));
    assert_eq!(ended.duration, Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_knows_its_end_ends_complete_with_its_last_data() {
    let recorder = Recorder::new();
    let answer = || Response::new(Script::new().data("ab").data("c").last());
    let mut body = answering(&recorder, answer).oneshot(get()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert!(recorder.seen().is_empty());
    body.frame().await.unwrap().unwrap();
    assert_eq!(recorder.only().end, "complete");
    assert!(body.frame().await.is_none());
    assert_eq!(recorder.only().bytes, 3);
}

#[tokio::test(start_paused = true)]
async fn an_exact_content_length_ends_complete_with_its_last_byte() {
    let recorder = Recorder::new();
    let answer = || {
        let body = Script::new().data("ab").wait(70).data("c").hang();
        Response::builder().header("content-length", "3").body(body).unwrap()
    };
    let mut body = answering(&recorder, answer).oneshot(get()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert!(recorder.seen().is_empty());
    body.frame().await.unwrap().unwrap();
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.duration), ("complete", Duration::from_millis(70)));
    drop(body);
    assert_eq!(recorder.only().end, "complete", "hyper drops what it has sent, and that is no cancel");
}

#[tokio::test(start_paused = true)]
async fn an_exact_size_hint_ends_complete_with_its_last_byte() {
    let recorder = Recorder::new();
    let answer = || Response::new(Script::new().data("abc").hang().exact(3));
    let mut body = answering(&recorder, answer).oneshot(get()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(recorder.only().end, "complete");
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_ends_complete_with_the_head() {
    assert_eq!(head_only(get(), || Response::new(Script::new().last())).await.end, "complete");
}

#[tokio::test(start_paused = true)]
async fn a_content_length_of_zero_ends_complete_with_the_head() {
    let answer = || Response::builder().header("content-length", "0").body(Script::new().hang()).unwrap();
    assert_eq!(head_only(get(), answer).await.end, "complete");
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_head_ends_complete_with_the_head() {
    let request = Request::builder().method(Method::HEAD).body(()).unwrap();
    let answer = || Response::builder().header("content-length", "9").body(Script::new().data("x")).unwrap();
    let ended = head_only(request, answer).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 0));
}

#[tokio::test(start_paused = true)]
async fn a_204_ends_complete_with_the_head() {
    assert_eq!(head_only(get(), || with_status(204, Script::new().hang())).await.end, "complete");
}

#[tokio::test(start_paused = true)]
async fn a_304_ends_complete_with_the_head() {
    assert_eq!(head_only(get(), || with_status(304, Script::new().hang())).await.end, "complete");
}

#[tokio::test(start_paused = true)]
async fn a_101_upgrade_ends_complete_with_the_head() {
    let ended = head_only(get(), || with_status(101, Script::new().hang())).await;
    assert_eq!((ended.end.as_str(), ended.status), ("complete", Some(StatusCode::SWITCHING_PROTOCOLS)));
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_succeeds_ends_complete_with_the_head() {
    let request = || Request::builder().method(Method::CONNECT).body(()).unwrap();
    assert_eq!(head_only(request(), || with_status(200, Script::new().hang())).await.end, "complete");
    let refused = read_all(request(), || with_status(403, Script::new().data("no"))).await;
    assert_eq!(refused.bytes, 2, "a refusal has a body");
}

#[tokio::test(start_paused = true)]
async fn trailers_end_it_complete_and_are_handed_over() {
    let recorder = Recorder::new();
    let answer = || Response::new(Script::new().data("ab").trailers(&[("x-checksum", "1")]).hang());
    let mut body = answering(&recorder, answer).oneshot(get()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["x-checksum"], "1", "the client gets them too");
    let ended = recorder.only();
    assert_eq!(ended.end, "complete with trailers");
    assert_eq!(ended.trailers.unwrap()["x-checksum"], "1");
}

#[tokio::test(start_paused = true)]
async fn over_http2_trailers_are_awaited_past_any_length() {
    let answer = || {
        let body = Script::new().data("abc").wait(10).trailers(&[("grpc-status", "5")]).exact(3);
        Response::builder().header("content-length", "3").body(body).unwrap()
    };
    let request = Request::builder().version(http::Version::HTTP_2).body(()).unwrap();
    let ended = read_all(request, answer).await;
    assert_eq!((ended.end.as_str(), ended.duration), ("complete with trailers", Duration::from_millis(10)));
    assert_eq!(ended.trailers.unwrap()["grpc-status"], "5");
}

#[tokio::test(start_paused = true)]
async fn a_grpc_answer_of_trailers_alone_ends_complete_with_the_head() {
    let answer = || {
        let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", "16");
        head.body(Script::new().last()).unwrap()
    };
    assert_eq!(head_only(get(), answer).await.end, "complete");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_ends_failed_with_its_error() {
    let ended =
        read_all(get(), || Response::new(Script::new().data("ab").wait(20).fail("the disk is gone"))).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("failed: the disk is gone", 2));
    assert_eq!(ended.duration, Duration::from_millis(20));
    assert_eq!(ended.status, Some(StatusCode::OK));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_ends_failed_without_a_head() {
    let recorder = Recorder::new();
    let service = service_fn(|_: Request<()>| async {
        sleep(Duration::from_millis(30)).await;
        Err::<Response<Script>, _>(BoxError::from("no route to the database"))
    });
    let error = ObserveLayer::new(recorder.clone()).layer(service).oneshot(get()).await.unwrap_err();
    assert_eq!(error.to_string(), "no route to the database", "the error goes on unchanged");
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.head), ("failed: no route to the database", None));
    assert_eq!(ended.duration, Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_head_ends_canceled() {
    let recorder = Recorder::new();
    let service = service_fn(|_: Request<()>| async {
        sleep(Duration::from_secs(3600)).await;
        Ok::<_, Infallible>(Response::new(Script::new()))
    });
    let call = Observe::new(service, recorder.clone()).oneshot(get());
    timeout(Duration::from_millis(300), call).await.unwrap_err();
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.head), ("canceled", None));
    assert_eq!(ended.duration, Duration::from_millis(300));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_the_body_ends_canceled() {
    let recorder = Recorder::new();
    let answer = || Response::new(Script::new().data("ab").wait(3_600_000).data("c"));
    let mut body = answering(&recorder, answer).oneshot(get()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    timeout(Duration::from_millis(300), body.frame()).await.unwrap_err();
    drop(body);
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.bytes), ("canceled", 2));
    assert_eq!(ended.duration, Duration::from_millis(300));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_never_polled_ends_canceled() {
    let recorder = Recorder::new();
    drop(answering(&recorder, || Response::new(Script::new().data("ab"))).oneshot(get()).await.unwrap());
    assert_eq!(recorder.only().end, "canceled");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_call_ends_panicked_and_goes_on() {
    let recorder = Recorder::new();
    let service = service_fn(|_: Request<()>| -> std::future::Ready<Result<Response<Script>, Infallible>> {
        panic!("in the call")
    });
    let service = Observe::new(service, recorder.clone());
    let panic = tokio::spawn(service.oneshot(get())).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in the call"));
    assert_eq!(recorder.only().end, "panicked: in the call");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_future_ends_panicked_and_goes_on() {
    let recorder = Recorder::new();
    let service = service_fn(|_: Request<()>| async {
        sleep(Duration::from_millis(40)).await;
        let reason = "the future";
        panic!("in {reason}");
        #[expect(unreachable_code)]
        Ok::<_, Infallible>(Response::new(Script::new()))
    });
    let service = Observe::new(service, recorder.clone());
    let panic = tokio::spawn(service.oneshot(get())).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "in the future");
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.duration), ("panicked: in the future", Duration::from_millis(40)));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_body_ends_panicked_and_goes_on() {
    let recorder = Recorder::new();
    let answer = || Response::new(Script::new().data("ab").panic("in the body"));
    let mut body = answering(&recorder, answer).oneshot(get()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    let panic = tokio::spawn(async move { drop(body.frame().await) }).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "in the body");
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.bytes), ("panicked: in the body", 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_is_no_string_ends_panicked_without_a_message() {
    let recorder = Recorder::new();
    let service = service_fn(|_: Request<()>| -> std::future::Ready<Result<Response<Script>, Infallible>> {
        std::panic::panic_any(42)
    });
    let panic = tokio::spawn(Observe::new(service, recorder.clone()).oneshot(get())).await.unwrap_err();
    assert_eq!(panic.into_panic().downcast_ref::<i32>(), Some(&42));
    assert_eq!(recorder.only().end, "panicked: ");
}

#[tokio::test(start_paused = true)]
async fn a_response_dropped_while_another_thing_unwinds_ends_canceled() {
    let recorder = Recorder::new();
    let body = answering(&recorder, || Response::new(Script::new().hang())).oneshot(get()).await.unwrap();
    let panic = tokio::spawn(async move {
        let _held = body;
        panic!("somebody else's");
    });
    panic.await.unwrap_err();
    assert_eq!(recorder.only().end, "canceled");
}

#[tokio::test(start_paused = true)]
async fn an_sse_stream_of_an_hour_ends_when_it_ends() {
    let answer = || {
        let events = (0..60).fold(Script::new(), |body, _| body.wait(60_000).data("data: tick\n\n"));
        Response::builder().header("content-type", "text/event-stream").body(events).unwrap()
    };
    let ended = read_all(get(), answer).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 60 * 12));
    assert_eq!(ended.duration, Duration::from_secs(3600));
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_changes_nothing_for_anybody_else() {
    use belvedere::{exchange::*, observe::*, trace::Scope};
    #[derive(Clone)]
    struct Clumsy;
    impl Observer for Clumsy {
        type Observation = Self;
        fn observe(&self, _: &mut http::request::Parts, _: &mut Scope) -> Option<Self> {
            Some(Self)
        }
    }
    impl Observation for Clumsy {
        fn on_response(&mut self, _: &mut http::response::Parts) {
            panic!("an observer's own");
        }
        fn on_end(self, _: End<'_>, _: &Tally) {
            panic!("an observer's own");
        }
    }
    let (before, recorder) = (belvedere::observe::panics(), Recorder::new());
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("ab").last()))
    });
    let service = ObserveLayer::new((recorder.clone(), Clumsy, recorder.also("inner"))).layer(service);
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ab");
    let ends: Vec<_> = recorder.seen().into_iter().map(|ended| (ended.observer, ended.end)).collect();
    assert_eq!(ends, [("inner", "complete".to_owned()), ("recorder", "complete".to_owned())]);
    assert_eq!(belvedere::observe::panics() - before, 2);
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_is_not_there_leaves_the_others_alone_and_none_at_all_the_exchange() {
    let service = || {
        service_fn(|_: Request<()>| async {
            let scope = belvedere::trace::Scope::current();
            let body = Script::new().data(if scope.is_some() { "watched" } else { "unwatched" }).last();
            Ok::<_, Infallible>(Response::new(body))
        })
    };
    let (recorder, none) = (Recorder::new(), None::<Recorder>);
    let layer = ObserveLayer::new((none.clone(), Some(recorder.clone()), none.clone()));
    let response = layer.layer(service()).oneshot(get()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "watched");
    assert_eq!(recorder.only().end, "complete");
    let response = ObserveLayer::new((none.clone(), none)).layer(service()).oneshot(get()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "unwatched");
}

#[tokio::test(start_paused = true)]
async fn stacked_layers_and_one_pass_give_the_same_records() {
    async fn run(stacked: bool) -> Vec<Ended> {
        let outer = Recorder::named("outer");
        let inner = outer.also("inner");
        let service = service_fn(|_: Request<()>| async {
            belvedere::exchange::Annotations::current().insert("cart", 17);
            Ok::<_, Infallible>(Response::new(Script::new().data("ab").wait(50).data("c")))
        });
        if stacked {
            let service = Observe::new(Observe::new(service, inner), outer.clone());
            drop(service.oneshot(get()).await.unwrap().into_body().collect().await);
        } else {
            let service = ObserveLayer::new((outer.clone(), inner)).layer(service);
            drop(service.oneshot(get()).await.unwrap().into_body().collect().await);
        }
        outer.seen()
    }
    let facts = |seen: Vec<Ended>| {
        assert_eq!(seen[0].trace_id, seen[1].trace_id);
        assert_eq!(seen[0].span_id, seen[1].span_id);
        let fact = |e: Ended| (e.observer, e.end, e.status, e.bytes, e.head, e.duration, e.annotations);
        seen.into_iter().map(fact).collect::<Vec<_>>()
    };
    let (stacked, fused) = (facts(run(true).await), facts(run(false).await));
    assert_eq!(stacked, fused);
    assert_eq!(stacked.len(), 2);
    assert_eq!(stacked[0].6, [("cart".to_owned(), "17".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_handler_is_dropped_ends_panicked() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let recorder = Recorder::new();
    let service = service_fn(|_: Request<()>| async {
        let _bomb = Bomb;
        poll_fn(|_| Poll::<()>::Pending).await;
        Ok::<_, Infallible>(Response::new(Script::new()))
    });
    let mut call = Box::pin(Observe::new(service, recorder.clone()).oneshot(get()));
    timeout(Duration::from_millis(5), &mut call).await.unwrap_err();
    tokio::spawn(async move { drop(call) }).await.unwrap_err();
    assert_eq!(recorder.only().end, "panicked: in a drop");
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_with_a_handler_or_a_body_still_runs_in_its_exchange() {
    struct Guard(&'static str);
    impl Drop for Guard {
        fn drop(&mut self) {
            belvedere::exchange::Annotations::current().insert(self.0, true);
        }
    }
    let recorder = Recorder::new();
    let service = service_fn(|_: Request<()>| async {
        let _guard = Guard("handler");
        poll_fn(|_| Poll::<()>::Pending).await;
        Ok::<_, Infallible>(Response::new(Script::new()))
    });
    timeout(Duration::from_millis(5), Observe::new(service, recorder.clone()).oneshot(get()))
        .await
        .unwrap_err();

    let service = service_fn(|_: Request<()>| async {
        let guard = Guard("body");
        let frames = futures_util::stream::once(async move {
            let _guard = guard;
            poll_fn(|_| Poll::<Result<http_body::Frame<bytes::Bytes>, Infallible>>::Pending).await
        });
        Ok::<_, Infallible>(Response::new(http_body_util::StreamBody::new(frames)))
    });
    drop(Observe::new(service, recorder.clone()).oneshot(get()).await.unwrap());
    let said: Vec<_> = recorder.seen().into_iter().flat_map(|ended| ended.annotations).collect();
    let pair = |key: &str| (key.to_owned(), "true".to_owned());
    assert_eq!(said, [pair("handler"), pair("body")]);
}

#[tokio::test(start_paused = true)]
async fn what_the_handler_began_ends_before_its_exchange_does() {
    struct Guard(Recorder);
    impl Drop for Guard {
        fn drop(&mut self) {
            assert!(self.0.seen().is_empty(), "the exchange goes on while its handler is dropped");
        }
    }
    let recorder = Recorder::new();
    let guarded = recorder.clone();
    let service = service_fn(move |_: Request<()>| {
        let guard = Guard(guarded.clone());
        async move {
            let _guard = guard;
            poll_fn(|_| Poll::<()>::Pending).await;
            Ok::<_, Infallible>(Response::new(Script::new()))
        }
    });
    {
        let call = pin!(Observe::new(service, recorder.clone()).oneshot(get()));
        timeout(Duration::from_millis(5), call).await.unwrap_err();
    }
    assert_eq!(recorder.only().end, "canceled");
}
