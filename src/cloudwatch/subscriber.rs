use std::{fmt, sync::Arc, time::SystemTime};

use opentelemetry::Context;
use tracing::{
    Event, Level, Metadata,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{layer, registry::LookupSpan};

use super::{
    LogLane, StreamName,
    app_event::{AppEvent, Style},
    fields::Pen,
    spans::{Recorded, Spans},
};
use crate::{
    Error,
    observe::quietly,
    scrub::Scrubber,
    trace::{Scope, SpanId, TraceId},
};

/// A layer for `tracing` that ships the application's own events to CloudWatch Logs. Made by [`subscriber`].
#[derive(Clone)]
pub struct Subscriber {
    lane: LogLane,
    level: Level,
    style: Arc<Style>,
}

/// A layer for `tracing` that ships the application's own events by this lane, each with the trace that it is of.
pub fn subscriber(lane: &LogLane) -> Subscriber {
    let style = Style { scrubber: Scrubber::default(), location: true, all_spans: true, text: false };
    Subscriber { lane: lane.clone(), level: Level::INFO, style: Arc::new(style) }
}

// ===== impl Subscriber =====

impl Subscriber {
    /// Ships events of this level and above, and shows spans of this level and above. Default: `INFO`.
    ///
    /// It decides for this layer alone; what others log they decide themselves. `.with_filter(..)` of `tracing_subscriber` may
    /// decide more finely, and spares what no layer wants its whole cost.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The stream that events go into: a name, or a pattern as [`StreamName`] describes. Default: the lane's.
    ///
    /// # Errors
    ///
    /// When CloudWatch would not take the name, or the pattern has a word in it that is not known.
    pub fn stream(mut self, name: impl AsRef<str>) -> Result<Self, Error> {
        let stream: StreamName = name.as_ref().parse()?;
        self.lane = self.lane.stream(stream);
        Ok(self)
    }

    /// What keeps secrets in. Default: [`Scrubber::default`], whose lists are wide.
    #[must_use]
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.style_mut().scrubber = scrubber;
        self
    }

    /// Whether `file` and `line` are told. Default: yes.
    #[must_use]
    pub fn location(mut self, is_told: bool) -> Self {
        self.style_mut().location = is_told;
        self
    }

    /// Whether all spans around an event are told, in `spans`, or in `span` the innermost alone. Default: all.
    ///
    /// Every byte is billed, and of an event deep in spans they are most of it.
    #[must_use]
    pub fn all_spans(mut self, are_told: bool) -> Self {
        self.style_mut().all_spans = are_told;
        self
    }

    /// Writes each event as a line of text, in which CloudWatch finds no fields:
    /// `2026-11-20T12:26:03.25Z  INFO checkout{cart=7}: shop::cart: paid items=3 xray_trace_id=1-4bf92f35-77b34da6a3ce929d0e0e4736`.
    #[must_use]
    pub fn text(mut self) -> Self {
        self.style_mut().text = true;
        self
    }

    fn style_mut(&mut self) -> &mut Style {
        Arc::make_mut(&mut self.style)
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn ship<S>(&self, event: &Event<'_>, context: &layer::Context<'_, S>)
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(ids) = ids() else { return };
        // Held until it is pushed: what that logs is not shipped either.
        let Some(mut pen) = Pen::take() else { return };
        let event = AppEvent {
            at: SystemTime::now(),
            metadata: event.metadata(),
            ids,
            fields: pen.fields(MOST, |visit| event.record(visit)),
            spans: Spans::around(event, context, |metadata| self.wants(metadata)),
            style: self.style.clone(),
        };
        if !(AppEvent::is_log(event.metadata) && is_own(event.target())) {
            self.lane.share(Arc::new(event));
        }
    }
}

// Whether an event is shipped is not told by `enabled`, which would silence it for all other layers.
impl<S> layer::Layer<S> for Subscriber
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: layer::Context<'_, S>) {
        if !self.wants(attributes.metadata()) || attributes.is_empty() {
            return;
        }
        let (Some(span), Some(mut pen)) = (context.span(id), Pen::take()) else { return };
        let fields = pen.fields(MOST_OF_A_SPAN, |visit| attributes.record(visit));
        // Another one like this may have been there before.
        span.extensions_mut().replace(Recorded(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: layer::Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| self.wants(span.metadata())) else { return };
        let Some(mut pen) = Pen::take() else { return };
        let earlier = span.extensions().get::<Recorded>().map(|recorded| recorded.0.clone());
        let earlier = earlier.unwrap_or_default();
        // Not under the registry's lock: what writes a field may look at its span.
        let fields = pen.more_fields(MOST_OF_A_SPAN, &earlier, |visit| values.record(visit));
        span.extensions_mut().replace(Recorded(fields));
    }

    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, S>) {
        if self.wants(event.metadata()) && !is_own(event.metadata().target()) {
            quietly(|| self.ship(event, &context));
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, level, style } = self;
        f.debug_struct("Subscriber").field("lane", lane).field("level", level).field("style", style).finish()
    }
}

/// The trace and the span that this code runs in, if it does; none at all where telemetry is suppressed.
fn ids() -> Option<Option<(TraceId, SpanId)>> {
    Context::map_current(|context| (!context.is_telemetry_suppressed()).then(|| Scope::ids(context)))
}

/// Whether a target is this crate's.
fn is_own(target: &str) -> bool {
    target.strip_prefix("belvedere").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// How much an event's own fields are as JSON.
const MOST: usize = 64 * 1024;

/// How much a span's fields are.
const MOST_OF_A_SPAN: usize = 4 * 1024;
