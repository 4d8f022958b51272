use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::{Request, matcher::Matcher, sampler::Random, window::Window};

/// Rules that are decided by alone: the first one that matches, else the default.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) rules: Vec<(Matcher, Limit)>,
    pub(super) default: Limit,
}

/// So many in each second, and of the others a share.
#[derive(Debug)]
pub(super) struct Limit {
    fixed_target: u64,
    rate: f64,
    window: Mutex<Window>,
}

// ===== impl Local =====

impl Local {
    pub(super) fn sample(&self, request: &Request<'_>, random: Random) -> bool {
        let rule = self.rules.iter().find(|(matcher, _)| matcher.matches(request));
        rule.map_or(&self.default, |(_, limit)| limit).sample(random)
    }
}

// ===== impl Limit =====

impl Limit {
    pub(super) fn new(fixed_target: u64, rate: f64) -> Self {
        Self { fixed_target, rate, window: Mutex::new(Window::new()) }
    }

    fn sample(&self, random: Random) -> bool {
        let Self { fixed_target, rate, window } = self;
        let take =
            || window.lock().unwrap_or_else(PoisonError::into_inner).take(*fixed_target, Instant::now());
        (*fixed_target > 0 && take()) || random() < *rate
    }
}
