use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Request, SamplingRule, SamplingTargetDocument, matcher::Matcher, sampler::Random, window::Window,
};
use crate::xray::pattern::Pattern;

/// A central rule, and what has become of it here.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    priority: i64,
    /// Whether it comes last and is for everything.
    is_default: bool,
    matcher: Matcher,
    reservoir_size: u64,
    state: Mutex<State>,
}

/// What changes with requests and with targets. Counts and reservoir are one, so that a report is of one moment.
#[derive(Debug)]
struct State {
    counts: Counts,
    window: Window,
    rate: f64,
    quota: Option<u64>,
    /// The quota's last moment.
    quota_until: Option<Instant>,
    /// When it was last reported with success.
    reported: Option<Instant>,
    interval: Duration,
}

/// What is reported.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) sampled: u64,
    pub(super) borrowed: u64,
}

/// A moment, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    /// Seconds since 1970.
    pub(super) epoch: f64,
}

// ===== impl Rule =====

impl Rule {
    /// `None` for a rule that is not for us, or that lacks something.
    pub(super) fn new(rule: SamplingRule) -> Option<Self> {
        let is_default = rule.rule_name.as_deref() == Some(DEFAULT);
        let is_ours = rule.version == Some(1)
            && rule.resource_arn.as_deref() == Some("*")
            && rule.attributes.is_none_or(|attributes| attributes.is_empty());
        let (true, rate) = (is_ours, rule.fixed_rate?) else { return None };
        Some(Self {
            name: short(rule.rule_name)?.into(),
            priority: rule.priority?,
            is_default,
            matcher: Matcher {
                service: pattern(rule.service_name)?,
                service_type: pattern(rule.service_type)?,
                host: pattern(rule.host)?,
                method: pattern(rule.http_method)?,
                path: pattern(rule.url_path)?,
            },
            reservoir_size: rule.reservoir_size?,
            state: Mutex::new(State::new(rate)),
        })
    }

    /// Rules are asked in this order.
    pub(super) fn order(&self) -> (bool, i64, &str) {
        (self.is_default, self.priority, &self.name)
    }

    pub(super) fn matches(&self, request: &Request<'_>) -> bool {
        self.is_default || self.matcher.matches(request)
    }

    /// Counts a request, and decides about it.
    pub(super) fn sample(&self, now: Instant, random: Random) -> bool {
        let mut state = self.state();
        state.counts.requests += 1;
        let sampled = state.take(self.reservoir_size, now) || random() < state.rate;
        state.counts.sampled += u64::from(sampled);
        sampled
    }

    /// Goes on where an earlier version of the same rule was.
    pub(super) fn succeed(&mut self, earlier: &mut Self) {
        let rate = self.state_mut().rate;
        mem::swap(self.state_mut(), earlier.state_mut());
        self.state_mut().rate = rate;
    }

    /// What is to be reported, which then starts from nothing; `None` if there is nothing, or it is not yet time.
    pub(super) fn report(&self, now: Instant) -> Option<Counts> {
        let mut state = self.state();
        let is_due = state.reported.is_none_or(|reported| now.duration_since(reported) >= state.interval);
        (is_due && state.counts.requests > 0).then(|| mem::take(&mut state.counts))
    }

    /// Does from now on as it is told. `reported` is when the report was made that this is the answer to.
    pub(super) fn aim(&self, target: &SamplingTargetDocument, reported: Instant, at: Moment) {
        let SamplingTargetDocument {
            fixed_rate,
            reservoir_quota,
            reservoir_quota_ttl,
            interval,
            rule_name: _,
        } = *target;
        let mut state = self.state();
        state.reported = Some(reported);
        state.rate = fixed_rate.unwrap_or(state.rate);
        state.quota = reservoir_quota.or(state.quota);
        state.interval = interval.map_or(state.interval, |seconds| Duration::from_secs(seconds.min(LONGEST)));
        if let Some(ttl) = reservoir_quota_ttl {
            state.quota_until = at.until(ttl);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&mut self) -> &mut State {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

// ===== impl State =====

impl State {
    fn new(rate: f64) -> Self {
        Self {
            counts: Counts::default(),
            window: Window::new(),
            rate,
            quota: None,
            quota_until: None,
            reported: None,
            interval: INTERVAL,
        }
    }

    /// Takes from the reservoir: by the quota while there is one, else one a second on credit.
    fn take(&mut self, reservoir_size: u64, now: Instant) -> bool {
        if let Some(quota) = self.quota.filter(|_| self.quota_until.is_some_and(|until| now <= until)) {
            return self.window.take(quota, now);
        }
        let borrows = reservoir_size > 0 && self.window.borrow(now);
        self.counts.borrowed += u64::from(borrows);
        borrows
    }
}

// ===== impl Moment =====

impl Moment {
    /// When the wall clock will show `epoch`; `None` if it did.
    fn until(self, epoch: f64) -> Option<Instant> {
        // Quotas live for minutes. One that never ended would outlive X-Ray's wish.
        let left = (epoch - self.epoch).min(LONGEST as f64);
        Some(self.now + Duration::try_from_secs_f64(left).ok()?)
    }
}

fn pattern(text: Option<String>) -> Option<Pattern> {
    short(text).map(Pattern::new)
}

fn short(text: Option<String>) -> Option<String> {
    text.filter(|text| text.len() <= LONGEST_TEXT)
}

const DEFAULT: &str = "Default";

/// Twice of what X-Ray allows, in bytes: requests wait for what takes so many steps for each of their characters
/// (<https://docs.aws.amazon.com/xray/latest/api/API_SamplingRule.html>).
const LONGEST_TEXT: usize = 256;

/// When to report again, unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(10);

/// No time that X-Ray tells is taken for longer than this, in seconds: a day.
const LONGEST: u64 = 24 * 60 * 60;
