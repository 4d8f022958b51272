use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc::UnboundedSender;

use super::{Loan, Store};
use crate::outbox::blocking::insist;

/// What a flight has to sign before its records are forgotten by the disk. One that is not signed has them read again, by
/// the next process.
#[derive(Debug)]
pub(in crate::outbox) struct Receipt {
    pub(in crate::outbox) store: Arc<Mutex<Store>>,
    pub(in crate::outbox) loan: Loan,
    /// How many flights had something delivered before this one began.
    pub(in crate::outbox) arrived: u64,
    pub(in crate::outbox) put_down: UnboundedSender<PutDown>,
}

/// A flight whose records are to stay where they are.
#[derive(Debug)]
pub(in crate::outbox) struct PutDown {
    pub(in crate::outbox) flight: u64,
    pub(in crate::outbox) loan: Loan,
}

// ===== impl Receipt =====

impl Receipt {
    /// The records are delivered, or lost for good.
    pub(in crate::outbox) async fn sign(self) {
        let Self { store, loan, .. } = self;
        let sign = move || store.lock().unwrap_or_else(PoisonError::into_inner).done(loan);
        let _ = insist(sign).await;
    }

    /// The records are to be read again, after a while. Who holds the disk is told.
    pub(in crate::outbox) fn put_down(self, flight: u64) {
        let Self { loan, put_down, .. } = self;
        // A worker that is gone reads nothing any more.
        let _ = put_down.send(PutDown { flight, loan });
    }

    /// Whether so many flights got through since it was written that the backend can have nothing against all of them.
    pub(in crate::outbox) fn was_overtaken_by(&self, arrived: u64) -> bool {
        arrived >= self.arrived.saturating_add(MANY)
    }
}

/// How long nothing is read for a backend that refuses who sends.
pub(in crate::outbox) const REFUSED: Duration = Duration::from_secs(30);

const MANY: u64 = 16;
