use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::observe;
use crate::{Error, trace::Scope};

/// What happens where something is to be added to a segment, and there is none: nothing, or a line in the log.
///
/// It holds for the whole process, since there is nothing that it could hold for. Where a request is not recorded, its
/// segment is not missing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ContextMissing {
    /// Nothing: the default.
    #[default]
    Ignore,
    /// An error in the log: the first, the second, the fourth, the eighth, and so on.
    Log,
}

static LOGS: AtomicBool = AtomicBool::new(false);
static MISSED: AtomicU64 = AtomicU64::new(0);

// ===== impl ContextMissing =====

impl ContextMissing {
    /// Reads `AWS_XRAY_CONTEXT_MISSING`, by way of `lookup`: `IGNORE_ERROR`, `LOG_ERROR` or `RUNTIME_ERROR`, in any case.
    /// Empty is not set, and `None`.
    ///
    /// `RUNTIME_ERROR`, with which AWS's SDKs throw, logs as `LOG_ERROR` does: tracing never fails a request.
    ///
    /// # Errors
    ///
    /// When it is another word; the message names the variable.
    pub fn lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let Some(text) = lookup(VARIABLE) else { return Ok(None) };
        match text.trim().to_ascii_uppercase().as_str() {
            "" => Ok(None),
            "IGNORE_ERROR" => Ok(Some(Self::Ignore)),
            "LOG_ERROR" | "RUNTIME_ERROR" => Ok(Some(Self::Log)),
            _ => Err(Error::invalid(VARIABLE, &text, ADVICE)),
        }
    }

    /// Makes it so for this process.
    pub fn install(self) {
        LOGS.store(self == Self::Log, Ordering::Relaxed);
    }
}

/// Something was to be added, and there was no segment.
pub(super) fn note() {
    if LOGS.load(Ordering::Relaxed) {
        log();
    }
}

#[cold]
fn log() {
    if Scope::current().is_some_and(|scope| observe::is_served(&scope)) {
        return;
    }
    let missed = MISSED.fetch_add(1, Ordering::Relaxed) + 1;
    if missed.is_power_of_two() {
        tracing::error!(target: "belvedere::xray", missed, "no segment here, so what was to be added to it is lost");
    }
}

const VARIABLE: &str = "AWS_XRAY_CONTEXT_MISSING";
const ADVICE: &str = "use IGNORE_ERROR, LOG_ERROR or RUNTIME_ERROR";
