use std::ops::{Add, AddAssign};

use serde::Serialize;

/// What a document had to leave out to be one that X-Ray takes.
///
/// A document that lost something says so in its metadata, under the namespace `belvedere`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Losses {
    /// Texts and values that were cut.
    #[serde(skip_serializing_if = "is_zero")]
    pub shortened: u64,
    /// Annotations that went into the metadata, since X-Ray indexes no more of them.
    #[serde(skip_serializing_if = "is_zero")]
    pub moved: u64,
    /// Facts of any kind that there was no room for, or that X-Ray knows no form of.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

// ===== impl Losses =====

impl Losses {
    /// The metadata's namespace in which a document says what it lost.
    pub const NAMESPACE: &'static str = "belvedere";

    /// Whether nothing was lost.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl Add for Losses {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            shortened: self.shortened + other.shortened,
            moved: self.moved + other.moved,
            dropped: self.dropped + other.dropped,
        }
    }
}

impl AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
