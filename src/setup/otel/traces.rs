use opentelemetry::{Key, Value};
use opentelemetry_sdk::{
    Resource,
    trace::{ShouldSample, SpanData},
};

use super::{
    env::Env,
    exporters::Exporters,
    honeycomb::{Home, Honeycomb},
    limits,
    sampler::sample,
};
use crate::{
    Error,
    otel::{BaggageAttributes, Links, Otlp, Print, SpanLane, TracerProvider},
    setup::start::Start,
};

/// What becomes of spans.
#[derive(Debug)]
pub(super) struct Traces {
    endpoints: Vec<Otlp>,
    is_printed: bool,
    /// What the link to a trace begins with.
    links: Option<String>,
}

// ===== impl Traces =====

impl Traces {
    /// # Errors
    ///
    /// When an endpoint cannot be used, or Honeycomb refuses the key and `check` asks it.
    pub(super) fn plan(exporters: &Exporters<'_>, check: bool) -> Result<Self, Error> {
        let Exporters { env, honeycomb, service, .. } = *exporters;
        let (endpoints, is_printed) = exporters.traces()?;
        let wants_links = env.flag(LINKS);
        let mut links = None;
        if check || wants_links {
            let home = home(env, honeycomb, &endpoints, check)?;
            links = home.filter(|_| wants_links).map(|home| home.url(service));
            if wants_links && links.is_none() {
                env.note(format!("{LINKS}: there are no links, because team and environment are not known"));
            }
        }
        Ok(Self { endpoints, is_printed, links })
    }

    /// Opens the lanes, and makes the provider whose spans go there.
    pub(super) fn start(
        self,
        start: &Start<'_>,
        resource: Resource,
        rules: Option<Box<dyn ShouldSample>>,
        baggage: Vec<String>,
    ) -> Result<TracerProvider, Error> {
        let Self { endpoints, is_printed, links } = self;
        let Start { env, outbox, scrubber, .. } = *start;
        let length = limits::value_length(env);
        let name = resource.get(&Key::from_static_str("service.name")).unwrap_or_else(|| Value::from(""));
        let mut builder =
            sample(TracerProvider::builder(), env, rules).limits(limits::limits(env)).resource(resource);
        if !baggage.is_empty() {
            builder = builder.processor(BaggageAttributes::new(baggage).scrubber(scrubber.clone()));
        }
        let mut places: Vec<_> = endpoints.iter().map(|otlp| format!("otlp {}", otlp.place())).collect();
        for otlp in endpoints {
            builder = builder.processor(cut(SpanLane::otlp(outbox, otlp)?, length));
        }
        if is_printed {
            places.push(CONSOLE.to_owned());
            let lane = SpanLane::new(outbox, CONSOLE, Print::stdout());
            builder = builder.processor(cut(lane, length));
        }
        tracing::info!(target: TARGET, to = %all(&places), %name, "spans: on");
        if let Some(url) = links {
            builder = builder.processor(Links::stdout(outbox, move |span| link(&url, span)));
        }
        Ok(builder.build())
    }
}

/// Where in Honeycomb the spans are, if that is where they go.
fn home(env: &Env, honeycomb: &Honeycomb, endpoints: &[Otlp], must: bool) -> Result<Option<Home>, Error> {
    match endpoints.iter().find(|otlp| honeycomb.is_at(otlp.uri())) {
        Some(otlp) => honeycomb.ask(env, otlp, must),
        None => {
            env.note("there is nothing to ask Honeycomb: spans do not go there".to_owned());
            Ok(None)
        }
    }
}

/// For a person.
fn all(places: &[String]) -> String {
    if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") }
}

fn cut(lane: SpanLane, length: Option<usize>) -> SpanLane {
    match length {
        Some(length) => lane.value_length(length),
        None => lane,
    }
}

fn link(url: &str, span: &SpanData) -> String {
    format!("{}: {url}{}", span.name, span.span_context.trace_id())
}

/// The lane of spans that are printed as they end.
const CONSOLE: &str = "console";
const TARGET: &str = "belvedere::setup";
const LINKS: &str = "HONEYCOMB_ENABLE_LOCAL_VISUALIZATIONS";
