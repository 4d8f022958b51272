//! Over real sockets.

#[path = "../../../tests/support/daemon.rs"]
mod double;

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::*;
use crate::outbox::{Lane, Outbox, Report};

/// A document that is its parts, whatever it is asked for.
#[derive(Clone, Debug)]
struct Document(Vec<Vec<u8>>);

impl Parts for Document {
    fn size(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn parts(&self, _most: usize) -> Vec<Vec<u8>> {
        self.0.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn two_thousand_documents_at_once_all_arrive_at_the_smallest_daemon() {
    let daemon = double::Daemon::small().await;
    let start = Instant::now();
    let (outbox, lane) = open(to(&daemon));
    (0..2000).for_each(|number| lane.push(segment(number)));
    assert!(outbox.flush(Duration::from_secs(600)).await);
    let took = start.elapsed();
    settle().await;

    assert_eq!(daemon.dropped(), 0);
    let documents = daemon.documents();
    assert_eq!(documents.len(), 2000, "the socket lost some");
    assert!((0..2000).all(|number| documents[number].contains(&format!("{number:016x}"))), "in order");
    assert!((54..56).contains(&took.as_secs()), "{took:?}");
    assert_books(&outbox.shutdown(Duration::ZERO).await, 2000, &[]);
}

#[tokio::test(start_paused = true)]
async fn without_a_pace_the_smallest_daemon_loses_most() {
    let daemon = double::Daemon::small().await;
    let at_once = to(&daemon).pace(2000, 100_000).receive_buffer(usize::MAX / 8);
    let (outbox, lane) = open(at_once.limits(Limits::default().records(2000).in_flight(1)));
    (0..2000).for_each(|number| lane.push(segment(number)));
    assert!(outbox.flush(Duration::from_secs(600)).await);
    settle().await;
    assert!(daemon.documents().len() < 1000, "the double is none: {}", daemon.documents().len());
}

#[tokio::test(start_paused = true)]
async fn a_larger_pace_takes_less_time_at_a_larger_daemon() {
    for (buffers, burst, per_second, latency, took) in
        [(160, 100, 400, 1_900, 4..6), (1_024, 500, 2_000, 250, 0..2)]
    {
        let daemon = double::Daemon::at("127.0.0.1:0".parse().unwrap(), buffers).await;
        let daemon = daemon.latency(Duration::from_millis(latency));
        let start = Instant::now();
        let (outbox, lane) = open(to(&daemon).pace(burst, per_second));
        (0..2000).for_each(|number| lane.push(segment(number)));
        assert!(outbox.flush(Duration::from_secs(600)).await);
        assert!(took.contains(&start.elapsed().as_secs()), "{buffers}: {:?}", start.elapsed());
        settle().await;
        assert_eq!((daemon.dropped(), daemon.spilled(), daemon.documents().len()), (0, 0, 2000), "{buffers}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_gives_up_what_it_cannot_upload_in_time_unless_it_comes_slowly() {
    for (burst, per_second, spills) in [(40, 36, false), (500, 2_000, true)] {
        let daemon = double::Daemon::large().await.latency(Duration::from_millis(1_900));
        let (outbox, lane) = open(to(&daemon).pace(burst, per_second));
        (0..2000).for_each(|number| lane.push(segment(number)));
        assert!(outbox.flush(Duration::from_secs(600)).await);
        settle().await;
        assert_eq!(daemon.spilled() > 0, spills, "{burst} {per_second}: {}", daemon.spilled());
    }
}

#[tokio::test(start_paused = true)]
async fn large_documents_do_not_overrun_the_socket_of_a_daemon() {
    let daemon = double::Daemon::large().await;
    let (outbox, lane) = open(to(&daemon));
    let filler = "x".repeat(60_000);
    (0..100).for_each(|_| lane.push(Document(vec![json!({"id": "1", "filler": filler}).to_string().into()])));
    assert!(outbox.flush(Duration::from_secs(600)).await);
    settle().await;
    assert_eq!(daemon.documents().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_datagram_is_a_line_that_says_what_it_is_and_a_document() {
    let daemon = double::Daemon::small().await;
    let (outbox, lane) = open(to(&daemon));
    lane.push(Document(vec![b"{\"id\":\"1\"}".to_vec(), b"{\"id\":\"2\"}".to_vec()]));
    assert!(outbox.flush(Duration::from_secs(5)).await);
    settle().await;
    let expected =
        |id: u8| format!("{{\"format\":\"json\",\"version\":1}}\n{{\"id\":\"{id}\"}}").into_bytes();
    assert_eq!(daemon.datagrams(), [expected(1), expected(2)]);
    assert_books(&outbox.shutdown(Duration::ZERO).await, 1, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_document_is_asked_for_parts_that_fit_a_datagram() {
    struct Asked;
    impl Parts for Asked {
        fn size(&self) -> usize {
            1
        }
        fn parts(&self, most: usize) -> Vec<Vec<u8>> {
            vec![vec![b'x'; most]]
        }
    }
    for (set, whole) in [(None, 63 * 1024), (Some(2000), 2000), (Some(0), 1024), (Some(usize::MAX), 65_507)] {
        let daemon = double::Daemon::small().await;
        let way = to(&daemon);
        let way = set.map_or_else(|| way.clone(), |bytes| way.clone().datagram_bytes(bytes));
        let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
        let lane = outbox.lane("xray", way.destination());
        lane.push(Asked);
        assert!(outbox.flush(Duration::from_secs(5)).await);
        settle().await;
        assert_eq!(daemon.datagrams()[0].len(), whole, "{set:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_too_long_costs_its_document_and_no_other() {
    let daemon = double::Daemon::small().await;
    let (outbox, lane) = open(to(&daemon));
    let (before, after) = (b"{\"id\":\"1\"}".to_vec(), b"{\"id\":\"2\"}".to_vec());
    lane.push(segment(0));
    lane.push(Document(vec![before.clone(), vec![b'x'; 65_507], after.clone()]));
    lane.push(segment(1));
    assert!(outbox.flush(Duration::from_secs(5)).await);
    settle().await;
    let documents = daemon.documents();
    assert_eq!(documents.len(), 4);
    assert_eq!((documents[1].as_bytes(), documents[2].as_bytes()), (&*before, &*after));
    assert_books(&outbox.shutdown(Duration::ZERO).await, 2, &[("too large", 1)]);
}

#[tokio::test]
async fn what_a_dead_daemon_refused_arrives_when_it_lives_again() {
    let dead = double::Daemon::small().await.address;
    let dead = free_port(dead);
    let (outbox, lane) = open(Daemon::new(dead.to_string().parse().unwrap()));
    (0..3).for_each(|number| lane.push(segment(number)));
    assert!(!outbox.flush(Duration::from_millis(300)).await, "nobody is there to take them");
    let report = outbox.report();
    assert_eq!((report.lanes[0].delivered, report.lanes[0].waiting), (0, 3), "{report}");

    let daemon = double::Daemon::at(dead, 48).await;
    assert!(outbox.flush(Duration::from_secs(20)).await, "{}", outbox.report());
    sleep(Duration::from_millis(50)).await;
    let documents = daemon.documents();
    for number in 0..3 {
        assert!(documents.iter().any(|document| document.contains(&format!("{number:016x}"))), "{number}");
    }
    assert_books(&outbox.shutdown(Duration::ZERO).await, 3, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_whose_name_is_unknown_is_tried_again_and_given_up_in_the_end() {
    let limits = Limits::default().retry_for(Duration::from_secs(60));
    let (outbox, lane) = open(Daemon::new("no-such-host.invalid:2000".parse().unwrap()).limits(limits));
    lane.push(segment(0));
    assert!(outbox.flush(Duration::from_secs(600)).await);
    assert_books(&outbox.shutdown(Duration::ZERO).await, 0, &[("expired", 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_has_no_time_for_is_counted() {
    let daemon = double::Daemon::small().await;
    let (outbox, lane) = open(to(&daemon));
    (0..200).for_each(|number| lane.push(segment(number)));
    let report = outbox.shutdown(Duration::from_secs(2)).await;
    settle().await;
    let lane = &report.lanes[0];
    assert_eq!((lane.accepted, lane.waiting), (200, 0), "{report}");
    assert_eq!(lane.delivered + lane.lost["shutdown"], 200, "{report}");
    assert!(lane.delivered > 0 && daemon.documents().len() >= usize::try_from(lane.delivered).unwrap());
}

/// A port that was free a moment ago.
fn free_port(taken: SocketAddr) -> SocketAddr {
    std::net::UdpSocket::bind((taken.ip(), 0)).unwrap().local_addr().unwrap()
}

fn to(daemon: &double::Daemon) -> Daemon {
    Daemon::new(daemon.address.to_string().parse().unwrap())
}

fn open(daemon: Daemon) -> (Outbox, Lane<Document>) {
    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let lane = outbox.lane("xray", daemon.destination());
    (outbox, lane)
}

/// About as long as a segment of one request.
fn segment(number: usize) -> Document {
    let id = format!("{number:016x}");
    let trace = format!("1-6b003db2-{number:024x}");
    let request = json!({"method": "GET", "url": "http://localhost/carts/1", "user_agent": "x".repeat(300)});
    let document = json!({
        "name": "checkout", "id": id, "trace_id": trace, "start_time": 1.5, "end_time": 2.5,
        "http": {"request": request, "response": {"status": 200}},
    });
    Document(vec![document.to_string().into_bytes()])
}

/// Lets the daemon read what it was sent.
async fn settle() {
    sleep(Duration::from_secs(2)).await;
}

#[track_caller]
fn assert_books(report: &Report, delivered: u64, lost: &[(&str, u64)]) {
    let lane = &report.lanes[0];
    assert_eq!((lane.delivered, lane.waiting), (delivered, 0), "{report}");
    let counted: Vec<_> = lane.lost.iter().map(|(reason, records)| (&**reason, *records)).collect();
    assert_eq!(counted, lost, "{report}");
}
