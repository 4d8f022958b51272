use opentelemetry_sdk::trace::{ParentBasedSampler, Sampler, ShouldSample};

use super::env::Env;
use crate::otel::{Ratio, Undecided, Weighted};

/// The sampler that `OTEL_TRACES_SAMPLER` names. `rules` are X-Ray's, which follow a parent by themselves.
pub(super) fn sampler(env: &Env, rules: Option<Box<dyn ShouldSample>>) -> Box<dyn ShouldSample> {
    let Some(name) = env.text(NAME) else { return parent_based(Ratio::new(1.0)) };
    match (name.to_ascii_lowercase().as_str(), rules) {
        ("xray" | "parentbased_xray", Some(rules)) => rules,
        _ => named(env, &name),
    }
}

fn named(env: &Env, name: &str) -> Box<dyn ShouldSample> {
    match name.to_ascii_lowercase().as_str() {
        "always_on" => alone(Ratio::new(1.0)),
        "always_off" => alone(Sampler::AlwaysOff),
        "traceidratio" => alone(ratio(env)),
        "parentbased_always_on" => parent_based(Ratio::new(1.0)),
        "parentbased_always_off" => parent_based(Sampler::AlwaysOff),
        "parentbased_traceidratio" => parent_based(ratio(env)),
        _ => {
            env.warn(NAME, name, "parentbased_always_on");
            parent_based(Ratio::new(1.0))
        }
    }
}

fn parent_based(root: impl ShouldSample + 'static) -> Box<dyn ShouldSample> {
    alone(ParentBasedSampler::new(root))
}

pub(super) fn alone(sampler: impl ShouldSample + Clone + 'static) -> Box<dyn ShouldSample> {
    Box::new(Weighted(Undecided(sampler)))
}

fn ratio(env: &Env) -> Ratio {
    let share = env.number(&[ARG], Some(1.0), |share| (0.0..=1.0).contains(share));
    Ratio::new(share.unwrap_or(1.0))
}

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
