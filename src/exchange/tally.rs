use std::time::{Duration, SystemTime};

/// What was measured of an exchange.
///
/// One clock is read for all observers, so that their records agree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tally {
    /// When the request arrived, by the system's clock.
    pub started: SystemTime,
    /// How long the response's head took; `None` if there was no head.
    pub head: Option<Duration>,
    /// How long the whole exchange took, its body included, by the monotonic clock.
    pub duration: Duration,
    /// How many bytes of the body were handed to the server (or, on a client, read).
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn new(started: SystemTime) -> Self {
        Self { started, head: None, duration: Duration::ZERO, bytes: 0 }
    }

    /// When the exchange was over: its start and its duration, so that a clock that is set meanwhile changes nothing.
    pub fn ended(&self) -> SystemTime {
        self.started + self.duration
    }
}
