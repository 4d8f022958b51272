//! A source of sampling rules that answers as it is told, and keeps what it was asked and when.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use belvedere::{
    outbox::Reason,
    xray::sampler::{
        GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingSource, SamplingStatisticsDocument,
    },
};
use opentelemetry::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

/// Clones are the same one.
#[derive(Clone)]
pub(crate) struct Rulebook {
    play: Arc<dyn Fn(&Call) -> Reply + Send + Sync>,
    calls: Arc<Mutex<Vec<(Instant, Call)>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    /// With the token of the page.
    Rules(Option<String>),
    Targets(Vec<SamplingStatisticsDocument>),
}

pub(crate) enum Reply {
    Json(Value),
    Fails,
    Panics,
    Silence,
}

// ===== impl Rulebook =====

impl Rulebook {
    pub(crate) fn new(play: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self { play: Arc::new(play), calls: Arc::default() }
    }

    pub(crate) fn calls(&self) -> Vec<(Instant, Call)> {
        self.calls.lock().unwrap().clone()
    }

    /// When rules were asked for, in seconds since `start`.
    pub(crate) fn rules_at(&self, start: Instant) -> Vec<f64> {
        let calls = self.calls().into_iter().filter(|(_, call)| matches!(call, Call::Rules(_)));
        calls.map(|(at, _)| (at - start).as_secs_f64()).collect()
    }

    /// What was reported, and when, in seconds since `start`.
    pub(crate) fn reports(&self, start: Instant) -> Vec<(f64, Vec<SamplingStatisticsDocument>)> {
        let reports = self.calls().into_iter().filter_map(|(at, call)| match call {
            Call::Targets(documents) => Some(((at - start).as_secs_f64(), documents)),
            Call::Rules(_) => None,
        });
        reports.collect()
    }

    async fn answer<T: DeserializeOwned>(&self, call: Call) -> Result<T, Reason> {
        assert!(Context::is_current_telemetry_suppressed(), "polling must not be traced");
        self.calls.lock().unwrap().push((Instant::now(), call.clone()));
        match (self.play)(&call) {
            Reply::Json(json) => Ok(serde_json::from_value(json).unwrap()),
            Reply::Fails => Err(Reason::new("refused")),
            Reply::Panics => panic!("a source that panics"),
            Reply::Silence => pending().await,
        }
    }
}

impl SamplingSource for Rulebook {
    async fn rules(&self, next_token: Option<&str>) -> Result<GetSamplingRulesOutput, Reason> {
        self.answer(Call::Rules(next_token.map(str::to_owned))).await
    }

    async fn targets(
        &self,
        documents: &[SamplingStatisticsDocument],
    ) -> Result<GetSamplingTargetsOutput, Reason> {
        self.answer(Call::Targets(documents.to_vec())).await
    }
}
