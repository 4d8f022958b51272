use std::time::Duration;

use super::{batch::Batching, endpoint, env::Env, honeycomb::Honeycomb, otlp, signal::Signal};
use crate::{Error, otel::Otlp};

/// Where each signal goes, by the words of `OTEL_*_EXPORTER`.
#[derive(Debug)]
pub(super) struct Exporters<'a> {
    pub(super) env: &'a Env,
    pub(super) honeycomb: &'a Honeycomb,
    pub(super) service: &'a str,
    /// Further endpoints, by their base URLs.
    pub(super) also: &'a [String],
}

/// A word of `OTEL_*_EXPORTER`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Exporter {
    Otlp,
    Console,
}

// ===== impl Exporters =====

impl Exporters<'_> {
    /// Where spans go, and whether they are also printed.
    pub(super) fn traces(&self) -> Result<(Vec<Otlp>, bool), Error> {
        let words = self.words(Signal::Traces);
        let mut endpoints = Vec::new();
        if words.contains(&Exporter::Otlp) && self.asks_own(Signal::Traces) {
            let Batching { limits, timeout } = Batching::of_spans(self.env);
            endpoints.push(self.own(Signal::Traces, timeout)?.limits(limits));
        }
        for otlp in self.further(Signal::Traces)? {
            endpoints.push(otlp.age(WATCHED));
        }
        Ok((endpoints, words.contains(&Exporter::Console)))
    }

    /// Where metrics go. Not to Honeycomb unless it is said.
    pub(super) fn metrics(&self) -> Result<Vec<Otlp>, Error> {
        if !self.sends(Signal::Metrics) {
            return Ok(Vec::new());
        }
        let mut endpoints = self.further(Signal::Metrics)?;
        let is_said = self.env.text(&Signal::Metrics.exporter()).is_some();
        if self.asks_own(Signal::Metrics) && (is_said || self.follow_spans()) {
            let own =
                self.own(Signal::Metrics, self.env.timeout(&["OTEL_METRIC_EXPORT_TIMEOUT"], LONGEST))?;
            if is_said || !self.honeycomb.is_at(own.uri()) {
                endpoints.insert(0, own);
            } else {
                tracing::info!(target: "belvedere::setup", "{BILLED}");
            }
        }
        Ok(endpoints)
    }

    /// Whether there is a reason to send metrics of which nothing is said: who prints spans, or sends none, may have
    /// nothing that listens.
    fn follow_spans(&self) -> bool {
        self.words(Signal::Traces).contains(&Exporter::Otlp) || endpoint::is_named(self.env, Signal::Metrics)
    }

    /// Where logs go.
    pub(super) fn logs(&self) -> Result<Vec<Otlp>, Error> {
        if !self.sends(Signal::Logs) {
            return Ok(Vec::new());
        }
        let Batching { limits, timeout } = Batching::of_logs(self.env);
        let mut endpoints = self.further(Signal::Logs)?;
        if self.asks_own(Signal::Logs) {
            endpoints.insert(0, self.own(Signal::Logs, timeout)?.limits(limits));
        }
        Ok(endpoints)
    }

    /// Whether a signal other than spans is sent at all.
    fn sends(&self, signal: Signal) -> bool {
        let words = self.words(signal);
        if words.contains(&Exporter::Console) {
            let (variable, name) = (signal.exporter(), signal.name());
            self.env.note(format!("{variable}: console is not there for {name}: using the rest of the list"));
        }
        words.contains(&Exporter::Otlp)
    }

    fn words(&self, signal: Signal) -> Vec<Exporter> {
        let exporter = |word: &str| match word {
            "otlp" => Some(Exporter::Otlp),
            "console" => Some(Exporter::Console),
            _ => None,
        };
        self.env.list(&signal.exporter(), "otlp", exporter)
    }

    /// Whether the environment's own endpoint counts, be it named or the default one.
    fn asks_own(&self, signal: Signal) -> bool {
        self.also.is_empty() || endpoint::is_named(self.env, signal)
    }

    fn own(&self, signal: Signal, longest: Duration) -> Result<Otlp, Error> {
        let otlp = otlp::otlp(self.env, signal, self.honeycomb, self.service)?;
        Ok(otlp.timeout(otlp::timeout(self.env, signal).min(longest)))
    }

    fn further(&self, signal: Signal) -> Result<Vec<Otlp>, Error> {
        let otlp = |base: &String| endpoint::below("endpoint", base, signal.path()).map(Otlp::new);
        self.also.iter().map(otlp).collect()
    }
}

/// Somebody is waiting there.
const WATCHED: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
const BILLED: &str = "metrics: not sent, because Honeycomb bills each data point as an event; OTEL_METRICS_EXPORTER=otlp \
                      sends them";
