use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Script, Tally, machine::Machine};
use crate::{
    account::{Account, Lane, Received, children_cpu_micros},
    backend::{Backend, Each},
    process::Process,
    variant::Variant,
};

/// What came of one variant in one round: a server and sinks of its own.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) tally: Tally,
    account: Account,
    received: Received,
    /// What wrk took of the processors in all, in microseconds.
    wrk_micros: u64,
    warm_up: Tally,
    /// The share of the machine that others took.
    others: f64,
}

// ===== impl Round =====

impl Round {
    pub(crate) fn run(variant: Variant, warm_up: Duration, length: Duration) -> Result<Self> {
        let machine = Machine::watch()?;
        let (sinks, ports) = Process::<Received>::start::<Each<u16>>(&["sinks"])?;
        let ports = serde_json::to_string(&ports)?;
        let (server, port) = Process::<Account>::start(&["serve", variant.name(), &ports])?;
        let before = children_cpu_micros()?;
        let warm_up = Script::Plain.run(port, warm_up)?;
        let tally = Script::Plain.run(port, length)?;
        let wrk_micros = children_cpu_micros()? - before;
        ensure!(tally.statuses == 0, "requests failed: {tally:?}");
        let (account, received) = (server.end()?, sinks.end()?);
        let round = Self { tally, account, received, wrk_micros, warm_up, others: machine.others()? };
        round.check(variant)?;
        Ok(round)
    }

    /// Records that did not arrive, for whatever reason.
    pub(crate) fn lost(&self) -> u64 {
        self.account.lanes.iter().map(|lane| self.lost_of(lane)).sum()
    }

    /// What the server took of the processors for one exchange, in microseconds, until all was sent.
    pub(crate) fn server_cpu(&self) -> f64 {
        self.account.cpu_micros as f64 / self.account.exchanges as f64
    }

    /// What server, wrk and sinks together took for one exchange.
    pub(crate) fn cpu(&self) -> f64 {
        let requests = self.warm_up.requests + self.tally.requests;
        let others = (self.wrk_micros + self.received.cpu_micros) as f64 / requests as f64;
        self.server_cpu() + others
    }

    /// The share of the machine that other processes took meanwhile, from 0 to 1.
    pub(crate) fn others(&self) -> f64 {
        self.others
    }

    /// How long it took to send what was still there in the end, in seconds.
    pub(crate) fn drain(&self) -> f64 {
        self.account.drain_millis as f64 / 1e3
    }

    fn lost_of(&self, lane: &Lane) -> u64 {
        match self.received.records.of(lane.backend) {
            Some(received) => lane.accepted.saturating_sub(*received),
            None => lane.lost,
        }
    }

    /// Whether it did what it is measured for.
    fn check(&self, variant: Variant) -> Result<()> {
        if !variant.is_ours() {
            return Ok(());
        }
        let exchanges = self.account.exchanges;
        let accepted =
            |of| self.account.lanes.iter().find(|lane| lane.backend == of).map(|lane| lane.accepted);
        let [spans, segments, items, lines] = Backend::ALL.map(accepted).map(Option::unwrap_or_default);
        ensure!(
            lines == exchanges && items == 0 && spans == segments,
            "the lanes took other than they should: {self:#?}"
        );
        let share = spans as f64 / exchanges as f64;
        match variant {
            Variant::BelvedereAll => {
                ensure!(spans == exchanges, "of {exchanges} exchanges {spans} are spans")
            }
            _ => ensure!((0.03..0.07).contains(&share), "of {exchanges} exchanges {spans} are spans"),
        }
        Ok(())
    }
}
