use std::fmt;

use serde::{Deserialize, Serialize};

/// Where records go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    Otlp,
    XRay,
    Rollbar,
    CloudWatch,
    /// A file of lines: no backend of Belvedere's.
    File,
}

/// Something for each of Belvedere's backends.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Each<T> {
    pub(crate) otlp: T,
    pub(crate) xray: T,
    pub(crate) rollbar: T,
    pub(crate) cloudwatch: T,
}

// ===== impl Backend =====

impl Backend {
    /// Belvedere's.
    pub(crate) const ALL: [Self; 4] = [Self::Otlp, Self::XRay, Self::Rollbar, Self::CloudWatch];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::XRay => "xray",
            Self::Rollbar => "rollbar",
            Self::CloudWatch => "cloudwatch",
            Self::File => "file",
        }
    }

    /// That of one of Belvedere's lanes, whose name begins with it.
    pub(crate) fn of_lane(lane: &str) -> Option<Self> {
        let word = lane.split(' ').next().unwrap_or_default();
        Self::ALL.into_iter().find(|backend| backend.name() == word)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

// ===== impl Each =====

impl<T> Each<T> {
    pub(crate) fn of(&self, backend: Backend) -> Option<&T> {
        let Self { otlp, xray, rollbar, cloudwatch } = self;
        match backend {
            Backend::Otlp => Some(otlp),
            Backend::XRay => Some(xray),
            Backend::Rollbar => Some(rollbar),
            Backend::CloudWatch => Some(cloudwatch),
            Backend::File => None,
        }
    }
}
