use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::sleep;

use super::{
    account::{Account, Errand},
    clock::Clock,
};

/// When a lane may make a request.
///
/// While more than a half is left it may at once. With less it waits between two, for longer the less is left: what waits
/// meanwhile makes the next request larger, and a shutdown still finds something to go with. Where requests come without an
/// end, a quarter is left.
#[derive(Debug)]
pub(crate) struct Requests {
    account: Arc<Account>,
    last: Mutex<Option<SystemTime>>,
}

// ===== impl Requests =====

impl Requests {
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { account, last: Mutex::default() }
    }

    /// Waits until a request may be made, which then counts as made.
    pub(crate) async fn pass(&self, clock: Clock) {
        loop {
            if let Some(errand) = self.errand(clock.now()) {
                errand.send().await;
            }
            match self.next(clock.now()) {
                Ok(()) => return,
                Err(wait) => sleep(wait).await,
            }
        }
    }

    /// Makes a request, or says how long it is to wait before it asks again.
    pub(crate) fn next(&self, now: SystemTime) -> Result<(), Duration> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (pace, mut open) = (self.account.pace(), self.account.open(now));
        let scarcity = 1.0 - 2.0 * open.fullness();
        let gap = pace.time_for(2.0 * scarcity);
        let passed = last.map_or(Duration::MAX, |last| now.duration_since(last).unwrap_or(Duration::MAX));
        if passed < gap {
            return Err((gap - passed).clamp(SHORTEST, LONGEST));
        }
        if !open.spend(1.0) {
            return Err(pace.time_for(1.0 - open.left()).clamp(SHORTEST, LONGEST));
        }
        *last = Some(now);
        Ok(())
    }

    /// What must be done before a request can be made.
    pub(crate) fn errand(&self, now: SystemTime) -> Option<Errand> {
        self.account.errand(1.0, now)
    }

    pub(super) fn last_errand(&self, now: SystemTime) -> Option<Errand> {
        self.account.last_errand(now)
    }
}

/// Timers are no finer.
const SHORTEST: Duration = Duration::from_millis(1);

/// Others may have left something, and months end.
const LONGEST: Duration = Duration::from_secs(60);
