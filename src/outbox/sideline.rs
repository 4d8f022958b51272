//! What runs beside the lanes.

use std::{fmt, sync::Arc};

#[cfg(feature = "xray")]
use super::{OutboxEvent, Reason};
use super::{event::Reporter, shutdown::Core};

/// A place for work that brings something in, such as polling. It does not keep the outbox alive.
#[derive(Clone)]
pub(crate) struct Sideline {
    core: Arc<Core>,
    #[cfg_attr(not(feature = "xray"), allow(dead_code, reason = "that is X-Ray"))]
    reporter: Arc<Reporter>,
}

// ===== impl Sideline =====

impl Sideline {
    pub(super) fn new(core: Arc<Core>, reporter: Reporter) -> Self {
        Self { core, reporter: Arc::new(reporter) }
    }

    /// Runs `work` without telemetry until it ends or a shutdown begins, which drops it and does not wait for it. After
    /// a shutdown nothing runs.
    ///
    /// It shares the thread with the lanes, so it must not block.
    pub(crate) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.core.run(work);
    }

    /// Has `words` said when a shutdown begins, while the lanes still take records. They must not block.
    #[cfg(any(feature = "cloudwatch", feature = "rollbar"))]
    pub(crate) fn at_end(&self, words: impl FnOnce() + Send + 'static) {
        self.core.at_end(Box::new(words));
    }

    /// Tells that it has failed, for the `failures`th time.
    #[cfg(feature = "xray")]
    pub(crate) fn failed(&self, failures: u64, reason: Reason) {
        self.reporter.tell(|lane| OutboxEvent::Failed { lane, failures, reason });
    }
}

impl fmt::Debug for Sideline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sideline").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "cloudwatch"))]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use crate::outbox::{Batch, Destination, Outbox, SendError};

    struct Sink;

    impl Destination for Sink {
        type Record = u8;

        fn size(&self, _: &u8) -> usize {
            1
        }

        async fn send(&self, _: Batch<u8>) -> Result<(), SendError<u8>> {
            Ok(())
        }
    }

    #[test]
    fn of_two_shutdowns_at_once_none_closes_the_lanes_before_the_last_word_is_said() {
        const LONG: Duration = Duration::from_secs(60);
        let outbox = Outbox::builder().start().unwrap();
        let lane = outbox.lane("last words", Sink);
        let ((begin, begun), (go, gone), (end, ended)) = (mpsc::channel(), mpsc::channel(), mpsc::channel());
        outbox.sideline("words").at_end(move || {
            begin.send(()).unwrap();
            gone.recv_timeout(LONG).unwrap();
            lane.push(1);
        });
        let shut_down = || {
            let (outbox, end) = (outbox.clone(), end.clone());
            thread::spawn(move || end.send(outbox.shutdown_blocking(LONG)).unwrap())
        };
        let one = shut_down();
        begun.recv_timeout(LONG).unwrap();
        let other = shut_down();
        // Time enough for one that does not wait.
        let _ = ended.recv_timeout(Duration::from_millis(200));
        go.send(()).unwrap();
        one.join().unwrap();
        other.join().unwrap();
        let report = outbox.report();
        assert_eq!((report.lanes[0].delivered, report.lost()), (1, 0), "{report}");
    }
}
