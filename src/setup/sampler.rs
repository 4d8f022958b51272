use opentelemetry_sdk::trace::Sampler;

use super::env::Env;
use crate::otel::Undecided;

/// The sampler that `OTEL_TRACES_SAMPLER` names.
pub(super) fn sampler(env: &Env) -> Undecided<Sampler> {
    let Some(name) = env.text(NAME) else { return Undecided(parent_based(Sampler::AlwaysOn)) };
    Undecided(match name.to_ascii_lowercase().as_str() {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => ratio(env),
        "parentbased_always_on" => parent_based(Sampler::AlwaysOn),
        "parentbased_always_off" => parent_based(Sampler::AlwaysOff),
        "parentbased_traceidratio" => parent_based(ratio(env)),
        _ => {
            env.warn(NAME, &name, "parentbased_always_on");
            parent_based(Sampler::AlwaysOn)
        }
    })
}

fn parent_based(root: Sampler) -> Sampler {
    Sampler::ParentBased(Box::new(root))
}

fn ratio(env: &Env) -> Sampler {
    let Some(text) = env.text(ARG) else { return Sampler::TraceIdRatioBased(1.0) };
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    Sampler::TraceIdRatioBased(ratio.unwrap_or_else(|| {
        env.warn(ARG, &text, "1.0");
        1.0
    }))
}

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
