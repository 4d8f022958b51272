use std::sync::Arc;
#[cfg(feature = "spool")]
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_sdk::Resource;
use tokio::sync::watch;
#[cfg(feature = "spool")]
use tokio::time::{Instant, timeout_at};

/// What a provider says of the service; known once the provider is built.
#[derive(Clone, Debug)]
pub(super) struct SharedResource(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    resource: watch::Sender<Option<Resource>>,
    /// Until when it is waited for.
    #[cfg(feature = "spool")]
    due: Instant,
    /// Whether records were read from the disk, which may be before there is a provider.
    #[cfg(feature = "spool")]
    is_missed: AtomicBool,
}

// ===== impl SharedResource =====

impl SharedResource {
    pub(super) fn set(&self, resource: &Resource) {
        self.0.resource.send_replace(Some(resource.clone()));
    }

    pub(super) fn get(&self) -> Option<Resource> {
        self.0.resource.borrow().clone()
    }

    /// A record was read from the disk.
    #[cfg(feature = "spool")]
    pub(super) fn miss(&self) {
        self.0.is_missed.store(true, Ordering::Relaxed);
    }

    /// Waits for it, if there are records of a process before this one, which are read as soon as there is a lane: a provider
    /// is built soon after. Without one they go as they are.
    #[cfg(feature = "spool")]
    pub(super) async fn known(&self) {
        if self.0.is_missed.load(Ordering::Relaxed) {
            let mut resource = self.0.resource.subscribe();
            let _ = timeout_at(self.0.due, resource.wait_for(Option::is_some)).await;
        }
    }
}

impl Default for SharedResource {
    fn default() -> Self {
        Self(Arc::new(Shared {
            resource: watch::Sender::new(None),
            #[cfg(feature = "spool")]
            due: Instant::now() + PATIENCE,
            #[cfg(feature = "spool")]
            is_missed: AtomicBool::new(false),
        }))
    }
}

/// How long after a lane its provider may come.
#[cfg(feature = "spool")]
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(all(test, feature = "spool"))]
mod tests {
    use super::*;

    async fn waited(resource: &SharedResource) -> Duration {
        let start = Instant::now();
        resource.known().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn what_this_process_made_does_not_wait_for_a_provider() {
        assert_eq!(waited(&SharedResource::default()).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_waits_for_a_provider_that_comes_soon_and_no_longer() {
        let resource = SharedResource::default();
        resource.miss();
        assert_eq!(waited(&resource).await, PATIENCE);
        assert_eq!(waited(&resource).await, Duration::ZERO);

        let resource = SharedResource::default();
        resource.miss();
        let built = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            resource.set(&Resource::builder_empty().with_service_name("shop").build());
        };
        assert_eq!(tokio::join!(waited(&resource), built).0, Duration::from_secs(1));
        assert_eq!(waited(&resource).await, Duration::ZERO);
        assert!(resource.get().is_some());
    }
}
