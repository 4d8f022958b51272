//! What prints records.

use std::{
    fmt,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use opentelemetry::Context;
use tokio::sync::{mpsc, oneshot};

use super::{Batch, Reason, SendError, flight::message, ledger::PANIC};

/// Prints records, on a thread of its own, `belvedere-print`, so that a slow terminal holds nothing else up. Each record is
/// one write, the line break included. Dropping it ends the thread, as soon as a write that is under way returns; it does not
/// wait for that.
pub(crate) struct Press<R> {
    sheets: mpsc::Sender<Sheet<R>>,
}

/// What the thread is to print, and whom it tells what became of it.
struct Sheet<R> {
    records: Batch<R>,
    done: oneshot::Sender<Vec<(usize, Reason)>>,
}

// ===== impl Press =====

impl<R: Send + 'static> Press<R> {
    /// Prints what `write` makes of each record. What it cannot make something of is lost by itself, also if it panics; once
    /// `out` fails, so is the rest of a batch, as `output`. Where the system refuses the thread, everything is.
    pub(crate) fn new(
        out: impl Write + Send + 'static,
        write: impl Fn(&R) -> Result<Vec<u8>, Reason> + Send + 'static,
    ) -> Self {
        let (sheets, taken) = mpsc::channel(1);
        // A refusal drops `taken`, and is seen by every `print`.
        let _ = thread::Builder::new().name(NAME.into()).spawn(move || run(taken, out, write));
        Self { sheets }
    }

    /// What became of a batch. Dropping the future gives up what is not printed yet.
    pub(crate) async fn print(&self, records: Batch<R>) -> Result<(), SendError<R>> {
        let all = records.len();
        let (done, printed) = oneshot::channel();
        let _ = self.sheets.send(Sheet { records, done }).await;
        let mut lost = printed.await.unwrap_or_else(|_| vec![(all, rejected("its thread has ended"))]);
        match (lost.len(), lost.pop()) {
            (_, None) => Ok(()),
            (1, Some((lost, reason))) => Err(SendError::Reject { lost, reason }),
            (_, Some(last)) => {
                lost.push(last);
                let rest = Vec::new().into();
                Err(SendError::Mixed { lost, rest, after: None, reason: Reason::new(OUTPUT) })
            }
        }
    }
}

impl<R> fmt::Debug for Press<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Press").finish_non_exhaustive()
    }
}

// ===== impl Sheet =====

impl<R> Sheet<R> {
    fn print(self, out: &mut impl Write, write: impl Fn(&R) -> Result<Vec<u8>, Reason>) {
        let Self { records, done } = self;
        let (mut lost, mut left) = (Vec::new(), records.len());
        for record in &records {
            // Given up in the books: it must not be printed after that.
            if done.is_closed() {
                return;
            }
            let text = catch_unwind(AssertUnwindSafe(|| write(record)));
            match text.unwrap_or_else(|panic| Err(Reason::new(PANIC).detail(message(&*panic)))) {
                Err(reason) => lost.push((1, reason)),
                Ok(text) => {
                    if let Err(error) = print(text, out) {
                        lost.push((left, rejected(error.to_string())));
                        break;
                    }
                }
            }
            left -= 1;
        }
        let _ = done.send(lost);
    }
}

fn run<R>(
    mut sheets: mpsc::Receiver<Sheet<R>>,
    mut out: impl Write,
    write: impl Fn(&R) -> Result<Vec<u8>, Reason>,
) {
    let _untraced = Context::enter_telemetry_suppressed_scope();
    while let Some(sheet) = sheets.blocking_recv() {
        sheet.print(&mut out, &write);
    }
}

fn print(mut text: Vec<u8>, out: &mut impl Write) -> std::io::Result<()> {
    text.push(b'\n');
    out.write_all(&text)?;
    out.flush()
}

fn rejected(why: impl Into<String>) -> Reason {
    Reason::new(OUTPUT).detail(why)
}

const NAME: &str = "belvedere-print";
const OUTPUT: &str = "output";
