use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use super::{Budget, Meter, Tariff, Unit, account::Account, bucket::Pace, till::Till};

/// The accounts of an outbox: one for each unit that is bounded, shared by its lanes.
#[derive(Debug)]
pub(crate) struct Bank {
    budget: Budget,
    accounts: BTreeMap<Unit, Arc<Account>>,
}

// ===== impl Bank =====

impl Bank {
    /// Opens all accounts. It looks at no file yet.
    pub(crate) fn new(budget: Budget, now: SystemTime) -> Self {
        let open = |(unit, allowance): (&Unit, _)| {
            let till = budget.path().map(|folder| Till::new(folder, unit));
            let pace = Pace::new(allowance, budget.processes, till.is_some());
            (unit.clone(), Arc::new(Account::new(unit.clone(), pace, till, now)))
        };
        let accounts = budget.allowances.iter().map(|(unit, allowance)| open((unit, *allowance))).collect();
        Self { budget, accounts }
    }

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
