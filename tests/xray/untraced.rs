//! A caller that is not traced: its trace goes through us and further down as it came, whatever is recorded.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use belvedere::{
    observe::ObserveLayer,
    outbox::Outbox,
    trace::{Propagation, Propagator},
    xray::{Sampler, SegmentLane, XRayClientLayer, XRayLayer},
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn, util::BoxCloneSyncService};

use super::{
    daemon::Daemon,
    support::{Script, Spans},
};

type Service = BoxCloneSyncService<Request<()>, Response<Script>, Infallible>;

/// Which layers a service has.
#[derive(Clone, Copy, Debug)]
enum Layers {
    Segments,
    SpansOutside,
    SpansInside,
}

/// Two services, one behind the other, and what the last one's callee was sent.
struct Chain {
    daemon: Daemon,
    outbox: Outbox,
    spans: Spans,
    layer: XRayLayer,
    sent: Arc<Mutex<HeaderMap>>,
}

// ===== impl Chain =====

impl Chain {
    async fn open(sampler: Sampler) -> Self {
        let (daemon, outbox) = (Daemon::large().await, Outbox::builder().start().unwrap());
        let way = belvedere::xray::Daemon::new(daemon.address.to_string().parse().unwrap());
        let layer = XRayLayer::on("tea-house", SegmentLane::daemon(&outbox, way)).sample(sampler);
        Self { daemon, outbox, spans: Spans::new(), layer, sent: Arc::default() }
    }

    /// Serves a request with this header by both, and gives the answer's.
    async fn serve(&self, layers: [Layers; 2], header: &str) -> Option<HeaderValue> {
        let sent = self.sent.clone();
        let last = service_fn(move |request: Request<()>| {
            *sent.lock().unwrap() = request.into_parts().0.headers;
            async { Ok(Response::new(Script::new().last())) }
        });
        let back = self.service(layers[1], BoxCloneSyncService::new(last));
        let front = self.service(layers[0], back);
        let request = Request::get("http://tea.example.org/").header("x-amzn-trace-id", header);
        let answer = front.oneshot(request.body(()).unwrap()).await.unwrap();
        answer.headers().get("x-amzn-trace-id").cloned()
    }

    /// A service that calls the next one.
    fn service(&self, layers: Layers, next: Service) -> Service {
        let propagation = || Propagation::new([Propagator::XRay]);
        let xray = XRayClientLayer::new().propagation(propagation());
        let otel = self.spans.client_layer().propagation(propagation());
        let client = match layers {
            Layers::Segments => emptied(xray.layer(next)),
            Layers::SpansOutside => emptied(ObserveLayer::new((otel, xray)).layer(next)),
            Layers::SpansInside => emptied(ObserveLayer::new((xray, otel)).layer(next)),
        };
        let call = service_fn(move |_: Request<()>| {
            client.clone().oneshot(Request::get("http://next.example.org/").body(()).unwrap())
        });
        let (xray, otel) = (self.layer.clone(), self.spans.layer().propagation(propagation()));
        match layers {
            Layers::Segments => emptied(xray.layer(call)),
            Layers::SpansOutside => emptied(ObserveLayer::new((otel, xray)).layer(call)),
            Layers::SpansInside => emptied(ObserveLayer::new((xray, otel)).layer(call)),
        }
    }

    /// The fields of what was sent on.
    fn sent(&self) -> Vec<String> {
        let headers = self.sent.lock().unwrap();
        let header = headers["x-amzn-trace-id"].to_str().unwrap();
        header.split(';').map(str::to_owned).collect()
    }

    /// How many segments were made.
    async fn segments(self) -> u64 {
        let made = self.outbox.shutdown(Duration::from_secs(5)).await.lanes[0].accepted;
        assert!(self.daemon.documents().len() as u64 <= made);
        made
    }
}

/// The same service, whose answers are read to their ends.
fn emptied<S, B>(service: S) -> Service
where
    S: tower::Service<Request<()>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data: Send> + Send + 'static,
{
    let emptied = service.and_then(async |answer: Response<B>| {
        let (head, body) = answer.into_parts();
        drop(body.collect().await);
        Ok(Response::from_parts(head, Script::new().last()))
    });
    BoxCloneSyncService::new(emptied)
}

#[tokio::test]
async fn a_caller_that_is_not_traced_keeps_its_root_through_two_services() {
    let all = [Layers::Segments, Layers::SpansOutside, Layers::SpansInside];
    for layers in all.into_iter().flat_map(|front| all.map(|back| [front, back])) {
        let chain = Chain::open(Sampler::all()).await;
        let answer =
            chain.serve(layers, &format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:a:0")).await;
        assert_eq!(answer.unwrap(), ROOT, "{layers:?}");
        let sent = chain.sent();
        assert_eq!(
            (&*sent[0], &*sent[2], &*sent[3]),
            (ROOT, "Sampled=0", "Lineage=1:a:0"),
            "{layers:?}: {sent:?}"
        );
        assert!(
            sent[1].starts_with("Parent=") && !sent[1].ends_with("0000000000000000"),
            "{layers:?}: {sent:?}"
        );
        assert_eq!(chain.spans.all().len(), 0, "{layers:?}");
        assert_eq!(chain.segments().await, 0, "{layers:?}");
    }
}

#[tokio::test]
async fn what_we_do_not_record_ourselves_is_one_trace_all_the_same() {
    for (asked, told) in [("", ROOT.to_owned()), (";Sampled=?", format!("{ROOT};Sampled=0"))] {
        let chain = Chain::open(Sampler::none()).await;
        let answer = chain.serve([Layers::Segments; 2], &format!("{ROOT}{asked}")).await;
        assert_eq!(answer.unwrap(), told, "{asked}");
        let sent = chain.sent();
        assert_eq!((&*sent[0], &*sent[2]), (ROOT, "Sampled=0"), "{asked}: {sent:?}");
        assert_eq!(chain.segments().await, 0, "{asked}");
    }
}

/// AWS's SDKs write ids of nothing but zeros where they do not trace.
#[tokio::test]
async fn a_caller_that_hides_its_trace_is_not_recorded_and_the_rest_is_one_trace() {
    let chain = Chain::open(Sampler::all()).await;
    let header = "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0";
    let answer = chain.serve([Layers::Segments; 2], header).await.unwrap();
    let sent = chain.sent();
    assert_eq!((&*sent[0], &*sent[2]), (answer.to_str().unwrap(), "Sampled=0"), "{sent:?}");
    assert!(!sent[0].contains("00000000-0000") && !sent[1].ends_with("0000000000000000"), "{sent:?}");
    assert_eq!(chain.segments().await, 0);
}

const ROOT: &str = "Root=1-6b004e00-0123456789abcdef01234567";
