use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use super::{
    Budget, Meter, Tariff, Unit,
    account::{Account, Errand},
    bucket::Pace,
    clock::Clock,
    till::Till,
};

/// The accounts of an outbox: one for each unit that is bounded, shared by its lanes.
#[derive(Debug)]
pub(crate) struct Bank {
    budget: Budget,
    accounts: BTreeMap<Unit, Arc<Account>>,
    clock: Clock,
}

// ===== impl Bank =====

impl Bank {
    /// Opens all accounts. It looks at no file yet.
    pub(crate) fn new(budget: Budget, clock: Clock) -> Self {
        let open = |(unit, allowance): (&Unit, _)| {
            let till = budget.path().map(|folder| Till::new(folder, unit));
            let pace = Pace::new(allowance, budget.processes, till.is_some());
            (unit.clone(), Arc::new(Account::new(unit.clone(), pace, till, clock.now())))
        };
        let accounts = budget.allowances.iter().map(|(unit, allowance)| open((unit, *allowance))).collect();
        Self { budget, accounts, clock }
    }

    /// The time that all of it goes by.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Leaves what was not used to the next process. It blocks, for a fifth of a second at most, whatever the disk does: what
    /// takes longer counts as used.
    pub(crate) fn close(&self) {
        let now = self.clock.now();
        let errands: Vec<_> = self.accounts.values().filter_map(|account| account.last_errand(now)).collect();
        if errands.is_empty() {
            return;
        }
        let (done, is_done) = mpsc::sync_channel(1);
        let run = move || {
            errands.into_iter().for_each(Errand::run);
            let _ = done.send(());
        };
        if thread::Builder::new().name(NAME.into()).spawn(run).is_ok() {
            let _ = is_done.recv_timeout(LONGEST);
        }
    }

    #[cfg(any(feature = "cloudwatch", test))]
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What keeps a lane within its bounds, if it has some.
    pub(crate) fn meter<R>(&self, tariff: Tariff<R>) -> Option<Meter<R>> {
        let account = |unit: &Unit| self.accounts.get(unit).cloned();
        let (units, requests) = (account(&tariff.unit), tariff.requests.as_ref().and_then(account));
        (units.is_some() || requests.is_some()).then(|| Meter::new(tariff, units, requests, self.budget.slow))
    }
}

const NAME: &str = "belvedere-budget";

/// What the end of a process may wait for a disk.
const LONGEST: Duration = Duration::from_millis(200);
