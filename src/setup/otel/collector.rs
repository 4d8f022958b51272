use std::{sync::mpsc, thread, time::Duration};

use opentelemetry::Context;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tokio::sync::oneshot;

/// What has the metrics collected when that is due, which the SDK's own calls do for as long as they like.
///
/// What is collected lies in a lane afterwards; to send it is the outbox's business. Dropping it ends the collecting, and
/// waits for nothing.
#[derive(Debug)]
pub(super) struct Collector {
    provider: Option<SdkMeterProvider>,
}

// ===== impl Collector =====

impl Collector {
    pub(super) fn new(provider: Option<SdkMeterProvider>) -> Self {
        Self { provider }
    }

    pub(super) fn provider(&self) -> Option<&SdkMeterProvider> {
        self.provider.as_ref()
    }

    /// Collects what there is now, for at most `limit`. Works on any executor.
    pub(super) async fn collect(&self, limit: Duration) {
        let Some(provider) = self.provider.clone() else { return };
        let (tell, told) = oneshot::channel::<()>();
        let collecting = spawn(move || {
            collect(provider, limit);
            drop(tell);
        });
        if collecting {
            let _ = told.await;
        }
    }

    /// [`collect`](Self::collect) for threads that may block.
    pub(super) fn collect_blocking(&self, limit: Duration) {
        self.provider.clone().into_iter().for_each(|provider| collect(provider, limit));
    }

    /// Ends the collecting. Not before the outbox has had its chance: the SDK flushes it on its way.
    pub(super) fn end(&mut self) {
        let Some(provider) = self.provider.take() else { return };
        spawn(move || drop(provider.shutdown()));
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for a second thread, because the SDK waits without a limit for callbacks, which are the user's.
fn collect(provider: SdkMeterProvider, limit: Duration) {
    let (tell, told) = mpsc::sync_channel(1);
    let collecting = spawn(move || {
        let _ = provider.force_flush();
        let _ = tell.send(());
    });
    if collecting {
        let _ = told.recv_timeout(limit);
    }
}

/// Whether the system gave the thread.
fn spawn(work: impl FnOnce() + Send + 'static) -> bool {
    let untraced = || {
        let _untraced = Context::enter_telemetry_suppressed_scope();
        work();
    };
    thread::Builder::new().name(NAME.into()).spawn(untraced).is_ok()
}

const NAME: &str = "belvedere-collect";

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_types, reason = "what blocks is measured by the real clock")]

    use std::time::Instant;

    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader};

    use super::*;

    fn provider() -> (SdkMeterProvider, InMemoryMetricExporter) {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).with_interval(LONG).build();
        (SdkMeterProvider::builder().with_reader(reader).build(), exporter)
    }

    /// A callback of the user's that comes back when the other end is gone.
    fn stuck(provider: &SdkMeterProvider) -> mpsc::Sender<()> {
        let (held, until) = mpsc::channel::<()>();
        let until = std::sync::Mutex::new(until);
        let meter = provider.meter("app");
        let wait = move |_: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            let _ = until.lock().unwrap().recv_timeout(LONG);
        };
        let _ = meter.u64_observable_gauge("stuck").with_callback(wait).build();
        held
    }

    #[tokio::test]
    async fn what_was_measured_is_collected_inside_of_a_current_thread_runtime() {
        let (provider, exporter) = provider();
        provider.meter("app").u64_counter("carts").build().add(1, &[]);
        let collector = Collector::new(Some(provider));
        collector.collect(LONG).await;
        assert_eq!(exporter.get_finished_metrics().unwrap().len(), 1);
        collector.collect_blocking(LONG);
        assert_eq!(exporter.get_finished_metrics().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_callback_that_is_stuck_moves_no_limit() {
        let (provider, _) = provider();
        let held = stuck(&provider);
        let mut collector = Collector::new(Some(provider));
        let (start, limit) = (Instant::now(), Duration::from_millis(200));
        collector.collect(limit).await;
        assert!((limit..LONG / 2).contains(&start.elapsed()));
        collector.collect_blocking(limit);
        assert!((limit * 2..LONG / 2).contains(&start.elapsed()));
        let start = Instant::now();
        collector.end();
        drop(collector);
        assert!(start.elapsed() < LONG / 2);
        drop(held);
    }

    /// What nothing here takes, unless it hangs.
    const LONG: Duration = Duration::from_secs(60);
}
