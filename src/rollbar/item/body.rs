use serde::{Deserialize, Serialize};

use super::{Message, Telemetry, Trace, TraceChain, lenient};

/// What happened, and what had happened before.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Read")]
#[non_exhaustive]
pub struct Body {
    /// What happened.
    #[serde(flatten)]
    pub content: Content,
    /// What had happened before, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub telemetry: Vec<Telemetry>,
}

/// What happened: exactly one of these.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// An error and its stack.
    Trace(Trace),
    /// An error, its causes, and their stacks.
    TraceChain(TraceChain),
    /// A text, and what is said with it.
    Message(Message),
    /// What iOS writes when a program crashes.
    CrashReport(CrashReport),
}

/// What iOS writes when a program crashes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CrashReport {
    /// All of it.
    pub raw: String,
}

/// As others write it: some write all names, and `null` for those that they do not mean.
#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    trace: Option<Trace>,
    #[serde(default)]
    trace_chain: Option<TraceChain>,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    crash_report: Option<CrashReport>,
    #[serde(default, deserialize_with = "lenient::list")]
    telemetry: Vec<Telemetry>,
}

// ===== impl Body =====

impl<C: Into<Content>> From<C> for Body {
    fn from(content: C) -> Self {
        Self { content: content.into(), telemetry: Vec::new() }
    }
}

impl TryFrom<Read> for Body {
    type Error = &'static str;

    fn try_from(read: Read) -> Result<Self, &'static str> {
        let Read { trace, trace_chain, message, crash_report, telemetry } = read;
        let error = trace_chain.map(Content::TraceChain).or_else(|| trace.map(Content::Trace));
        let content = error
            .or_else(|| message.map(Content::Message))
            .or_else(|| crash_report.map(Content::CrashReport))
            .ok_or("a body needs a trace, a trace_chain, a message or a crash_report")?;
        Ok(Self { content, telemetry })
    }
}

// ===== impl Content =====

impl Content {
    /// The error and its causes, if it is one.
    pub fn traces(&self) -> &[Trace] {
        match self {
            Self::Trace(trace) => std::slice::from_ref(trace),
            Self::TraceChain(chain) => chain,
            Self::Message(_) | Self::CrashReport(_) => &[],
        }
    }

    /// The same, to be changed.
    pub fn traces_mut(&mut self) -> &mut [Trace] {
        match self {
            Self::Trace(trace) => std::slice::from_mut(trace),
            Self::TraceChain(chain) => chain,
            Self::Message(_) | Self::CrashReport(_) => &mut [],
        }
    }
}

impl From<Trace> for Content {
    fn from(trace: Trace) -> Self {
        Self::Trace(trace)
    }
}

/// A chain of one is a trace.
impl From<TraceChain> for Content {
    fn from(chain: TraceChain) -> Self {
        chain.alone().map_or_else(Self::TraceChain, Self::Trace)
    }
}

impl From<Message> for Content {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}
