use super::env::Env;
use crate::trace::Propagator;

/// The headers that carry a trace, by `OTEL_PROPAGATORS`. Where it says nothing, X-Ray's is among them if that is
/// `with_xray`.
pub(super) fn propagators(env: &Env, with_xray: bool) -> Vec<Propagator> {
    let default = if with_xray { "tracecontext,baggage,xray" } else { "tracecontext,baggage" };
    env.list("OTEL_PROPAGATORS", default, propagator)
}

fn propagator(word: &str) -> Option<Propagator> {
    match word {
        "tracecontext" => Some(Propagator::TraceContext),
        "baggage" => Some(Propagator::Baggage),
        "b3" => Some(Propagator::B3),
        "b3multi" => Some(Propagator::B3Multi),
        "xray" => Some(Propagator::XRay),
        _ => None,
    }
}
