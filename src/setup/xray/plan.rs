use super::{
    env::Env,
    exporter::{EXPORTER, Exporter},
    given::Given,
    running::Running,
    sampling::{RULES, Sampling},
    switch::Switch,
};
use crate::{
    Error,
    setup::start::Start,
    xray::{DaemonAddress, Name, Sampler, XRayLayer},
};

/// What is to be started. Whatever may be refused has been looked at.
#[derive(Debug)]
pub(in crate::setup) struct Plan {
    switch: Switch,
    name: String,
    also: Vec<DaemonAddress>,
    exporter: Exporter,
    /// None where nobody asks.
    sampling: Option<Sampling>,
    /// Whether spans are sampled as segments are.
    is_for_spans: bool,
}

// ===== impl Plan =====

impl Plan {
    pub(super) fn new(given: Given, env: &Env, service: &str) -> Result<Self, Error> {
        let switch = Switch::read(env, &given)?;
        let (is_on, is_for_spans) = (switch == Switch::On, samples_spans(env));
        let name = env.text(TRACING_NAME).unwrap_or_else(|| service.to_owned());
        let also = given.also;
        if !is_on && !is_for_spans {
            if switch == Switch::Unsaid {
                warn_of_what_is_not_read(env);
            }
            let exporter = Exporter::None;
            return Ok(Self { switch, name, also, exporter, sampling: None, is_for_spans });
        }
        let exporter = Exporter::read(env)?;
        let sampling = Some(Sampling::read(env, &exporter, &also)?);
        Ok(Self { switch, name, also, exporter, sampling, is_for_spans })
    }

    /// Whether anything was said about X-Ray, so that its header is to be read, be it only to let it through.
    pub(in crate::setup) fn is_said(&self) -> bool {
        self.switch != Switch::Unsaid
    }

    /// Opens the lanes, and makes the layers.
    pub(in crate::setup) fn start(self, start: &Start<'_>) -> Result<Running, Error> {
        let Start { outbox, propagation, .. } = *start;
        let Self { switch, name, also, exporter, sampling, is_for_spans } = self;
        let by = sampling.as_ref().map(Sampling::name);
        let sampler = sampling.map(|sampling| sampling.sampler(outbox));
        let layer = match switch {
            Switch::On => {
                let lane = exporter.lane(outbox, &also);
                tracing::info!(target: TARGET, to = %lane, %name, sampling = by, "segments: on");
                Some(XRayLayer::on(Name::from(name.clone()), lane))
            }
            Switch::Off(why) => {
                tracing::info!(target: TARGET, "segments: off, because {why}");
                None
            }
            Switch::Unsaid => {
                tracing::info!(target: TARGET, "segments: off; AWS_XRAY_DAEMON_ADDRESS or {TRACING_NAME} turns them on");
                None
            }
        };
        let sampled = |layer: XRayLayer| layer.sample(sampler.clone().unwrap_or_else(Sampler::none));
        let layer = layer.map(|layer| sampled(layer).propagation(propagation.clone()));
        Ok(Running::new(layer, sampler.filter(|_| is_for_spans), name))
    }
}

/// Whether the spans' sampler is X-Ray's.
fn samples_spans(env: &Env) -> bool {
    let word = env.text("OTEL_TRACES_SAMPLER").unwrap_or_default();
    ["xray", "parentbased_xray"].iter().any(|xray| word.eq_ignore_ascii_case(xray))
}

fn warn_of_what_is_not_read(env: &Env) {
    for name in [EXPORTER, RULES].into_iter().filter(|name| env.text(name).is_some()) {
        env.note(format!(
            "{name} is not used, because segments are off: AWS_XRAY_SDK_ENABLED=true turns them on"
        ));
    }
}

const TARGET: &str = "belvedere::setup";
const TRACING_NAME: &str = "AWS_XRAY_TRACING_NAME";
