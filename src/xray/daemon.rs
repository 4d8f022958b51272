//! The way to the X-Ray daemon.

use std::{marker::PhantomData, time::Duration};

use tokio::{sync::Mutex, time::sleep_until};

use super::{
    DaemonAddress,
    document::{Parts, tariff},
    pace::Pace,
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{
    outbox::{Batch, Destination, Limits, Reason, SendError, Tariff},
    transport::{UdpClient, UdpError},
};

/// Sends segments to the X-Ray daemon, as datagrams. The CloudWatch agent and the OpenTelemetry collector listen to the
/// same ones.
///
/// ```
/// use belvedere::xray::{Daemon, DaemonAddress};
///
/// let small = Daemon::new(DaemonAddress::default());
/// let large = Daemon::new("xray-daemon:2000".parse()?).pace(500, 2_000);
/// # let _ = (small, large);
/// # Ok::<(), belvedere::Error>(())
/// ```
///
/// Each document is a datagram of its own, after a line that says what it is
/// ([sending segments to the daemon](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html)). One
/// that is too large for a datagram goes in parts. The host is looked up again every 30 s, and when it refuses.
///
/// # What is lost, and when
///
/// A daemon does not say what it took, so what was sent counts as delivered. Where the daemon's machine says that nobody
/// listens, the whole batch is sent again, for [`Limits::retry_for`] at most; X-Ray takes a document that it gets twice
/// as one. A document of which a part is longer than the system sends is lost as `too large`; its other parts are sent.
///
/// What a daemon drops it drops silently, so bursts are paced to what the smallest one can hold; see
/// [`pace`](Self::pace). What has to wait, waits in the lane, where it is counted.
#[derive(Clone, Debug)]
pub struct Daemon {
    address: DaemonAddress,
    datagram_bytes: usize,
    burst: usize,
    per_second: usize,
    receive_buffer: usize,
    limits: Limits,
}

/// The other end of a lane of documents `D`.
#[derive(Debug)]
pub(super) struct DaemonDestination<D> {
    way: Mutex<Way>,
    document_bytes: usize,
    limits: Limits,
    documents: PhantomData<fn(D)>,
}

/// One socket, and when it may be used.
#[derive(Debug)]
struct Way {
    udp: UdpClient,
    pace: Pace,
    /// The datagram that is being sent.
    datagram: Vec<u8>,
}

// ===== impl Daemon =====

impl Daemon {
    /// The daemon at an address, with the defaults of the setters.
    pub fn new(address: DaemonAddress) -> Self {
        Self {
            address,
            datagram_bytes: 63 * 1024,
            burst: 40,
            per_second: 36,
            receive_buffer: 212_992,
            limits: Limits::default().records(50).age(Duration::from_millis(100)).in_flight(1),
        }
    }

    /// At most `burst` datagrams go at once, and `per_second` in the long run. Default: 40, and 36 a second, so that
    /// 2,000 documents that are made at once take 54 s. Both are at least 1, and `burst` is at most 65,536.
    ///
    /// # Where the default comes from
    ///
    /// A daemon keeps each datagram, however short, in a buffer of 64 KB. It has as many as fit 1 % of the machine's
    /// memory, and 48 where that is less than 3 MB. It has them back when it sends a batch on: of 50 documents, or of as
    /// many as there are buffers, or else a second after the last one. Its two receivers each hold an empty buffer; one
    /// that finds none when it looks for the next drops a datagram, and says so in the daemon's log alone. So what the
    /// smallest daemon takes for certain is 46 documents in a second. Of these `burst` come within any
    /// `burst / per_second` seconds: 40 in 1.1 s. The six that are left are for its timer, which may be late, and for others
    /// on the same machine; without them 2,000 would take 45 s.
    ///
    /// With X-Ray's own sampling, one in a second and 5 % of the others, 36 documents are 700 requests a second. What waits
    /// at a shutdown is sent at the same pace, about 200 in 5 s, and the rest counts as lost.
    ///
    /// # When to raise it
    ///
    /// When the lane overflows, or a shutdown leaves documents behind. From 52 buffers on, a batch is ready every 50
    /// documents, and the daemon takes as much as it has room for:
    ///
    /// | the daemon's machine, or its option | buffers | pace | 2,000 at once take |
    /// |---|---|---|---|
    /// | less than 300 MB, or `--buffer-memory 3` | 48 | `pace(40, 36)` | 54 s |
    /// | 1 GB, or `--buffer-memory 10` | 160 | `pace(100, 400)` | 5 s |
    /// | 6.4 GB, or `--buffer-memory 64` | 1,024 | `pace(500, 2_000)` | 1 s |
    ///
    /// It does not help against what the daemon can upload: eight batches at a time, so that 400 documents go in what one
    /// call to X-Ray takes, which is 200 ms at most for 2,000 in a second. Of what waits for that, the oldest is given up
    /// once it is more than 20 batches, and only the daemon's log says so.
    #[must_use]
    pub fn pace(mut self, burst: usize, per_second: usize) -> Self {
        (self.burst, self.per_second) = (burst, per_second);
        self
    }

    /// How many bytes the receive buffer of the daemon's socket has. Default: 212,992, which is Linux's
    /// (`net.core.rmem_default`).
    ///
    /// What arrives while it is full is lost, and nobody is told. No 50 ms fill more than five eighths of it, counted as
    /// Linux does: the next power of two. So documents of 60 KB leave one by one, 20 in a second, and small ones are
    /// held up only where [`pace`](Self::pace) lets more than 65 of them go at once.
    #[must_use]
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = bytes;
        self
    }

    /// The most bytes in a datagram, its first line included. Default: 63 KiB. At least 1 KiB, and at most 65,507, which
    /// is what IPv4 has room for.
    #[must_use]
    pub fn datagram_bytes(mut self, bytes: usize) -> Self {
        self.datagram_bytes = bytes.clamp(1024, LONGEST);
        self
    }

    /// How the lane batches, holds and retries. Default: 50 records and one batch at a time, of what came within 100 ms;
    /// the rest as [`Limits::default`] says.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it is.
    pub fn address(&self) -> &DaemonAddress {
        &self.address
    }

    /// The other end of a lane.
    pub(super) fn destination<D: Parts>(self) -> DaemonDestination<D> {
        let Self { address, datagram_bytes, burst, per_second, receive_buffer, limits } = self;
        let (host, port) = address.udp_parts();
        let way = Way {
            udp: UdpClient::new(host, port),
            pace: Pace::new(burst, per_second, receive_buffer),
            datagram: Vec::new(),
        };
        DaemonDestination {
            way: Mutex::new(way),
            document_bytes: datagram_bytes - HEADER.len(),
            limits,
            documents: PhantomData,
        }
    }
}

impl Default for Daemon {
    fn default() -> Self {
        Self::new(DaemonAddress::default())
    }
}

// ===== impl DaemonDestination =====

impl<D: Parts> Destination for DaemonDestination<D> {
    type Record = D;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn tariff(&self) -> Option<Tariff<D>> {
        Some(tariff())
    }

    fn size(&self, document: &D) -> usize {
        document.size()
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<D>> {
        D::codec(self.document_bytes)
    }

    async fn send(&self, batch: Batch<D>) -> Result<(), SendError<D>> {
        let mut way = self.way.lock().await;
        match way.send(&batch, self.document_bytes).await {
            Ok(0) => Ok(()),
            Ok(lost) => Err(SendError::Reject { lost, reason: TOO_LARGE.into() }),
            // What was sent before a refusal may be lost too, and what arrives twice is taken once.
            Err(error) => Err(SendError::Retry { rest: batch, after: None, reason: reason(&error) }),
        }
    }
}

// ===== impl Way =====

impl Way {
    /// Sends all documents. Gives the number of those of which a part was too long to be sent.
    async fn send<D: Parts>(&mut self, batch: &Batch<D>, document_bytes: usize) -> Result<usize, UdpError> {
        let mut too_large = 0;
        for document in batch {
            too_large += usize::from(!self.send_document(document, document_bytes).await?);
        }
        self.udp.settle(GRACE).await?;
        Ok(too_large)
    }

    /// `false`: a part of it is too long to be sent at all.
    async fn send_document(&mut self, document: &impl Parts, most: usize) -> Result<bool, UdpError> {
        self.begin_datagram();
        if document.write(most, &mut self.datagram) {
            return self.send_datagram().await;
        }
        let mut is_whole = true;
        for part in document.parts(most) {
            self.begin_datagram();
            self.datagram.extend_from_slice(&part);
            is_whole &= self.send_datagram().await?;
        }
        Ok(is_whole)
    }

    fn begin_datagram(&mut self) {
        self.datagram.clear();
        self.datagram.extend_from_slice(HEADER);
    }

    /// `false`: it is too long to be sent at all.
    async fn send_datagram(&mut self) -> Result<bool, UdpError> {
        let Self { udp, pace, datagram } = self;
        if datagram.len() > LONGEST {
            return Ok(false);
        }
        if let Some(due) = pace.due(datagram.len()) {
            sleep_until(due).await;
        }
        match udp.send(datagram).await {
            Ok(()) => {
                pace.sent(datagram.len());
                Ok(true)
            }
            Err(error) if error.is_too_long() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn reason(error: &UdpError) -> Reason {
    let source = std::error::Error::source(error).map(ToString::to_string);
    Reason::new(error.reason()).detail(source.unwrap_or_default())
}

/// Compact, as AWS's own SDKs for Python, Java and Node send it.
const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";

/// What a datagram of IPv4 has room for.
const LONGEST: usize = 65_507;

/// What a refusal takes to come back from another machine of the same network.
const GRACE: Duration = Duration::from_millis(5);

const TOO_LARGE: &str = "too large";

#[cfg(test)]
mod tests;
