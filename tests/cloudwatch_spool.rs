//! Log events that lie on the disk while CloudWatch is away, and what the next process makes of them. Over real sockets.
#![cfg(all(feature = "cloudwatch", feature = "spool"))]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/books.rs"]
mod books;
#[path = "support/cloudwatch.rs"]
mod cloudwatch;
#[path = "support/folder.rs"]
mod folder;

use std::{
    convert::Infallible,
    env,
    path::Path,
    process::{self, Command},
    time::{Duration, SystemTime},
};

use aws::{Endpoint, answer};
use aws_credential_types::Credentials;
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{Api, CloudWatchLayer, Format, LogEvent, LogLane},
    exchange::Annotations,
    outbox::{LaneReport, Limits, Outbox, Spool},
};
use books::until;
use cloudwatch::{CloudWatch, Fault, Stored};
use folder::Folder;
use http::{Request, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// What stands in for CloudWatch and for the metadata of ECS, a folder, and a process that died while CloudWatch was away.
struct House {
    cloudwatch: CloudWatch,
    ecs: Endpoint,
    folder: Folder,
}

// ===== impl House =====

impl House {
    async fn open() -> Self {
        let cloudwatch = CloudWatch::start();
        cloudwatch.faults(|_| Some(Fault::unavailable()));
        let task = |received: &aws::Received| {
            let task = received.path.split('/').nth(1).unwrap();
            answer(200, format!(r#"{{"TaskARN":"arn:aws:ecs:eu-west-1:111122223333:task/shop/{task}"}}"#))
        };
        Self { cloudwatch, ecs: Endpoint::start(task).await, folder: Folder::new() }
    }

    /// The number of the process.
    async fn live_and_die(&self) -> u32 {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "lives_while_cloudwatch_is_away", "--nocapture"])
            .env("EVENTS_GO_TO", self.cloudwatch.url())
            .env("EVENTS_LIE_IN", self.folder.path())
            .env("EVENTS_ARE_OF", format!("{}/first", self.ecs.url()));
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
        said.lines().find_map(|line| line.strip_prefix("process ")).unwrap().parse().unwrap()
    }

    /// What the next process makes of what is there, now that CloudWatch is back.
    async fn come_back(&self) -> LaneReport {
        self.cloudwatch.mend();
        let outbox = start(self.folder.path());
        let api = api(&self.cloudwatch.url(), &format!("{}/second", self.ecs.url()));
        let lane = LogLane::new(&outbox, api).stream(STREAM.parse().unwrap());
        lane.push(LogEvent::new(SystemTime::now(), "of the second"));
        until(&outbox, |lane| lane.accepted == EVENTS + 1 && lane.spooled + lane.waiting == 0).await;
        outbox.shutdown(LONG).await.lanes.remove(0)
    }

    /// Whether the files have this in them.
    fn says(&self, text: &str) -> bool {
        self.folder.bytes().windows(text.len()).any(|part| part == text.as_bytes())
    }
}

fn start(folder: &Path) -> Outbox {
    Outbox::builder().spool(Spool::new(folder)).start().unwrap()
}

/// It is of the task that this URL tells of.
fn api(url: &str, task: &str) -> Api {
    let keys = Credentials::new(KEY, SECRET, None, None, "test");
    let client = Client::builder(Service::LOGS, CloudWatch::region().parse().unwrap(), keys);
    let client = client.endpoint(url.parse().unwrap()).build().unwrap();
    let limits = Limits::default().records(10).queue_records(1 << 20);
    Api::new(client, GROUP.parse().unwrap())
        .lookup(|name| (name == "ECS_CONTAINER_METADATA_URI_V4").then(|| task.to_owned()))
        .unwrap()
        .limits(limits)
}

#[tokio::test]
async fn what_cloudwatch_did_not_take_is_sent_once_by_the_next_process_into_the_streams_of_the_first() {
    let house = House::open().await;
    let pid = house.live_and_die().await;
    assert_eq!(house.cloudwatch.stored_count(), 0);
    assert_ne!(pid, process::id());
    let report = house.come_back().await;
    assert_eq!((report.delivered, report.lost()), (EVENTS + 1, 0), "{report}");

    let stored = house.cloudwatch.stored();
    assert_eq!(stored.len() as u64, EVENTS + 1, "each once");
    let of = |text: &str| {
        let of: Vec<&Stored> = stored.iter().filter(|one| one.message.contains(text)).collect();
        assert_eq!(of.len(), 1, "{text}: {of:?}");
        of[0]
    };
    assert_eq!(of("of the second").stream, format!("second/{}", process::id()));
    for number in 0..NUMBERED {
        let one = of(&format!("#{number} "));
        assert_eq!(one.stream, format!("first/{pid}"));
        assert_eq!(one.timestamp % 1_000, number as i64, "the time is its own");
    }
    let yesterday = of("yesterday");
    assert!(yesterday.stream.starts_with("day/20") && yesterday.stream != of("today").stream);
    let record: serde_json::Value = serde_json::from_str(&of("\"status\"").message).unwrap();
    assert_eq!((&record["status"], &record["annotations"]["user_id"]), (&200.into(), &17.into()));
    assert!(!house.says("#7 "), "nothing is left");
}

#[tokio::test]
async fn what_a_shutdown_left_is_taken_over_while_a_layer_of_the_first_outbox_is_still_there() {
    let (cloudwatch, folder) = (CloudWatch::start(), Folder::new());
    cloudwatch.faults(|_| Some(Fault::unavailable()));
    let open = || {
        let outbox = start(folder.path());
        let lane = LogLane::new(&outbox, api(&cloudwatch.url(), "http://127.0.0.1:1/none"));
        (outbox, CloudWatchLayer::on(lane.stream("web-1".parse().unwrap())))
    };
    let (outbox, layer) = open();
    exchange(layer.clone()).await;
    let left = outbox.shutdown(Duration::from_secs(2)).await.lanes.remove(0);
    assert_eq!((left.spooled, left.lost()), (1, 0), "{left}");
    drop(outbox);

    cloudwatch.mend();
    // The last calls of the first to the disk end by themselves.
    for _ in 0..50 {
        let (outbox, _layer) = open();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(outbox.shutdown(LONG).await.lost(), 0);
    }
    assert_eq!(cloudwatch.stored_count(), 1);
    drop(layer);
}

#[tokio::test]
async fn nothing_that_is_secret_lies_on_the_disk() {
    let house = House::open().await;
    let pid = house.live_and_die().await;
    for text in ["#0 ", "#49 ", &format!("first/{pid}"), "/carts", "REDACTED"] {
        assert!(house.says(text), "{text} is there");
    }
    for secret in [KEY, SECRET, CANARY] {
        assert!(!house.says(secret), "{secret} is there");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_lost_for_the_same_reasons_and_cut_in_the_same_way() {
    let (plain, spooled) = (House::open().await, House::open().await);
    for (house, outbox) in
        [(&plain, Outbox::builder().start().unwrap()), (&spooled, start(spooled.folder.path()))]
    {
        house.cloudwatch.mend();
        let lane = LogLane::new(&outbox, api(&house.cloudwatch.url(), "http://127.0.0.1:1/none"));
        let lane = lane.stream("web-1".parse().unwrap());
        let at = SystemTime::now();
        for message in [String::new(), "a line".to_owned(), "x".repeat(2 << 20)] {
            lane.push(LogEvent::new(at, message));
        }
        lane.push(LogEvent { timestamp: 7, message: "too old".to_owned() });
        let format = Format::of(|_| panic!("a format"));
        exchange(CloudWatchLayer::on(lane).format(format)).await;
        let report = outbox.shutdown(LONG).await.lanes.remove(0);
        let lost: Vec<_> = report.lost.iter().map(|(reason, events)| (&**reason, *events)).collect();
        assert_eq!(
            (report.delivered, lost),
            (2, vec![("empty", 1), ("panic", 1), ("too old", 1)]),
            "{report}"
        );
    }
    assert_eq!(plain.cloudwatch.messages(), spooled.cloudwatch.messages());
}

/// Does nothing unless another test runs it, in a process of its own.
#[tokio::test]
async fn lives_while_cloudwatch_is_away() {
    let (Ok(url), Ok(folder)) = (env::var("EVENTS_GO_TO"), env::var("EVENTS_LIE_IN")) else { return };
    println!("process {}", process::id());
    let outbox = start(Path::new(&folder));
    let lane = LogLane::new(&outbox, api(&url, &env::var("EVENTS_ARE_OF").unwrap()));
    let lane = lane.stream(STREAM.parse().unwrap());
    let now = LogEvent::new(SystemTime::now(), "").timestamp / 1_000 * 1_000;
    for number in 0..NUMBERED {
        let message = format!("#{number} is a line of the log");
        lane.push(LogEvent { timestamp: now + number as i64, message });
    }
    let daily = lane.clone().stream("day/{date}".parse().unwrap());
    daily.push(LogEvent { timestamp: now, message: "today".to_owned() });
    daily.push(LogEvent { timestamp: now - 24 * 60 * 60 * 1_000, message: "yesterday".to_owned() });
    exchange(CloudWatchLayer::on(lane)).await;
    until(&outbox, |lane| lane.accepted == EVENTS && lane.spooled + 4 * 10 >= EVENTS).await;
    let report = outbox.shutdown(Duration::from_secs(2)).await.lanes.remove(0);
    assert_eq!((report.spooled, report.lost()), (EVENTS, 0), "{report}");
}

/// One, with something secret in it.
async fn exchange(layer: CloudWatchLayer) {
    let service = service_fn(|_: Request<()>| async {
        Annotations::current().insert("api_key", CANARY);
        Annotations::current().insert("user_id", 17);
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let request = Request::get(format!("http://shop/carts?password={CANARY}"));
    let request = request.header("user-agent", format!("a/1 token={CANARY}")).body(()).unwrap();
    drop(layer.layer(service).oneshot(request).await);
}

const NUMBERED: usize = 50;

/// With two of a day's stream, and an access record.
const EVENTS: u64 = NUMBERED as u64 + 3;
const GROUP: &str = "/shop/checkout";
const STREAM: &str = "{ecs_task}/{pid}";
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI";
const CANARY: &str = "c4n4ry";
const LONG: Duration = Duration::from_secs(20);
