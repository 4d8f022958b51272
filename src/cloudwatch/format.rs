use std::{fmt, sync::Arc};

use super::{AccessRecord, message::Message};

/// How an access record is written.
///
/// ```
/// use belvedere::cloudwatch::Format;
///
/// let format = Format::of(|record| format!("{} {} {:?}", record.method, record.path, record.duration));
/// # let _ = format;
/// ```
#[derive(Clone, Default)]
pub struct Format(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Json,
    Text,
    Of(Arc<dyn Fn(&AccessRecord<'_>) -> String + Send + Sync>),
}

// ===== impl Format =====

impl Format {
    /// As a JSON object, which [`AccessRecord`] describes: the default. CloudWatch finds fields in it, and X-Ray's console the
    /// lines of a trace.
    pub fn json() -> Self {
        Self(Kind::Json)
    }

    /// As the line that [`AccessRecord`] prints as. It names no trace.
    pub fn text() -> Self {
        Self(Kind::Text)
    }

    /// As a function says. It runs on a thread of the outbox, perhaps more than once for a record; should it panic, the
    /// record is lost as `panic`. What of it is a control character is escaped, so that an event stays a line.
    pub fn of(write: impl Fn(&AccessRecord<'_>) -> String + Send + Sync + 'static) -> Self {
        Self(Kind::Of(Arc::new(write)))
    }

    pub(super) fn write(&self, record: &AccessRecord<'_>, message: &mut Message<'_>) {
        match &self.0 {
            Kind::Json => record.write(message),
            Kind::Text => message.push_line(&record.to_string()),
            Kind::Of(write) => message.push_line(&write(record)),
        }
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Json => "Json",
            Kind::Text => "Text",
            Kind::Of(_) => "Of(..)",
        })
    }
}
