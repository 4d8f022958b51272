use anyhow::{Result, anyhow};

use crate::backend::Backend;

/// A kind of request that the verifying round makes; `wrk/mixed.lua` has the same ones.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Kind {
    /// What its records are called in the reference.
    pub(crate) name: &'static str,
    path: &'static str,
    /// Who has a record of it: one each.
    pub(crate) backends: &'static [Backend],
}

// ===== impl Kind =====

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self { name: "ok", path: "/carts/17", backends: SEEN },
        // The handler says so.
        Self { name: "missing", path: "/carts/404", backends: SEEN },
        // The router says so.
        Self { name: "unrouted", path: "/nowhere", backends: SEEN },
        Self { name: "failed", path: "/carts/500", backends: &Backend::ALL },
        // Its query has a token in it.
        Self { name: "secret", path: "/carts/18", backends: SEEN },
        Self { name: "traceparent", path: "/carts/19", backends: SEEN },
        // By its caller's `traceparent`.
        Self { name: "unsampled", path: "/carts/20", backends: &[Backend::CloudWatch] },
        Self { name: "amzn", path: "/carts/21", backends: SEEN },
        // Its handler adds three facts.
        Self { name: "annotated", path: "/orders/22", backends: SEEN },
    ];

    /// # Errors
    ///
    /// When no kind has this path.
    pub(crate) fn of(path: &str) -> Result<&'static Self> {
        const { &Self::ALL }
            .iter()
            .find(|kind| kind.path == path)
            .ok_or_else(|| anyhow!("a record of a request that nobody made: {path}"))
    }
}

/// Where nothing failed.
const SEEN: &[Backend] = &[Backend::Otlp, Backend::XRay, Backend::CloudWatch];
