use std::{mem::size_of, time::SystemTime};

use super::{LogEvent, message::Message};
use crate::outbox::Price;

/// A log event on its way out: what was noted where it happened, to be written on a thread that may take its time.
pub(super) trait Draft: Send + Sync + 'static {
    /// When it happened.
    fn at(&self) -> SystemTime;

    /// About how many bytes it takes in memory, and about as many as its message has. Cheap, and always the same.
    fn size(&self) -> usize;

    /// What it is worth: a price without units.
    fn worth(&self) -> Price {
        Price::units(0).important()
    }

    /// The same as [`write`](Self::write) of one that stands for so many.
    fn write_weighed(&self, message: &mut Message<'_>, _weight: u32) {
        self.write(message);
    }

    /// Adds what there is to read, without secrets. It says the same each time. It runs code of the user's, which may panic.
    fn write(&self, message: &mut Message<'_>);
}

// ===== impl LogEvent =====

impl Draft for LogEvent {
    fn at(&self) -> SystemTime {
        Self::at(self)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.message.len()
    }

    fn write(&self, message: &mut Message<'_>) {
        message.push(&self.message);
    }
}
