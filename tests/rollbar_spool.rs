//! Items that lie on the disk while Rollbar is away, and what the next process makes of them. Over real sockets.
#![cfg(all(feature = "rollbar", feature = "spool"))]

#[path = "support/books.rs"]
mod books;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/rollbar.rs"]
mod rollbar;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    env,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use belvedere::{
    outbox::{LaneReport, Outbox, Spool},
    rollbar::{Api, ItemLane, Level, Report, RollbarLayer},
};
use books::until;
use bytes::Bytes;
use folder::Folder;
use http::{Request, Response};
use rollbar::{Received, Rollbar, accepted, refused};
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};

/// What stands in for Rollbar, a folder, and a process that died while Rollbar was away.
struct House {
    rollbar: Rollbar,
    is_away: Arc<AtomicBool>,
    /// The uuids of what it took.
    taken: Arc<Mutex<Vec<String>>>,
    folder: Folder,
}

// ===== impl House =====

impl House {
    /// Rollbar is away. Once it is back it takes no item with more bytes.
    fn open(most: usize) -> Self {
        let (is_away, taken) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<Vec<_>>>::default());
        let (away, take) = (is_away.clone(), taken.clone());
        let rollbar = Rollbar::start(move |one| {
            Some(if away.load(Ordering::Relaxed) {
                refused(503, "away")
            } else if one.body.len() > most {
                refused(413, "exceeded the maximum size")
            } else {
                take.lock().unwrap().push(one.uuid());
                accepted()
            })
        });
        Self { rollbar, is_away, taken, folder: Folder::new() }
    }

    /// Something secret is in every request of it.
    fn live_and_die(&self) {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "lives_while_rollbar_is_away", "--nocapture"])
            .env("ITEMS_GO_TO", self.rollbar.url())
            .env("ITEMS_LIE_IN", self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What the next process makes of what is there, now that Rollbar is back.
    async fn come_back(&self, set: impl FnOnce(Api) -> Api) -> LaneReport {
        self.is_away.store(false, Ordering::Relaxed);
        let outbox = start(self.folder.path());
        let _lane = ItemLane::new(&outbox, set(api(&self.rollbar.url()))).unwrap();
        until(&outbox, |lane| lane.accepted == ITEMS && lane.spooled + lane.waiting == 0).await;
        outbox.shutdown(LONG).await.lanes.remove(0)
    }

    /// Each item by its uuid, as it was sent each time.
    fn sent(&self) -> BTreeMap<String, Vec<Bytes>> {
        let mut sent = BTreeMap::<_, Vec<_>>::new();
        for one in self.rollbar.received() {
            sent.entry(one.uuid()).or_default().push(one.body);
        }
        sent
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    /// Whether the files have this in them.
    fn says(&self, text: &str) -> bool {
        self.folder.bytes().windows(text.len()).any(|part| part == text.as_bytes())
    }
}

fn start(folder: &Path) -> Outbox {
    Outbox::builder().spool(Spool::new(folder)).start().unwrap()
}

fn api(url: &str) -> Api {
    Api::new(TOKEN.parse().unwrap()).endpoint(url.parse().unwrap())
}

#[tokio::test]
async fn what_rollbar_did_not_take_is_sent_once_by_the_next_process_as_it_was() {
    let house = House::open(usize::MAX);
    house.live_and_die();
    let tried = house.sent();
    assert!(!tried.is_empty(), "one process has tried");
    assert!(tried.keys().all(|uuid| house.says(uuid)));
    let report = house.come_back(|api| api).await;
    assert_eq!((report.delivered, report.lost()), (ITEMS, 0), "{report}");

    let (sent, taken) = (house.sent(), house.taken());
    assert_eq!(taken.len() as u64, ITEMS);
    assert_eq!(BTreeSet::from_iter(&taken).len() as u64, ITEMS, "each once");
    assert!(sent.values().all(|sent| sent.iter().all(|body| *body == sent[0])), "byte for byte");
    let items = house.rollbar.items();
    let panicked = items.iter().find(|item| item["level"] == "critical").unwrap();
    let frames = panicked["body"]["trace"]["frames"].as_array().unwrap();
    assert!(frames.last().unwrap()["filename"].as_str().unwrap().ends_with("tests/rollbar_spool.rs"));
    assert!(!house.says(&taken[0]), "nothing is left");
}

#[tokio::test]
async fn nothing_that_is_secret_lies_on_the_disk() {
    let house = House::open(usize::MAX);
    house.live_and_die();
    for text in ["the till is on fire", "page=1", "X-Note", "REDACTED", "rollbar_spool.rs"] {
        assert!(house.says(text), "{text} is there");
    }
    for secret in [CANARY, TOKEN] {
        assert!(!house.says(secret), "{secret} is there");
    }
    let report = house.come_back(|api| api).await;
    assert_eq!(report.delivered, ITEMS, "{report}");
    let sent = house.rollbar.received();
    assert!(sent.iter().all(|one| one.header("x-rollbar-access-token") == TOKEN));
}

#[tokio::test]
async fn what_is_too_large_for_rollbar_or_for_the_next_process_is_cut_and_sent() {
    for (rollbars, own) in [(128 << 10, 512 << 10), (usize::MAX, 64 << 10)] {
        let house = House::open(rollbars);
        house.live_and_die();
        let report = house.come_back(|api| api.item_bytes(own)).await;
        assert_eq!((report.delivered, report.lost()), (ITEMS, 0), "{report}");
        let received = house.rollbar.received();
        let is_large = |one: &&Received| one.data()["body"]["message"]["body"] == "large";
        let last = received.iter().rfind(is_large).unwrap();
        assert!(last.body.len() <= rollbars.min(own), "{}", last.body.len());
        assert_ne!(last.data()["notifier"]["diagnostic"]["truncation"], Value::Null);
        assert!(house.taken().contains(&last.uuid()));
    }
}

/// Does nothing unless another test runs it, in a process of its own.
#[tokio::test]
async fn lives_while_rollbar_is_away() {
    let (Ok(url), Ok(folder)) = (env::var("ITEMS_GO_TO"), env::var("ITEMS_LIE_IN")) else { return };
    let outbox = start(Path::new(&folder));
    let layer = RollbarLayer::on(ItemLane::new(&outbox, api(&url)).unwrap());
    let layer = layer.environment("test").request_headers(["x-note"]).unwrap();
    layer.reporter().install();
    for number in 1..ITEMS {
        let service = service_fn(move |_: Request<()>| async move {
            assert!(number < 4, "the till is on fire, password={CANARY}");
            Ok::<_, Infallible>(Response::builder().status(503).body(String::new()).unwrap())
        });
        let request = Request::get(format!("http://shop/carts?password={CANARY}&page={number}"));
        let request = request.header("x-note", format!("api_key={CANARY}")).body(()).unwrap();
        let served = tokio::spawn(layer.clone().layer(service).oneshot(request)).await;
        assert_eq!(served.is_err(), number >= 4);
    }
    Report::message(Level::Info, "large").custom("blob", vec!["x".repeat(99); LARGE / 99]).send();
    until(&outbox, |lane| lane.accepted == ITEMS && lane.spooled == ITEMS - IN_FLIGHT).await;
    let report = outbox.shutdown(Duration::from_secs(2)).await.lanes.remove(0);
    assert_eq!((report.spooled, report.lost()), (ITEMS, 0), "{report}");
}

const ITEMS: u64 = 7;
const IN_FLIGHT: u64 = 4;
const LARGE: usize = 300_000;
const TOKEN: &str = "t0ken-0123456789abcdef";
const CANARY: &str = "c4n4ry";
const LONG: Duration = Duration::from_secs(20);
