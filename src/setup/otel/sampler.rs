use opentelemetry_sdk::trace::{Sampler, ShouldSample};

use super::env::Env;
use crate::otel::{ParentBased, Ratio, TracerProviderBuilder, Undecided, Weighted};

/// Sets the sampler that `OTEL_TRACES_SAMPLER` names. `rules` are X-Ray's, which follow a parent by themselves.
pub(super) fn sample(
    builder: TracerProviderBuilder,
    env: &Env,
    rules: Option<Box<dyn ShouldSample>>,
) -> TracerProviderBuilder {
    let Some(name) = env.text(NAME) else { return parent_based(builder, Ratio::new(1.0)) };
    match (name.to_ascii_lowercase().as_str(), rules) {
        ("xray" | "parentbased_xray", Some(rules)) => builder.sampler(rules),
        _ => named(builder, env, &name),
    }
}

fn named(builder: TracerProviderBuilder, env: &Env, name: &str) -> TracerProviderBuilder {
    match name.to_ascii_lowercase().as_str() {
        "always_on" => builder.sampler(alone(Ratio::new(1.0))),
        "always_off" => builder.sampler(alone(Sampler::AlwaysOff)),
        "traceidratio" => builder.sampler(alone(ratio(env))),
        "parentbased_always_on" => parent_based(builder, Ratio::new(1.0)),
        "parentbased_always_off" => parent_based(builder, Sampler::AlwaysOff),
        "parentbased_traceidratio" => parent_based(builder, ratio(env)),
        _ => {
            env.warn(NAME, name, "parentbased_always_on");
            parent_based(builder, Ratio::new(1.0))
        }
    }
}

fn parent_based<S>(builder: TracerProviderBuilder, root: S) -> TracerProviderBuilder
where
    S: ShouldSample + Clone + 'static,
{
    builder.sampler(alone(ParentBased(root)))
}

pub(super) fn alone<S>(sampler: S) -> Weighted<Undecided<S>> {
    Weighted(Undecided(sampler))
}

fn ratio(env: &Env) -> Ratio {
    let share = env.number(&[ARG], Some(1.0), |share| (0.0..=1.0).contains(share));
    Ratio::new(share.unwrap_or(1.0))
}

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
