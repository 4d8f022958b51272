//! The one sampling rule of a fresh account, and what samplers say that they did by it.

use std::collections::HashMap;

/// What X-Ray's `Default` rule says, and what became of the requests that it was for.
#[derive(Debug)]
pub(super) struct Sampling {
    pub(super) rule: Rule,
    /// When the rule was made, in seconds since 1970.
    pub(super) since: f64,
    told: Tally,
    /// Who reported, and when.
    clients: HashMap<String, f64>,
}

/// How many requests a second are recorded, and which share of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) reservoir: u32,
    pub(super) rate: f64,
}

/// How many requests the rule was for, and how many of them were recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) sampled: u64,
}

// ===== impl Sampling =====

impl Sampling {
    pub(super) fn new(rule: Rule, since: f64) -> Self {
        Self { rule, since, told: Tally::default(), clients: HashMap::new() }
    }

    /// Takes the report of a client in. Returns how much of the reservoir is its own.
    pub(super) fn report(&mut self, client: &str, told: Tally, now: f64) -> u32 {
        self.told.requests = self.told.requests.saturating_add(told.requests);
        self.told.sampled = self.told.sampled.saturating_add(told.sampled);
        self.clients.retain(|_, reported| now - *reported < FORGOTTEN);
        if self.clients.len() < CLIENTS || self.clients.contains_key(client) {
            self.clients.insert(client.to_owned(), now);
        }
        self.rule.reservoir.div_ceil(u32::try_from(self.clients.len()).unwrap_or(u32::MAX).max(1))
    }

    /// What was reported so far; none where nobody did.
    pub(super) fn told(&self) -> Option<Tally> {
        (self.told != Tally::default()).then_some(self.told)
    }
}

impl Default for Rule {
    /// As in a fresh account: <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>.
    fn default() -> Self {
        Self { reservoir: 1, rate: 0.05 }
    }
}

/// The name of the rule.
pub(super) const DEFAULT: &str = "Default";
/// How many seconds a client is counted on that does not report.
const FORGOTTEN: f64 = 60.0;
const CLIENTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reservoir_is_shared_by_those_who_report() {
        let mut sampling = Sampling::new(Rule { reservoir: 5, rate: 0.1 }, 0.0);
        let told = Tally { requests: 25, sampled: 3 };
        assert_eq!(sampling.told(), None);
        assert_eq!(sampling.report("one", told, 10.0), 5);
        assert_eq!(sampling.report("two", told, 20.0), 3);
        assert_eq!(sampling.report("two", told, 75.0), 5, "the first is gone");
        assert_eq!(sampling.told(), Some(Tally { requests: 75, sampled: 9 }));
    }

    #[test]
    fn any_number_of_clients_takes_no_memory() {
        let mut sampling = Sampling::new(Rule::default(), 0.0);
        let told = Tally { requests: u64::MAX, sampled: u64::MAX };
        for client in 0..10_000 {
            sampling.report(&client.to_string(), told, 1.0);
        }
        assert_eq!((sampling.clients.len(), sampling.told()), (CLIENTS, Some(told)));
    }
}
