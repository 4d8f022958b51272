use anyhow::{Context as _, Result};

use crate::{
    backend::Each,
    stack::{Stack, belvedere, peers},
};

/// What stands around the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Variant {
    Bare,
    InstrumentationTower,
    TowerOtel,
    AxumTracing,
    TowerHttp,
    /// All four layers; of segments and spans as many as X-Ray records by default.
    Belvedere,
    /// The same, and everything is recorded.
    BelvedereAll,
}

// ===== impl Variant =====

impl Variant {
    /// The rows of the table. What the others are compared with comes first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Bare,
        Self::InstrumentationTower,
        Self::TowerOtel,
        Self::AxumTracing,
        Self::TowerHttp,
        Self::Belvedere,
        Self::BelvedereAll,
    ];

    /// # Errors
    ///
    /// When none is called so.
    pub(crate) fn named(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == name)
            .with_context(|| format!("no variant: {name}"))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::InstrumentationTower => "opentelemetry-instrumentation-tower",
            Self::TowerOtel => "tower-otel",
            Self::AxumTracing => "axum-tracing-opentelemetry",
            Self::TowerHttp => "tower-http",
            Self::Belvedere => "belvedere",
            Self::BelvedereAll => "belvedere-all",
        }
    }

    /// With what is worth knowing in a table.
    pub(crate) fn title(self) -> String {
        let version = || locked(self.name());
        match self {
            Self::Bare => "bare".to_owned(),
            Self::InstrumentationTower | Self::TowerOtel | Self::AxumTracing => {
                format!("{} {}, spans", self.name(), version())
            }
            Self::TowerHttp => format!("tower-http {} TraceLayer, JSON lines to a file", version()),
            Self::Belvedere => "**Belvedere**, all four, X-Ray's default rule".to_owned(),
            Self::BelvedereAll => "**Belvedere**, all four, everything recorded".to_owned(),
        }
    }

    /// # Errors
    ///
    /// When what it consists of cannot be started.
    pub(crate) fn stack(self, ports: &Each<u16>) -> Result<Stack> {
        match self {
            Self::Bare => Ok(Stack::bare()),
            Self::InstrumentationTower => peers::instrumentation_tower(ports.otlp),
            Self::TowerOtel => peers::tower_otel(ports.otlp),
            Self::AxumTracing => peers::axum_tracing(ports.otlp),
            Self::TowerHttp => peers::tower_http(),
            Self::Belvedere => belvedere::by_default(ports),
            Self::BelvedereAll => belvedere::everything(ports),
        }
    }

    /// Whether it is Belvedere's.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Belvedere | Self::BelvedereAll)
    }
}

/// The version of a package by the lock file: the newest, where there are several.
fn locked(name: &str) -> &'static str {
    let heading = format!("name = \"{name}\"\nversion = \"");
    let versions = LOCK.split(&heading).skip(1).filter_map(|rest| rest.split('"').next());
    versions.last().unwrap_or_default()
}

const LOCK: &str = include_str!("../Cargo.lock");
