use std::time::Duration;

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use crate::outbox::WeakOutbox;

/// What the SDK's flush and shutdown do with a lane: they wait until everything in the outbox is settled.
pub(super) fn flush(outbox: &WeakOutbox, limit: Duration) -> OTelSdkResult {
    let done = outbox.upgrade().is_none_or(|outbox| outbox.flush_blocking(limit));
    if done { Ok(()) } else { Err(OTelSdkError::Timeout(limit)) }
}

/// How long a flush takes at most that nobody has limited.
pub(super) const FLUSH: Duration = Duration::from_secs(5);
