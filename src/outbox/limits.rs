//! How much a lane holds, and how it is cut into requests.

use std::time::Duration;

/// How a lane batches, how much it holds, and how long it tries.
///
/// A [`Destination`](super::Destination) says what its backend takes; the default suits a backend that says nothing.
///
/// ```
/// use belvedere::outbox::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().records(100).age(Duration::from_millis(200));
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) age: Duration,
    pub(super) in_flight: usize,
    pub(super) queue_records: usize,
    pub(super) queue_bytes: usize,
    pub(super) retry_for: Duration,
}

// ===== impl Limits =====

impl Limits {
    /// The most records in one request. Default 512, at least 1.
    ///
    /// More of it means fewer and larger requests, and more that is lost at once when a request is rejected. It does
    /// not help when records come faster than the backend answers: that is [`in_flight`](Self::in_flight).
    #[must_use]
    pub fn records(mut self, records: usize) -> Self {
        self.records = records.max(1);
        self
    }

    /// The most bytes in one request, as [`Destination::size`](super::Destination::size) counts them. Default 1 MiB.
    ///
    /// A batch is closed before the record that would pass it. A record that is larger by itself travels alone; the
    /// destination decides whether to send it.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes.max(1);
        self
    }

    /// How long a record may wait for company. Default 1 s, at most one day.
    ///
    /// More of it means fuller requests, and records that show up later. A full batch, a flush and a shutdown do not
    /// wait for it; a lane with all its requests in flight waits longer.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age.min(LONGEST_AGE);
        self
    }

    /// How many requests may be under way at once, those that wait for a retry included. Default 4, at least 1.
    ///
    /// More of it helps when the backend is far away, and costs it that many connections. With 1, batches arrive in
    /// the order of their records, which is that of pushes where one thread makes them; with more, they may overtake each
    /// other.
    #[must_use]
    pub fn in_flight(mut self, requests: usize) -> Self {
        self.in_flight = requests.max(1);
        self
    }

    /// The most records that the lane holds, queued and in flight together. Default 8192, at least 1.
    ///
    /// More of it bridges a longer outage and costs memory, only while it lasts. It does not help against a backend
    /// that is too slow on average.
    #[must_use]
    pub fn queue_records(mut self, records: usize) -> Self {
        self.queue_records = records.max(1);
        self
    }

    /// The most bytes that the lane holds, queued and in flight together, as
    /// [`Destination::size`](super::Destination::size) counts them. Default 16 MiB.
    ///
    /// Whichever of this and [`queue_records`](Self::queue_records) is reached first makes the oldest queued records
    /// give way.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        // Half of it, so that a full queue and one more record never overflow a sum.
        self.queue_bytes = bytes.min(usize::MAX / 2);
        self
    }

    /// How long a batch is tried again, counted from its first failure. Default 5 min.
    ///
    /// More of it bridges a longer outage with older records while newer ones overflow behind them. A batch whose
    /// next try would come later is given up as `expired`. Zero means that nothing is tried twice.
    #[must_use]
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records: 512,
            bytes: 1024 * 1024,
            age: Duration::from_secs(1),
            in_flight: 4,
            queue_records: 8192,
            queue_bytes: 16 * 1024 * 1024,
            retry_for: Duration::from_secs(5 * 60),
        }
    }
}

/// A longer age would overflow the clock long before anyone sees the record.
const LONGEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);
