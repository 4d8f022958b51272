use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Request, Sampler, Sampling, SamplingRuleRecord, SamplingTargetDocument,
    rule::{Counts, Moment, Rule},
    sampler::Random,
};

/// The rules that are kept in X-Ray, as they were when last heard of.
pub(super) struct Central {
    rules: RwLock<Rules>,
    fallback: Sampler,
    is_started: AtomicBool,
    start: Mutex<Option<Start>>,
}

#[derive(Debug, Default)]
struct Rules {
    /// In the order in which they are asked.
    rules: Vec<Rule>,
    /// When they were asked for.
    fetched: Option<Instant>,
}

/// What starts the polling.
type Start = Box<dyn FnOnce(Weak<Central>) + Send>;

// ===== impl Central =====

impl Central {
    pub(super) fn new(fallback: Sampler, start: impl FnOnce(Weak<Self>) + Send + 'static) -> Self {
        let start: Start = Box::new(start);
        Self {
            rules: RwLock::default(),
            fallback,
            is_started: AtomicBool::new(false),
            start: Mutex::new(Some(start)),
        }
    }

    pub(super) fn sample(self: &Arc<Self>, request: &Request<'_>, random: Random) -> Sampling {
        self.start();
        self.by_rule(request, random).unwrap_or_else(|| self.fallback.sample(request))
    }

    /// Takes the rules that were asked for at `fetched` in place of those that were there. A rule that stays keeps its
    /// counts, its quota and its reservoir.
    pub(super) fn replace(&self, records: Vec<SamplingRuleRecord>, fetched: Instant) {
        let rules = records.into_iter().filter_map(|record| Rule::new(record.sampling_rule?));
        let mut rules: Vec<_> = rules.collect();
        rules.sort_by(|one, other| one.order().cmp(&other.order()));
        let mut present = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let mut earlier: HashMap<_, _> =
            present.rules.iter_mut().map(|earlier| (earlier.name.clone(), earlier)).collect();
        for rule in &mut rules {
            if let Some(earlier) = earlier.get_mut(&rule.name) {
                rule.succeed(earlier);
            }
        }
        let gone = std::mem::replace(&mut *present, Rules { rules, fetched: Some(fetched) });
        drop(present);
        drop(gone);
    }

    /// What is to be reported now, by rules.
    pub(super) fn reports(&self, now: Instant) -> Vec<(Arc<str>, Counts)> {
        self.read(|rules| {
            rules.rules.iter().filter_map(|rule| Some((rule.name.clone(), rule.report(now)?))).collect()
        })
    }

    /// Does from now on as it is told, in answer to reports that were made at `reported`.
    pub(super) fn aim(&self, targets: &[SamplingTargetDocument], reported: Instant, at: Moment) {
        self.read(|rules| {
            let by_name: HashMap<_, _> = rules.rules.iter().map(|rule| (&*rule.name, rule)).collect();
            for target in targets {
                let rule = target.rule_name.as_deref().and_then(|name| by_name.get(name));
                rule.into_iter().for_each(|rule| rule.aim(target, reported, at));
            }
        });
    }

    /// The first request starts the polling.
    fn start(self: &Arc<Self>) {
        let is_first =
            !self.is_started.load(Ordering::Relaxed) && !self.is_started.swap(true, Ordering::Relaxed);
        if is_first {
            let start = self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
            start.into_iter().for_each(|start| start(Arc::downgrade(self)));
        }
    }

    fn by_rule(&self, request: &Request<'_>, random: Random) -> Option<Sampling> {
        let now = Instant::now();
        self.read(|rules| {
            let rule =
                rules.are_fresh(now).then(|| rules.rules.iter().find(|rule| rule.matches(request)))??;
            Some(Sampling { sampled: rule.sample(now, random), rule: Some(rule.name.clone()) })
        })
    }

    fn read<T>(&self, ask: impl FnOnce(&Rules) -> T) -> T {
        ask(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Central {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Central").field("rules", &self.rules).finish_non_exhaustive()
    }
}

// ===== impl Rules =====

impl Rules {
    fn are_fresh(&self, now: Instant) -> bool {
        self.fetched.is_some_and(|fetched| now.saturating_duration_since(fetched) <= FRESH_FOR)
    }
}

/// How long rules are believed without a good answer.
const FRESH_FOR: Duration = Duration::from_secs(60 * 60);
