//! What stands around the service.

pub(crate) mod belvedere;
pub(crate) mod peers;

use std::time::Duration;

use anyhow::Result;
use axum::Router;

use crate::account::Lane;

/// Layers, and the end of what they send.
pub(crate) struct Stack {
    pub(crate) layer: Box<dyn FnOnce(Router) -> Router>,
    /// Sends what is left: what became of everything, after so many exchanges.
    pub(crate) close: Box<dyn FnOnce(u64) -> Result<Vec<Lane>>>,
}

// ===== impl Stack =====

impl Stack {
    pub(crate) fn bare() -> Self {
        Self { layer: Box::new(|router| router), close: Box::new(|_| Ok(Vec::new())) }
    }
}

/// How many records may wait, for Belvedere and the peers alike: so many that a machine that is busy with requests need not
/// lose any.
const QUEUE: usize = 1 << 18;

/// How many records are in one request of OTLP, and how long they wait for each other: alike for all.
const BATCH: usize = 512;
const AGE: Duration = Duration::from_secs(1);

/// What is left may take so long.
const DRAIN: Duration = Duration::from_secs(60);
