//! How wrong the own clock is.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};

/// What has to be added to the own clock to have the service's. Signatures are good for five minutes around that one.
#[derive(Debug, Default)]
pub(super) struct Skew {
    seconds: AtomicI64,
}

// ===== impl Skew =====

impl Skew {
    /// The service's time.
    pub(super) fn now(&self) -> SystemTime {
        shifted(SystemTime::now(), self.seconds.load(Ordering::Relaxed))
    }

    #[cfg(feature = "cloudwatch")]
    pub(super) fn seconds(&self) -> i64 {
        self.seconds.load(Ordering::Relaxed)
    }

    /// Learns from an answer's `Date`. `false`: it says nothing new.
    pub(super) fn learn(&self, headers: &HeaderMap) -> bool {
        let Some(seconds) = difference(headers) else { return false };
        let known = self.seconds.load(Ordering::Relaxed);
        let is_news = seconds.abs_diff(known) >= WORTH_LEARNING && seconds.unsigned_abs() < CENTURY;
        if is_news {
            self.seconds.store(seconds, Ordering::Relaxed);
        }
        is_news
    }
}

fn difference(headers: &HeaderMap) -> Option<i64> {
    let theirs = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
    let ours = SystemTime::now();
    match theirs.duration_since(ours) {
        Ok(ahead) => i64::try_from(ahead.as_secs()).ok(),
        Err(behind) => i64::try_from(behind.duration().as_secs()).ok().map(|seconds| -seconds),
    }
}

fn shifted(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let shifted = if seconds < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    shifted.unwrap_or(time)
}

/// In seconds. No clock is that wrong, and no signature has room for such years.
const CENTURY: u64 = 100 * 365 * 24 * 60 * 60;

/// In seconds. Less is the way of the answer, and no reason for a refusal.
const WORTH_LEARNING: u64 = 60;
