use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Semaphore, watch};

use crate::console::guard::Guard;
use crate::console::sampling::{Rule, Sampling};
use crate::console::store::Store;
use crate::console::worker::reachable;

/// What all connections of one console share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) guard: Guard,
    /// Where an exporter is to be pointed.
    pub(super) endpoint: String,
    /// Where a sender of segments is to be pointed, if one may be.
    pub(super) daemon: Option<String>,
    /// Tells the event ids of this console from those of one that ran here before.
    pub(super) epoch: u64,
    /// How many bodies may come in at once.
    pub(super) receiving: Semaphore,
    /// Whose body is being unpacked and read.
    pub(super) reading: Arc<Semaphore>,
    /// How many pages may listen for changes.
    pub(super) listening: Arc<Semaphore>,
    /// The version of the store, for those who wait for the next.
    pub(super) changed: watch::Sender<u64>,
    store: Mutex<Store>,
    sampling: Mutex<Sampling>,
}

// ===== impl State =====

impl State {
    pub(super) fn new(
        address: SocketAddr,
        daemon: Option<SocketAddr>,
        guard: Guard,
        memory: usize,
        rule: Rule,
    ) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            guard,
            endpoint: format!("http://{}", reachable(address)),
            daemon: daemon.map(|address| reachable(address).to_string()),
            epoch: u64::try_from(since_epoch.as_micros()).unwrap_or_default(),
            receiving: Semaphore::new(RECEIVING),
            reading: Arc::new(Semaphore::new(1)),
            listening: Arc::new(Semaphore::new(LISTENING)),
            changed: watch::Sender::new(0),
            store: Mutex::new(Store::new(memory)),
            sampling: Mutex::new(Sampling::new(rule, since_epoch.as_secs_f64().floor())),
        }
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sampling(&self) -> MutexGuard<'_, Sampling> {
        self.sampling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the pages that listen, if anything is new.
    pub(super) fn announce(&self) {
        let version = self.store().version();
        self.changed.send_if_modified(|known| std::mem::replace(known, version) != version);
    }
}

const RECEIVING: usize = 16;
const LISTENING: usize = 32;
