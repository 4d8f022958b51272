use std::io::{self, Write};

use serde::Serialize;
use serde_json::{
    Serializer,
    ser::{CompactFormatter, Formatter},
};

/// Writes JSON of so many levels, and stops before it is deeper.
pub(in crate::rollbar) struct Levels {
    compact: CompactFormatter,
    left: usize,
    is_too_deep: bool,
}

// ===== impl Levels =====

impl Levels {
    pub(in crate::rollbar) fn new(most: usize) -> Self {
        Self { compact: CompactFormatter, left: most, is_too_deep: false }
    }

    /// Whether it was stopped.
    pub(in crate::rollbar) fn is_too_deep(&self) -> bool {
        self.is_too_deep
    }

    fn enter(&mut self) -> io::Result<()> {
        self.is_too_deep = self.left == 0;
        self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::InvalidData)?;
        Ok(())
    }
}

impl Formatter for &mut Levels {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        self.compact.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.left += 1;
        self.compact.end_array(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        self.compact.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.left += 1;
        self.compact.end_object(writer)
    }
}

/// Whether a value has more levels. It takes no more stack than for these, however deep the value is.
pub(super) fn is_deeper(value: &impl Serialize, most: usize) -> bool {
    let mut levels = Levels::new(most);
    let _ = value.serialize(&mut Serializer::with_formatter(io::sink(), &mut levels));
    levels.is_too_deep
}
