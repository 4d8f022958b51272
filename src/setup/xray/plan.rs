use super::{
    env::Env,
    exporter::{EXPORTER, Exporter},
    given::Given,
    resource::{LOG_GROUPS, PLUGINS, Resource},
    running::Running,
    sampling::{RULES, Sampling},
    switch::Switch,
};
use crate::{
    Error,
    setup::start::Start,
    xray::{ContextMissing, Name, Sampler, XRayClientLayer, XRayLayer},
};

/// What is to be started. Whatever may be refused has been looked at.
#[derive(Debug)]
pub(in crate::setup) struct Plan {
    switch: Switch,
    name: Name,
    given: Given,
    exporter: Exporter,
    /// None where nobody asks.
    sampling: Option<Sampling>,
    /// None where no segment would say it.
    resource: Option<Resource>,
    /// Whether spans are sampled as segments are.
    is_for_spans: bool,
    /// None where the environment does not say it.
    missing: Option<ContextMissing>,
}

// ===== impl Plan =====

impl Plan {
    pub(super) fn new(given: Given, env: &Env, service: &str) -> Result<Self, Error> {
        let switch = Switch::read(env, &given)?;
        let (is_on, is_for_spans) = (switch == Switch::On, samples_spans(env));
        let name = name(env, service);
        if !is_on && !is_for_spans {
            if switch == Switch::Unsaid {
                warn_of_what_is_not_read(env);
            }
            let exporter = Exporter::None;
            let (sampling, resource, missing) = (None, None, None);
            return Ok(Self { switch, name, given, exporter, sampling, resource, is_for_spans, missing });
        }
        if is_for_spans && env.text(SAMPLER_ARG).is_some() {
            env.note(format!(
                "{SAMPLER_ARG} is not used by X-Ray's sampler: it asks AWS_XRAY_DAEMON_ADDRESS"
            ));
        }
        let exporter = Exporter::read(env, given.api.as_ref())?;
        let sampling = Some(Sampling::read(env, &exporter, &given.also)?);
        let missing = ContextMissing::lookup(env.lookup())?;
        let resource = is_on.then(|| Resource::read(env)).transpose()?;
        Ok(Self { switch, name, given, exporter, sampling, resource, is_for_spans, missing })
    }

    /// Whether anything was said about X-Ray, so that its header is to be read, be it only to let it through.
    pub(in crate::setup) fn is_said(&self) -> bool {
        self.switch != Switch::Unsaid
    }

    /// Opens the lanes, and makes the layers.
    pub(in crate::setup) fn start(self, start: &Start<'_>) -> Result<Running, Error> {
        let Self { switch, name, given, exporter, sampling, resource, is_for_spans, missing } = self;
        let by = sampling.as_ref().map(Sampling::name);
        let sampler = sampling.map_or_else(Sampler::default, |sampling| sampling.sampler(start.outbox));
        let layers = (switch == Switch::On).then(|| {
            let lane = exporter.lane(start.outbox, &given);
            tracing::info!(target: TARGET, to = %lane, %name, sampling = by, "segments: on");
            missing.filter(|_| start.global).into_iter().for_each(ContextMissing::install);
            let layer = XRayLayer::on(name.clone(), lane).sample(sampler.clone()).one_decision(is_for_spans);
            let layer = match resource {
                Some(resource) => resource.log_group(start.log_group.clone()).describe(layer, start.outbox),
                None => layer,
            };
            let layer = layer.scrubber(start.scrubber.clone()).addresses(start.addresses);
            let client = XRayClientLayer::new().scrubber(start.scrubber.clone());
            let propagation = || start.propagation.clone();
            (layer.propagation(propagation()), client.propagation(propagation()))
        });
        match switch {
            Switch::On => {}
            Switch::Off(why) => tracing::info!(target: TARGET, "segments: off, because {why}"),
            Switch::Unsaid => tracing::info!(target: TARGET, "segments: off; {HINT}"),
        }
        Ok(Running::new(layers, is_for_spans.then_some((sampler, name))))
    }
}

/// What segments are called.
fn name(env: &Env, service: &str) -> Name {
    let Some(text) = env.text(TRACING_NAME) else { return Name::from(service.to_owned()) };
    let name = Name::from(text.clone());
    if *name != *text {
        env.note(format!("{TRACING_NAME} is {text:?}, which has characters that X-Ray does not take, or too many: using {name:?}"));
    }
    name
}

/// Whether the spans' sampler is X-Ray's.
fn samples_spans(env: &Env) -> bool {
    let word = env.text("OTEL_TRACES_SAMPLER").unwrap_or_default();
    ["xray", "parentbased_xray"].iter().any(|xray| word.eq_ignore_ascii_case(xray))
}

fn warn_of_what_is_not_read(env: &Env) {
    for name in [EXPORTER, RULES, PLUGINS, LOG_GROUPS].into_iter().filter(|name| env.text(name).is_some()) {
        env.note(format!(
            "{name} is not used, because segments are off: AWS_XRAY_SDK_ENABLED=true turns them on"
        ));
    }
}

const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const TARGET: &str = "belvedere::setup";
const HINT: &str =
    "AWS_XRAY_SDK_ENABLED=true, AWS_XRAY_DAEMON_ADDRESS or AWS_XRAY_TRACING_NAME turns them on";
const TRACING_NAME: &str = "AWS_XRAY_TRACING_NAME";
