//! The one way out of the process.
//!
//! An [`Outbox`] carries records from where they are made to the backends they are for, off the request's path: a
//! bounded queue and a worker per backend, batches, retries, one shutdown, and books that say what became of every
//! single record.
//!
//! ```
//! use belvedere::outbox::{Batch, Destination, Outbox, SendError};
//! use std::time::Duration;
//!
//! struct Printer;
//!
//! impl Destination for Printer {
//!     type Record = String;
//!
//!     fn size(&self, record: &String) -> usize {
//!         record.len()
//!     }
//!
//!     async fn send(&self, batch: Batch<String>) -> Result<(), SendError<String>> {
//!         println!("{batch:?}");
//!         Ok(())
//!     }
//! }
//!
//! let outbox = Outbox::builder().start()?;
//! let lines = outbox.lane("lines", Printer);
//! lines.push("a handler was here".to_owned());
//!
//! let report = outbox.shutdown_blocking(Duration::from_secs(5));
//! assert_eq!(report.to_string(), "lines: 1 accepted, 1 delivered, 0 lost, 0 waiting");
//! # Ok::<(), belvedere::Error>(())
//! ```
//!
//! # The flow
//!
//! ```text
//!  any thread                 the outbox's thread
//! ───────────────┬──────────────────────────────────────────────────────────────────────
//!                │
//!  lane.push ────┼──► queue ──► worker ──► flight ──► Destination::send ──► Ok: delivered
//!  never blocks  │    bounded   batches    up to         │      │
//!                │      │       by count,  in_flight     │      └─► Reject: lost, others delivered
//!                │      ▼       bytes,     at once       │
//!                │   overflow   age          ▲           ▼
//!                │   (oldest)                └─ wait ◄─ Retry ──► for too long: expired
//! ```
//!
//! 1. A record is pushed: measured by the destination, and left in an inbox before the queue, under a short lock that few
//!    threads share. It is queued and numbered with those that came with it: when a batch may be full, and before
//!    anybody looks. So whoever looks at the lane finds all that was pushed.
//! 2. The worker takes the oldest records that fit one request as soon as they fill it, or when the oldest has waited
//!    for [`Limits::age`].
//! 3. The batch is a flight. It calls the destination, and after a [`SendError::Retry`] waits and calls again: a
//!    random time between nothing and a ceiling that doubles from 500 ms to 30 s, and at least what the backend asked
//!    for.
//! 4. The flight lands: each of its records is delivered, or lost under a reason.
//!
//! Lanes share the thread and nothing else: a slow backend cannot hold another one back, and a dead one costs a push
//! no more than a live one. The thread is named `belvedere-outbox`; nothing that runs on it is traced, because
//! OpenTelemetry's suppression is on for all of its life.
//!
//! # What is lost, and when
//!
//! Every record that is pushed is counted exactly once, as delivered, lost or waiting, in every [`Report`].
//!
//! | reason     | when |
//! |------------|------|
//! | `overflow` | The lane was full by [`Limits::queue_records`] or [`Limits::queue_bytes`]. What is in flight counts to both; between two looks, the inbox of a lane that overflows holds up to an eighth more of each, and at most 1 MiB. The oldest queued records make room; the newest survive. A record that does not fit even then (it is larger than the bound, or the flights take all of it) is lost itself. |
//! | `expired`  | It was tried again for [`Limits::retry_for`]. |
//! | `panic`    | The destination panicked while it sent the batch, or measured the record. The lane lives on. |
//! | `shutdown` | The shutdown reached its limit, or the runtime under the lane ended. The backend may have taken what was in flight. |
//! | `budget`   | The [`Budget`] did not reach for it. |
//! | `closed`   | It was pushed after the shutdown had begun. It counts as accepted, too. |
//! | `evicted`, `damaged`, `unreadable`, `too large` | With [a spool](#the-spool) only. |
//! | any other  | The destination rejected it, with this [`Reason`]. After sixteen of them, more count as `other`. |
//!
//! What a backend got twice is not counted: a request that timed out may have arrived, and is sent again.
//!
//! # What is told
//!
//! Every event goes to the closure given to [`Builder::events`], and to `tracing` under the target
//! `belvedere::outbox`: what was sent as `debug`, and what is tried again for a [reason](Reason::told) that the log has
//! already; everything else as `warn`, at most one in ten seconds and lane, with the number of those that were folded into it. Pushing tells nothing by itself; the worker does, soon after, and of
//! overflow once a second.
//!
//! # Shutdown
//!
//! [`Outbox::shutdown`] closes the lanes, so that later records count as `closed`; sends what is there without
//! waiting for more; goes on retrying, from short waits again, though never earlier than a backend asked for; and
//! returns when the lanes are empty. At the limit, what is left is lost as `shutdown`. After it nothing is waiting.
//!
//! Dropping the last handle does the same for at most [`Builder::drop_limit`]. It blocks for it, which is right at the
//! end of `main` and wrong in the middle of an async server: there, call `shutdown` and await it. A [`Lane`] does not
//! keep its outbox alive. An exit of the process without either loses what is waiting.
//!
//! The async calls block no runtime and need none. The blocking ones work on any thread, also inside a current-thread
//! runtime, and also while unwinding. No limit depends on the outbox's thread, which a destination may block against its
//! obligation: a blocking call counts the time itself, and an async one that has something to wait for leaves it to a
//! thread, `belvedere-limit`, that ends with the call.
//!
//! # The spool
//!
//! With the feature `spool` and [`Builder::spool`], what is not delivered yet is on the disk: it survives a dead backend for
//! as long as there is room, and the end of the process, `kill -9` included.
//!
//! ```text
//!  lane.push ──► queue ──► the lane's log on the disk ──► flight ──► Destination::send ──► forgotten by the disk
//!                  └─ 10 ms, or a full batch                 └─ full batches, or after Limits::age
//! ```
//!
//! - **What is safe.** A record is safe when `write(2)` has returned for it. Until then it is in the queue, as every
//!   record of a lane in memory is: for ten milliseconds at least, for as long as the disk takes for what is before it,
//!   and for an item until its stack is read. At 1,000 exchanges a second that is 7 ms for half of them and 28 ms at most,
//!   at 10,000 a second 99 ms at most. So a `kill -9` costs what was pushed in the last hundredth or tenth of a second, and
//!   a crash of the machine what the system had not written by itself, unless [`Spool::sync`] says how much of that may be.
//!   A push does no more than without a spool.
//! - **Which lanes.** Those whose destination has a [`Destination::codec`]: spans, segments, items and log events have
//!   one. Metrics and what is printed stay in memory.
//! - **At least once.** A batch whose process ends before it was acknowledged is sent again by the next one: at most
//!   [`Limits::in_flight`] batches a lane.
//! - **What a shutdown leaves.** What is still on the disk at its limit is no loss: it counts as
//!   [`spooled`](LaneReport::spooled).
//! - **Whose it is.** Each outbox has a folder of its own below [`Spool::new`], with a lock. Whatever processes left whose
//!   lock is free is taken over, by a lane of the same name: at its start, and once a minute. There it counts as accepted.
//!   A folder without such a lane is left alone, so that services may share a spool.
//!   A name says where the lane leads, so another endpoint is another lane; a second lane of a name takes what a second
//!   one left.
//! - **How long.** A batch of the disk does not expire, unless it is refused for [`Limits::retry_for`] while at least
//!   sixteen others get through: then it is that batch, and not the backend. Records older than [`Spool::age`] are lost as
//!   `expired` when they are read; what has no room by [`Spool::bytes`] as `evicted`, the oldest first.
//! - **A key that is refused** costs nothing: what a destination rejects for who sends it ([`Reason::of_sender`]) goes back
//!   to the disk. It is tried again after half a minute, or, by a destination that has given its key up, in the next process.
//! - **After an outage** new records do not wait behind all old ones: from sixteen batches on, both are sent in turn.
//! - **When the disk fails** (it is full, read-only, removed, or never was there) its lanes are lanes in memory, an event
//!   and the log say so, and the disk is tried again each second. Nothing waits for it but the lane's own worker. What was
//!   written and cannot be read is lost as `damaged`, by its checksums; what can be read and not be understood, such as a
//!   record of a newer version, as `unreadable`. A record of more than 64 MiB is `too large`.
//! - **A fork.** The child's lanes are those of a process without threads: nothing of the parent's is sent by it, what it
//!   pushes itself is bounded, and lost. Start the outbox in the child.
//!
//! # On a runtime of yours
//!
//! With [`Builder::runtime`] the lanes are tasks among your tasks:
//!
//! - A blocking call on the thread that drives a current-thread runtime keeps its lanes from running: it waits for its
//!   whole limit, in vain. [`Outbox::flush_blocking`] returns `false` then, and [`Outbox::shutdown_blocking`] gives up
//!   what is left. Use the async calls there.
//! - The limits of the async calls are timers of that runtime, so they stand still with it.
//! - Dropping the last handle does not block: it closes the lanes and leaves the rest, with its limit, to the runtime.
//! - When the runtime ends, so do the lanes: what is left counts as `shutdown`, what comes later as `closed`.

mod batch;
mod blocking;
mod budget;
mod builder;
#[cfg(feature = "spool")]
mod codec;
mod deadline;
mod destination;
mod event;
mod flight;
mod handle;
mod inbox;
mod lane;
mod ledger;
mod limits;
mod line;
#[cfg(test)]
mod model;
#[cfg(any(feature = "cloudwatch", feature = "otel"))]
mod press;
mod process;
mod queue;
mod report;
mod retry;
mod shard;
mod shutdown;
#[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
mod sideline;
#[cfg(feature = "spool")]
mod spool;
#[cfg(feature = "spool")]
mod spooled_worker;
mod worker;

pub use batch::Batch;
pub use budget::{Allowance, Budget, Price, Tariff, Unit};
pub use builder::Builder;
#[cfg(feature = "spool")]
pub use codec::Codec;
pub use destination::{Destination, Reason, SendError};
pub use event::OutboxEvent;
pub use handle::{Outbox, WeakOutbox};
pub use lane::Lane;
pub use limits::Limits;
#[cfg(any(feature = "cloudwatch", feature = "otel"))]
pub(crate) use press::Press;
pub use report::{LaneReport, Report};
#[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
pub(crate) use sideline::Sideline;
#[cfg(feature = "spool")]
pub use spool::Spool;
