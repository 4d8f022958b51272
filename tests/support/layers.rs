use std::time::Duration;

use belvedere::otel::{OtelClientLayer, OtelLayer};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;

use super::spans::{Spans, attribute};

impl Spans {
    /// A server's layer whose spans come here.
    pub fn layer(&self) -> OtelLayer {
        OtelLayer::new().tracer_provider(&self.provider)
    }

    /// A client's layer whose spans come here.
    pub fn client_layer(&self) -> OtelClientLayer {
        OtelClientLayer::new().tracer_provider(&self.provider)
    }

    /// The one span of this kind.
    #[track_caller]
    pub fn of_kind(&self, kind: &SpanKind) -> SpanData {
        let mut spans = self.all();
        spans.retain(|span| span.span_kind == *kind);
        assert_eq!(spans.len(), 1, "{kind:?}: {:#?}", self.all());
        spans.remove(0)
    }

    /// Waits until `count` spans have ended, for tests over sockets.
    pub async fn ended(&self, count: usize) -> Vec<SpanData> {
        for _ in 0..500 {
            if self.all().len() >= count {
                return self.all();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} spans should have ended: {:#?}", self.all());
    }
}

/// One attribute as text; empty if it is not there.
pub fn text(span: &SpanData, key: &str) -> String {
    attribute(span, key).unwrap_or_default()
}

/// The message of the exception that a span tells of.
pub fn exception(span: &SpanData) -> Option<String> {
    let event = span.events.iter().find(|event| event.name == "exception")?;
    let message = event.attributes.iter().find(|pair| pair.key.as_str() == "exception.message")?;
    Some(message.value.to_string())
}

/// How long a span lasted.
pub fn lasted(span: &SpanData) -> Duration {
    span.end_time.duration_since(span.start_time).unwrap()
}
