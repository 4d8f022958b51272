use belvedere::otel::{Ids, Undecided};
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};

/// A provider as `from_env` makes one, whose spans stay in memory.
pub struct Spans {
    pub provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

impl Spans {
    pub fn new() -> Self {
        Self::sampled(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
    }

    pub fn sampled(sampler: Sampler) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_sampler(Undecided(sampler))
            .with_simple_exporter(exporter.clone())
            .build();
        Self { provider, exporter }
    }

    /// All spans that ended, in that order.
    pub fn all(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }

    /// The one span that ended. Panics if there were none or several.
    #[track_caller]
    pub fn only(&self) -> SpanData {
        let spans = self.all();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.into_iter().next().unwrap()
    }

    /// The one span of this name.
    #[track_caller]
    pub fn named(&self, name: &str) -> SpanData {
        let mut spans = self.all();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "{name}: {:#?}", self.all());
        spans.remove(0)
    }
}

/// All attributes as `key=value`, sorted.
pub fn attributes(span: &SpanData) -> Vec<String> {
    let mut pairs: Vec<_> =
        span.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    pairs.sort();
    pairs
}

/// One attribute as text.
pub fn attribute(span: &SpanData, key: &str) -> Option<String> {
    span.attributes.iter().rev().find(|pair| pair.key.as_str() == key).map(|pair| pair.value.to_string())
}

/// `unset`, `ok`, or the description of the error.
pub fn status(span: &SpanData) -> String {
    match &span.status {
        Status::Unset => "unset".to_owned(),
        Status::Ok => "ok".to_owned(),
        Status::Error { description } => format!("error: {description}"),
    }
}

/// A sampler that has a bug.
#[derive(Clone, Debug)]
pub struct PanicsAtGet;

impl opentelemetry_sdk::trace::ShouldSample for PanicsAtGet {
    fn should_sample(
        &self,
        parent: Option<&opentelemetry::Context>,
        trace_id: opentelemetry::trace::TraceId,
        name: &str,
        kind: &opentelemetry::trace::SpanKind,
        attributes: &[opentelemetry::KeyValue],
        links: &[opentelemetry::trace::Link],
    ) -> opentelemetry_sdk::trace::SamplingResult {
        assert_ne!(name, "GET", "a bug");
        Sampler::AlwaysOn.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}
