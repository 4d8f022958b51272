use opentelemetry_sdk::trace::SpanData;

use super::span_record::SpanRecord;
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::outbox::{Batch, Destination, Limits, SendError, Tariff};

/// A destination that takes spans of the SDK's type, for which they are made on the outbox's thread.
#[derive(Debug)]
pub(super) struct Made<D>(pub(super) D);

// ===== impl Made =====

impl<D: Destination<Record = SpanData>> Destination for Made<D> {
    type Record = SpanRecord;

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn tariff(&self) -> Option<Tariff<SpanRecord>> {
        Some(self.0.tariff()?.of(SpanRecord::to_data, SpanRecord::data_mut))
    }

    /// Of what is not made yet the size is a guess of ours: to make it here would cost the request.
    fn size(&self, record: &SpanRecord) -> usize {
        match record {
            SpanRecord::Data(span) => self.0.size(span),
            SpanRecord::Exchange(recorded) => recorded.size(),
        }
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<SpanRecord>> {
        Some(self.0.codec()?.of(SpanRecord::into_data, SpanRecord::from))
    }

    async fn send(&self, batch: Batch<SpanRecord>) -> Result<(), SendError<SpanRecord>> {
        let spans = batch.into_iter().map(SpanRecord::into_data).collect();
        self.0.send(spans).await.map_err(|error| error.map(SpanRecord::from))
    }
}
