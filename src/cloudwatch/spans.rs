use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::{layer::Context, registry::LookupSpan};

use super::fields::{self, Fields};

/// The spans that an event is in, the innermost first, without a place of their own in memory where they are few.
#[derive(Default)]
pub(super) struct Spans {
    near: [Option<Span>; NEAR],
    far: Vec<Span>,
}

/// A span, as it was when an event happened in it.
pub(super) struct Span {
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) fields: Fields,
}

/// What a span has said so far, as the registry keeps it.
pub(super) struct Recorded(pub(super) Fields);

// ===== impl Spans =====

impl Spans {
    /// The innermost of those that are wanted.
    pub(super) fn around<S>(
        event: &Event<'_>,
        context: &Context<'_, S>,
        wants: impl Fn(&Metadata<'_>) -> bool,
    ) -> Self
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut spans = Self::default();
        let scope = context.event_scope(event).into_iter().flatten();
        for (place, span) in scope.filter(|span| wants(span.metadata())).take(MOST).enumerate() {
            let fields = span.extensions().get::<Recorded>().map(|recorded| recorded.0.clone());
            let span = Span { metadata: span.metadata(), fields: fields.unwrap_or_default() };
            match spans.near.get_mut(place) {
                Some(near) => *near = Some(span),
                None => spans.far.push(span),
            }
        }
        spans
    }

    /// The one that the event is in.
    pub(super) fn innermost(&self) -> Option<&Span> {
        self.near[0].as_ref()
    }

    /// Those around the innermost, the outermost first.
    pub(super) fn outer(&self) -> impl Iterator<Item = &Span> {
        self.far.iter().rev().chain(self.near[1..].iter().rev().flatten())
    }

    /// All, the outermost first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Span> {
        self.outer().chain(self.innermost())
    }
}

// ===== impl Span =====

impl Span {
    /// At least how many bytes it is as a JSON object.
    pub(super) fn weight(&self) -> usize {
        OBJECT + fields::weight(self.metadata.name()) + self.fields.weight()
    }
}

/// How many spans take no memory of their own.
const NEAR: usize = 4;

/// How many spans an event shows.
const MOST: usize = 32;

/// `{"name":""},`, and what a field gets that is called `name`, too.
const OBJECT: usize = 16;
