/// A kind of telemetry, and what its variables are called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

// ===== impl Signal =====

impl Signal {
    /// The variable of the OTLP exporter for this signal alone: `OTEL_EXPORTER_OTLP_TRACES_<what>`.
    pub(super) fn variable(self, what: &str) -> String {
        format!("OTEL_EXPORTER_OTLP_{}_{what}", self.word())
    }

    /// The variable of the OTLP exporter for all signals.
    pub(super) fn generic(what: &str) -> String {
        format!("OTEL_EXPORTER_OTLP_{what}")
    }

    /// The variable that names the exporters: `OTEL_TRACES_EXPORTER`.
    pub(super) fn exporter(self) -> String {
        format!("OTEL_{}_EXPORTER", self.word())
    }

    /// What is appended to a base URL.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// What it is about, to a person.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }
}
