use std::time::Duration;

use super::env::Env;
use crate::outbox::Limits;

/// How records wait for each other, by `OTEL_BSP_*` for spans or `OTEL_BLRP_*` for logs.
pub(super) struct Batching {
    pub(super) limits: Limits,
    /// The most that one request may take.
    pub(super) timeout: Duration,
}

// ===== impl Batching =====

impl Batching {
    pub(super) fn of_spans(env: &Env) -> Self {
        Self::of(env, "OTEL_BSP")
    }

    pub(super) fn of_logs(env: &Env) -> Self {
        Self::of(env, "OTEL_BLRP")
    }

    fn of(env: &Env, prefix: &str) -> Self {
        let name = |what| format!("{prefix}_{what}");
        let count = |what, default| {
            let number = env.number(&[&name(what)], Some(default), |count| *count > 0);
            number.unwrap_or(default)
        };
        let held = count("MAX_QUEUE_SIZE", HELD);
        let mut records = count("MAX_EXPORT_BATCH_SIZE", RECORDS.min(held));
        if records > held {
            env.warn(
                &name("MAX_EXPORT_BATCH_SIZE"),
                &records.to_string(),
                format_args!("{held}, the queue's size"),
            );
            records = held;
        }
        let age = env.millis(&name("SCHEDULE_DELAY"), AGE, 0);
        let timeout = env.timeout(&[&name("EXPORT_TIMEOUT")], TIMEOUT);
        let limits = Limits::default().records(records).bytes(BYTES).age(age).queue_records(held);
        Self { limits, timeout }
    }
}

const AGE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(30);
const HELD: usize = 8192;
const RECORDS: usize = 512;
const BYTES: usize = 4 << 20;
