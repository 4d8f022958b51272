use std::borrow::Cow;

use opentelemetry_sdk::trace::SpanData;

use super::{recorded::Recorded, size::size};

/// What waits in a lane for spans. Small, since many of them wait.
#[derive(Debug)]
pub(super) enum SpanRecord {
    /// A span of the SDK's.
    Data(Box<SpanData>),
    /// A server's exchange, of which no span was made yet.
    Exchange(Recorded),
}

// ===== impl SpanRecord =====

impl SpanRecord {
    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Data(span) => size(span),
            Self::Exchange(recorded) => recorded.size(),
        }
    }

    /// About how many bytes it has as it is sent, where it is written straight to the wire.
    pub(super) fn encoded_size(&self) -> usize {
        match self {
            Self::Exchange(recorded) if recorded.is_usual() => recorded.encoded_size(),
            _ => 0,
        }
    }

    pub(super) fn to_data(&self) -> Cow<'_, SpanData> {
        match self {
            Self::Data(span) => Cow::Borrowed(span),
            Self::Exchange(recorded) => Cow::Owned(recorded.span_data()),
        }
    }

    pub(super) fn into_data(self) -> SpanData {
        match self {
            Self::Data(span) => *span,
            Self::Exchange(recorded) => recorded.span_data(),
        }
    }

    /// The span, which is made now if it was not made yet.
    pub(super) fn data_mut(&mut self) -> &mut SpanData {
        if let Self::Exchange(recorded) = self {
            *self = recorded.span_data().into();
        }
        match self {
            Self::Data(span) => span,
            Self::Exchange(_) => unreachable!("it was made"),
        }
    }
}

impl From<SpanData> for SpanRecord {
    fn from(span: SpanData) -> Self {
        Self::Data(Box::new(span))
    }
}
