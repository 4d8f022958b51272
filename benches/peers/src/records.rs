use std::{
    fmt,
    ops::{Mul, Sub},
};

/// How many records of each kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Records {
    pub spans: u64,
    pub segments: u64,
    pub lines: u64,
    pub transactions: u64,
}

// ===== impl Records =====

impl Records {
    pub const NONE: Self = Self { spans: 0, segments: 0, lines: 0, transactions: 0 };
    pub const SPAN: Self = Self { spans: 1, ..Self::NONE };
    pub const LINE: Self = Self { lines: 1, ..Self::NONE };
    pub const TRANSACTION: Self = Self { transactions: 1, ..Self::NONE };
    pub const FOUR_JOBS: Self = Self { spans: 1, segments: 1, lines: 1, transactions: 0 };
}

impl Mul<u64> for Records {
    type Output = Self;

    fn mul(self, exchanges: u64) -> Self {
        let Self { spans, segments, lines, transactions } = self;
        Self {
            spans: spans * exchanges,
            segments: segments * exchanges,
            lines: lines * exchanges,
            transactions: transactions * exchanges,
        }
    }
}

impl Sub for Records {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            spans: self.spans - earlier.spans,
            segments: self.segments - earlier.segments,
            lines: self.lines - earlier.lines,
            transactions: self.transactions - earlier.transactions,
        }
    }
}

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spans, segments, lines, transactions } = self;
        write!(f, "{spans} spans, {segments} segments, {lines} lines, {transactions} transactions")
    }
}
