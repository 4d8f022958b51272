use super::{Request, matcher::Matcher, reservoir::Reservoir, sampler::Random};

/// Rules that are decided by alone: the first one that matches, else the default.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) rules: Vec<(Matcher, Limit)>,
    pub(super) default: Limit,
}

/// So many in each second, and of the others a share.
#[derive(Debug)]
pub(super) struct Limit {
    reservoir: Reservoir,
    rate: f64,
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
        Self { reservoir: Reservoir::new(fixed_target), rate }
    }

    fn sample(&self, random: Random) -> bool {
        self.reservoir.take() || random() < self.rate
    }
}
