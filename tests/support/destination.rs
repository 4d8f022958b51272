//! A destination that answers by a script and keeps what it got.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use belvedere::outbox::{Batch, Destination, Limits, SendError};
use tokio::time::{Instant, sleep};

/// A record that knows its number and its size.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) number: u64,
    pub(crate) size: usize,
}

/// What the destination does with one batch.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    Accept,
    AcceptAfter(Duration),
    /// Takes nothing; worth trying again.
    Retry,
    RetryAfter(Duration),
    /// Takes all but the newest so many.
    KeepBack(usize),
    /// Refuses so many, and takes the others.
    Reject(usize, &'static str),
    /// Refuses who sends.
    Unknown,
    /// Refuses the oldest, so many for each reason, takes the next ones, and keeps back the newest so many.
    Mixed(&'static [(usize, &'static str)], usize),
    Hang,
    /// Blocks the thread that it is called on until the sender is gone, for ten seconds at most.
    Block(Arc<Mutex<mpsc::Receiver<()>>>),
    Panic,
}

/// Plays one [`Play`] per batch, and accepts when the script is over.
#[derive(Debug)]
pub(crate) struct Scripted {
    limits: Limits,
    script: Mutex<VecDeque<Play>>,
    finale: Play,
    log: Log,
}

/// What arrived. Clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    entries: Arc<Mutex<Entries>>,
}

#[derive(Debug, Default)]
struct Entries {
    arrivals: Vec<Arrival>,
    taken: Vec<u64>,
    under_way: usize,
    most_under_way: usize,
}

/// One batch.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) numbers: Vec<u64>,
}

// ===== impl Scripted =====

impl Scripted {
    pub(crate) fn new(script: impl IntoIterator<Item = Play>) -> Self {
        let script = Mutex::new(script.into_iter().collect());
        Self { limits: Limits::default(), script, finale: Play::Accept, log: Log::default() }
    }

    /// Plays the same for every batch.
    pub(crate) fn always(play: Play) -> Self {
        Self { finale: play, ..Self::new([]) }
    }

    /// Plays this when the script is over.
    pub(crate) fn then(self, finale: Play) -> Self {
        Self { finale, ..self }
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    fn next(&self) -> Play {
        self.script.lock().unwrap().pop_front().unwrap_or_else(|| self.finale.clone())
    }
}

impl Destination for Scripted {
    type Record = Record;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn size(&self, record: &Record) -> usize {
        assert_ne!(record.size, UNMEASURABLE, "the record cannot be measured");
        record.size
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<belvedere::outbox::Codec<Record>> {
        Some(belvedere::outbox::Codec::new(write, read))
    }

    async fn send(&self, mut batch: Batch<Record>) -> Result<(), SendError<Record>> {
        let _under_way = self.log.arrive(&batch);
        let (after, reason) = (None, "busy".into());
        match self.next() {
            Play::Accept => {}
            Play::AcceptAfter(time) => sleep(time).await,
            Play::Retry => return Err(SendError::Retry { rest: batch, after, reason }),
            Play::RetryAfter(time) => {
                return Err(SendError::Retry { rest: batch, after: Some(time), reason });
            }
            Play::KeepBack(newest) => {
                let taken = batch.len().saturating_sub(newest);
                self.log.take(batch.iter().take(taken));
                let mut place = 0..;
                batch.retain(|_| place.next() >= Some(taken));
                return Err(SendError::Retry { rest: batch, after, reason });
            }
            Play::Reject(lost, reason) => {
                self.log.take(batch.iter().skip(lost));
                return Err(SendError::Reject { lost, reason: reason.into() });
            }
            Play::Unknown => {
                let reason = belvedere::outbox::Reason::new("http 401").of_sender();
                return Err(SendError::Reject { lost: batch.len(), reason });
            }
            Play::Mixed(refused, newest) => {
                let lost: Vec<_> = refused.iter().map(|(lost, reason)| (*lost, (*reason).into())).collect();
                let (first, end) = (lost.iter().map(|(lost, _)| lost).sum(), batch.len() - newest);
                self.log.take(batch.iter().take(end).skip(first));
                let mut place = 0..;
                batch.retain(|_| place.next() >= Some(end));
                return Err(SendError::Mixed { lost, rest: batch, after, reason });
            }
            Play::Hang => pending().await,
            Play::Block(until) => drop(until.lock().unwrap().recv_timeout(LONGEST_BLOCK)),
            Play::Panic => panic!("the script says so"),
        }
        self.log.take(&batch);
        Ok(())
    }
}

/// The number, and as many bytes as it is large.
#[cfg(feature = "spool")]
fn write(record: Record, to: &mut Vec<u8>) {
    assert_ne!(record.number, UNWRITABLE, "the record cannot be written");
    to.extend(record.number.to_le_bytes());
    to.resize(to.len() + record.size, b'.');
}

#[cfg(feature = "spool")]
fn read(bytes: &[u8]) -> Option<Record> {
    let (number, rest) = bytes.split_first_chunk()?;
    let number = u64::from_le_bytes(*number);
    assert_ne!(number, UNREADABLE, "the record cannot be read");
    (number != FOREIGN).then_some(Record { number, size: rest.len() })
}

/// Writing the record of this number to a disk panics.
pub(crate) const UNWRITABLE: u64 = u64::MAX;

/// Reading it does.
pub(crate) const UNREADABLE: u64 = u64::MAX - 1;

/// It is not understood when it is read.
pub(crate) const FOREIGN: u64 = u64::MAX - 2;

/// A test that would hang fails instead.
const LONGEST_BLOCK: Duration = Duration::from_secs(10);

/// Measuring a record of this size panics.
pub(crate) const UNMEASURABLE: usize = usize::MAX;

// ===== impl Log =====

impl Log {
    /// Every batch that arrived, taken or not.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.entries.lock().unwrap().arrivals.clone()
    }

    /// The numbers of every batch that arrived.
    pub(crate) fn batches(&self) -> Vec<Vec<u64>> {
        self.arrivals().into_iter().map(|arrival| arrival.numbers).collect()
    }

    /// The numbers of all records that were taken, in order.
    pub(crate) fn taken(&self) -> Vec<u64> {
        self.entries.lock().unwrap().taken.clone()
    }

    /// The most batches that were under way at once.
    pub(crate) fn most_under_way(&self) -> usize {
        self.entries.lock().unwrap().most_under_way
    }

    fn arrive(&self, batch: &Batch<Record>) -> UnderWay {
        let mut entries = self.entries.lock().unwrap();
        let numbers = batch.iter().map(|record| record.number).collect();
        entries.arrivals.push(Arrival { at: Instant::now(), numbers });
        entries.under_way += 1;
        entries.most_under_way = entries.most_under_way.max(entries.under_way);
        UnderWay(self.clone())
    }

    fn take<'a>(&self, records: impl IntoIterator<Item = &'a Record>) {
        self.entries.lock().unwrap().taken.extend(records.into_iter().map(|record| record.number));
    }
}

struct UnderWay(Log);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.entries.lock().unwrap().under_way -= 1;
    }
}
