use opentelemetry::{InstrumentationScope, logs::AnyValue};
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_sdk::logs::SdkLogRecord;

#[cfg(feature = "spool")]
use super::stored;
use super::worth;
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::outbox::Price;

/// A log record on its way.
#[derive(Debug)]
pub(super) enum Emitted {
    /// As the SDK has it, and whose it is. Boxed, since it is large.
    Made(Box<(SdkLogRecord, InstrumentationScope)>),
    /// As it was read from the disk: the SDK takes no name of an event that is not in the program.
    #[cfg(feature = "spool")]
    Read(Box<ScopeLogs>),
}

// ===== impl Emitted =====

impl Emitted {
    pub(super) fn new(record: &SdkLogRecord, scope: &InstrumentationScope) -> Self {
        Self::Made(Box::new((record.clone(), scope.clone())))
    }

    /// How they are written to the disk. Of each that is read is told first.
    #[cfg(feature = "spool")]
    pub(super) fn codec(tell: impl Fn() + Send + Sync + 'static) -> Codec<Self> {
        let read = move |bytes: &[u8]| {
            tell();
            stored::read(bytes).map(Box::new).map(Self::Read)
        };
        Codec::new(|emitted: Self, to| stored::write(&emitted.scope_logs(), to), read)
    }

    /// About how many bytes it takes, in memory and before compression on the wire.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Made(made) => made_size(&made.0),
            #[cfg(feature = "spool")]
            Self::Read(logs) => RECORD + prost::Message::encoded_len(&**logs),
        }
    }

    /// What it costs, and what it is worth.
    pub(super) fn price(&self) -> Price {
        match self {
            Self::Made(made) => worth::log(&made.0),
            // Who wrote it has paid for it.
            #[cfg(feature = "spool")]
            Self::Read(_) => Price::units(0),
        }
    }

    /// As OTLP has it, below its scope.
    pub(super) fn scope_logs(&self) -> ScopeLogs {
        match self {
            Self::Made(made) => scope_logs(&made.0, &made.1),
            #[cfg(feature = "spool")]
            Self::Read(logs) => (**logs).clone(),
        }
    }
}

fn scope_logs(record: &SdkLogRecord, scope: &InstrumentationScope) -> ScopeLogs {
    ScopeLogs {
        schema_url: scope.schema_url().unwrap_or_default().to_owned(),
        scope: Some((scope, record.target().cloned()).into()),
        log_records: vec![record.into()],
    }
}

fn made_size(record: &SdkLogRecord) -> usize {
    let attributes =
        record.attributes_iter().map(|(key, value)| ATTRIBUTE + key.as_str().len() + size(value));
    RECORD + record.body().map_or(0, size) + attributes.sum::<usize>()
}

fn size(value: &AnyValue) -> usize {
    match value {
        AnyValue::String(text) => text.as_str().len(),
        AnyValue::Bytes(bytes) => bytes.len(),
        AnyValue::ListAny(values) => values.iter().map(|value| ATTRIBUTE + size(value)).sum(),
        AnyValue::Map(pairs) => {
            pairs.iter().map(|(key, value)| ATTRIBUTE + key.as_str().len() + size(value)).sum()
        }
        _ => 8,
    }
}

const RECORD: usize = 512;
const ATTRIBUTE: usize = 48;

#[cfg(all(test, feature = "spool"))]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use opentelemetry::{
        Key, KeyValue, SpanId, TraceFlags, TraceId,
        logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    };
    use opentelemetry_sdk::logs::SdkLoggerProvider;

    use super::*;

    fn made() -> Emitted {
        let mut record = SdkLoggerProvider::builder().build().logger("shop").create_log_record();
        record.set_event_name("shop.order.placed");
        record.set_target("shop::orders");
        record.set_timestamp(UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001));
        record.set_observed_timestamp(UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_002));
        record.set_severity_text("WARN");
        record.set_severity_number(Severity::Warn2);
        record.set_body(AnyValue::ListAny(Box::new(vec![AnyValue::Int(-1), AnyValue::Boolean(true)])));
        record.add_attribute("double", AnyValue::Double(0.1));
        record.add_attribute("bytes", AnyValue::Bytes(Box::new(vec![0, 255])));
        let map = [(Key::new("text"), AnyValue::String("".into()))].into_iter().collect();
        record.add_attribute("map", AnyValue::Map(Box::new(map)));
        record.set_trace_context(TraceId::from(7), SpanId::from(8), Some(TraceFlags::SAMPLED));
        let scope = InstrumentationScope::builder("shop")
            .with_version("1.0")
            .with_schema_url("https://example.com")
            .with_attributes([KeyValue::new("a", 1)])
            .build();
        Emitted::new(&record, &scope)
    }

    fn written(emitted: &Emitted) -> Vec<u8> {
        let mut bytes = Vec::new();
        stored::write(&emitted.scope_logs(), &mut bytes);
        bytes
    }

    #[test]
    fn a_record_comes_back_as_it_would_have_been_sent() {
        let logs = made().scope_logs();
        let read = Emitted::Read(stored::read(&written(&made())).unwrap());
        assert_eq!(read.scope_logs(), logs);
        assert_eq!(logs.log_records[0].event_name, "shop.order.placed");
        assert_eq!(logs.scope.unwrap().name, "shop::orders");
        assert_eq!(written(&read), written(&made()), "it may be written again");
        assert!(read.size() >= 512);
    }

    #[test]
    fn what_another_version_writes_is_left_alone() {
        let mut bytes = written(&made());
        bytes[0] += 1;
        assert_eq!(stored::read::<ScopeLogs>(&bytes), None);
    }
}
