//! How to stop without losing what is still queued.
//!
//! # The order
//!
//! First the server, then Belvedere: a request that is still being served makes a span when it ends.
//!
//! ```no_run
//! # #[cfg(all(feature = "otel", feature = "axum"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # let belvedere = belvedere::from_env()?;
//! # let app: axum::Router = axum::Router::new().layer(belvedere.layer());
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! use std::time::Duration;
//!
//! let interrupted = async { drop(tokio::signal::ctrl_c().await) };
//! axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
//! let report = belvedere.shutdown(Duration::from_secs(5)).await;
//! if report.lost() > 0 {
//!     eprintln!("{report}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What a shutdown does
//!
//! It sends what is queued without waiting for company, goes on trying what a backend refuses for now, and ends when
//! everything is settled or when its limit is reached. The report says for every lane what was accepted, what was
//! delivered, and what was lost under which reason; the numbers add up, always.
//!
//! Segments leave for a daemon at its pace, 36 a second unless `Setup::xray_pace` or `Daemon::pace` says more: what five
//! seconds are too short for is lost, and in the report. Where nobody listens there, a shutdown tries until its limit.
//!
//! Log lines leave at once, and with them what metrics have counted until then; while there are no credentials, or nobody
//! listens, a shutdown tries until its limit.
//!
//! Items leave for Rollbar one at a time. What is reported after the shutdown goes nowhere. A panic that unwinds `main` drops
//! the guard, and so is sent; `std::process::exit` drops nothing, and loses what is queued.
//!
//! With [a spool](crate::outbox#the-spool) what is left at the limit is on the disk, counts as `spooled` and not as lost, and
//! is sent by the next process.
//!
//! # Without a shutdown
//!
//! Dropping the guard drains too, for two seconds at most. A process that is killed loses what is queued: at most a
//! second's worth, as long as the backend answers; with a spool the last instant's worth, whatever the
//! backend does.
//!
//! # Threads and runtimes
//!
//! The outbox has a thread of its own, so that it does not matter where it is shut down: on a plain thread, in a
//! runtime of many threads, in one of a single thread.
