//! The books of an outbox that runs on a thread of its own.

use std::time::Duration;

use belvedere::outbox::{LaneReport, Outbox};

/// Waits until its first lane is so, for twenty seconds at most.
pub(crate) async fn until(outbox: &Outbox, is_so: impl Fn(&LaneReport) -> bool) {
    for _ in 0..4_000 {
        if is_so(&outbox.report().lanes[0]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{}", outbox.report());
}
