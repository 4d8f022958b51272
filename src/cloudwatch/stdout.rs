use std::io::{self, Write as _};

use super::lane::Entry;
use crate::outbox::{Batch, Destination, Limits, Reason, SendError};

/// Prints each event as a line of the standard output.
#[derive(Debug)]
pub(super) struct Stdout;

// ===== impl Stdout =====

impl Stdout {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Destination for Stdout {
    type Record = Entry;

    fn limits(&self) -> Limits {
        Limits::default().in_flight(1)
    }

    fn size(&self, entry: &Entry) -> usize {
        entry.size()
    }

    async fn send(&self, batch: Batch<Entry>) -> Result<(), SendError<Entry>> {
        let mut lines = String::new();
        for entry in &batch {
            entry.draft.write(&mut lines);
            lines.push('\n');
        }
        let lost = batch.len();
        let printed = io::stdout().write_all(lines.as_bytes());
        printed.map_err(|error| SendError::Reject {
            lost,
            reason: Reason::new("output").detail(error.to_string()),
        })
    }
}
