//! What may go wrong with a call.

use std::{
    sync::Mutex,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use super::{Event, Refusal, rules::refused};

/// A call, before anything is done about it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// What comes after `Logs_20140328.`.
    pub(crate) target: &'a str,
    /// How many calls of any target came before it.
    pub(crate) number: usize,
    /// The double's own time.
    pub(crate) at: SystemTime,
    pub(crate) group: Option<&'a str>,
    pub(crate) stream: Option<&'a str>,
    pub(crate) is_compressed: bool,
    /// Those that it puts.
    pub(crate) events: &'a [Event],
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing is stored, and this is the answer.
    Refuse(Refusal),
    /// Nothing is stored, and the connection is reset.
    Reset,
    /// All is done, and the connection is reset.
    StoreAndReset,
    /// Nothing is stored, and there is never an answer.
    Hang,
    /// All is done, and there is never an answer.
    StoreAndHang,
    /// All is done, and the answer takes its time: less than the client has, or the books take it for confirmed.
    Slow(Duration),
    /// The stream is deleted, and then the call is done.
    VanishedStream,
    /// The group is deleted, and then the call is done.
    VanishedGroup,
    /// All is done, and the answer has this `rejectedLogEventsInfo`.
    Lie(Value),
}

// ===== impl Call =====

impl Call<'_> {
    pub(crate) fn puts(&self) -> bool {
        self.target == "PutLogEvents"
    }
}

// ===== impl Fault =====

impl Fault {
    /// HTTP 400, as CloudWatch Logs does it.
    pub(crate) fn throttling() -> Self {
        Self::Refuse(refused("ThrottlingException", "Rate exceeded"))
    }

    /// HTTP 429, as what lies before it may do it.
    pub(crate) fn too_many() -> Self {
        Self::Refuse(Refusal::new(429, "TooManyRequestsException", "Too many requests"))
    }

    pub(crate) fn internal() -> Self {
        Self::Refuse(Refusal::new(500, "InternalFailure", "The request processing has failed"))
    }

    pub(crate) fn unavailable() -> Self {
        let message = "The service cannot complete the request.";
        Self::Refuse(Refusal::new(503, "ServiceUnavailableException", message))
    }

    pub(crate) fn expired() -> Self {
        let message = "The security token included in the request is expired";
        Self::Refuse(refused("ExpiredTokenException", message))
    }

    pub(crate) fn denied() -> Self {
        let message = "User: arn:aws:iam::123456789012:user/belvedere is not authorized to perform: logs";
        Self::Refuse(refused("AccessDeniedException", message))
    }

    /// Whether the call is done as if nothing were wrong.
    pub(super) fn lets_through(&self) -> bool {
        !matches!(self, Self::Refuse(_) | Self::Reset | Self::Hang)
    }
}

/// For a share of all calls that put events, by a seed.
pub(crate) fn by_chance(
    seed: u64,
    share: f64,
    fault: impl Fn(&mut fastrand::Rng) -> Fault + Send + Sync + 'static,
) -> impl Fn(&Call<'_>) -> Option<Fault> + Send + Sync + 'static {
    let chance = Mutex::new(fastrand::Rng::with_seed(seed));
    move |call| {
        let mut chance = chance.lock().unwrap();
        (call.puts() && chance.f64() < share).then(|| fault(&mut chance))
    }
}
