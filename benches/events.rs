//! What an event of the application costs: four fields in two spans inside of an exchange, shipped by a lane, beside
//! `tracing_subscriber`'s own JSON written to nowhere.
//!
//! `cargo bench --all-features --bench events` times both and counts allocations. For instructions, run the binary under
//! `valgrind --tool=callgrind` with `CASE` (`json`, `noted`, `printed`, `shipped`) and two counts in `EVENTS`, and divide
//! the difference; `printed` prints to the standard output, and both it and `shipped` include the outbox's thread.

use std::{
    convert::Infallible,
    env,
    io::{self, Read as _, Write as _},
    net::TcpListener,
    thread,
    time::Duration,
};

use aws_credential_types::Credentials;
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{Api, CloudWatchLayer, LogLane, subscriber},
    outbox::{Limits, Outbox},
};
use criterion::{Criterion, Throughput, criterion_group};
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{fmt, layer::SubscriberExt as _, registry::Registry};

/// Where events go.
struct Case {
    name: &'static str,
    dispatch: Dispatch,
    outbox: Option<Outbox>,
}

// ===== impl Case =====

impl Case {
    fn all() -> [Self; 4] {
        ["json", "noted", "printed", "shipped"].map(Self::new)
    }

    fn new(name: &'static str) -> Self {
        let outbox = Outbox::builder().start().unwrap();
        let lane = match name {
            // The lane is full, and each event makes room for the next.
            "noted" => LogLane::new(&outbox, api("http://192.0.2.1/").limits(never())),
            "printed" => LogLane::stdout(&outbox),
            "shipped" => LogLane::new(&outbox, api(&taking())),
            _ => {
                let json = fmt::layer().json().with_writer(io::sink);
                return Self { name, dispatch: Dispatch::new(Registry::default().with(json)), outbox: None };
            }
        };
        let dispatch = Dispatch::new(Registry::default().with(subscriber(&lane)));
        Self { name, dispatch, outbox: Some(outbox) }
    }

    /// Logs so many events in one exchange.
    fn log(&self, runtime: &Runtime, layer: &CloudWatchLayer, events: u64) {
        let service = layer.layer(service_fn(|_: Request<()>| async move {
            let _outer = tracing::info_span!("request", method = "GET", path = "/carts/7").entered();
            let _inner = tracing::info_span!("checkout", cart = 7, user = "worf").entered();
            for _ in 0..events {
                tracing::info!(
                    items = 3,
                    currency = "EUR",
                    total = 12.5,
                    is_gift = true,
                    "the cart was paid"
                );
            }
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
        dispatcher::with_default(&self.dispatch, || {
            runtime.block_on(service.oneshot(Request::new(()))).unwrap();
        });
    }

    /// How much one more event allocates on its own thread.
    fn allocations(&self, runtime: &Runtime, layer: &CloudWatchLayer) -> u64 {
        let count = |events| allocation_counter::measure(|| self.log(runtime, layer, events)).count_total;
        self.log(runtime, layer, 2_000);
        (count(1_100) - count(100)) / 1_000
    }
}

fn api(url: &str) -> Api {
    let keys = Credentials::new("id", "secret", None, None, "bench");
    let client = Client::builder(Service::LOGS, "eu-west-1".parse().unwrap(), keys);
    let client = client.endpoint(url.parse().unwrap()).build().unwrap();
    Api::new(client, "/shop/bench".parse().unwrap())
        .limits(Limits::default().records(10_000).queue_records(1 << 20).queue_bytes(1 << 30))
}

fn never() -> Limits {
    Limits::default().records(usize::MAX).bytes(usize::MAX).age(Duration::MAX).queue_records(1_000)
}

/// A lane that nobody hears of.
fn nowhere(outbox: &Outbox) -> CloudWatchLayer {
    CloudWatchLayer::on(LogLane::new(outbox, api("http://192.0.2.1/").limits(never())))
}

/// A server that takes everything, at the cost of reading it.
fn taking() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut read = vec![0; 4 << 20];
                let mut filled = 0;
                while let Ok(more @ 1..) = stream.read(&mut read[filled..]) {
                    filled += more;
                    if is_whole(&read[..filled]) {
                        filled = 0;
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
                    }
                }
            });
        }
    });
    url
}

fn is_whole(request: &[u8]) -> bool {
    let Some(head) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let text = str::from_utf8(&request[..head]).unwrap();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    request.len() >= head + 4 + length.parse::<usize>().unwrap()
}

fn events(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outbox = Outbox::builder().start().unwrap();
    let layer = nowhere(&outbox);
    let mut group = criterion.benchmark_group("events");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(EACH));
    for name in ["json", "noted"] {
        let case = Case::new(name);
        group.bench_function(name, |bencher| bencher.iter(|| case.log(&runtime, &layer, EACH)));
    }
    group.finish();
    println!("\n| one event | allocations |\n|---|--:|");
    for name in ["json", "noted"] {
        println!("| {name} | {} |", Case::new(name).allocations(&runtime, &layer));
    }
}

/// One case alone, for callgrind.
fn run(name: &str, events: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outbox = Outbox::builder().start().unwrap();
    let case = Case::all().into_iter().find(|case| case.name == name).expect("a case of this name");
    case.log(&runtime, &nowhere(&outbox), events);
    if let Some(outbox) = case.outbox.filter(|_| name != "noted") {
        let report = outbox.shutdown_blocking(Duration::from_secs(600));
        assert_eq!(report.lanes[0].delivered, events, "{report}");
    }
    outbox.shutdown_blocking(Duration::ZERO);
}

fn main() {
    match (env::var("CASE"), env::var("EVENTS")) {
        (Ok(case), Ok(count)) => run(&case, count.parse().expect("a number")),
        _ => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}

const EACH: u64 = 100;

criterion_group!(benches, events);
