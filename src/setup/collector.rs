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
