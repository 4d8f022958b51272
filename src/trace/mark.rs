/// What a layer notes of an exchange for layers further in, where there is no more to say than yes: it costs less than a
/// value that is left in the scope.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mark(pub(super) u8);

// ===== impl Mark =====

impl Mark {
    pub(crate) const NONE: Self = Self(0);

    /// CloudWatch Logs gets a record of it.
    pub(crate) const LOGGED: Self = Self(1);

    /// OpenTelemetry gets a span of it.
    pub(crate) const SPAN: Self = Self(1 << 1);

    /// Its span has a name that was given.
    pub(crate) const NAMED: Self = Self(1 << 2);

    /// Its span has a route.
    pub(crate) const ROUTED: Self = Self(1 << 3);

    /// OpenTelemetry measures it.
    pub(crate) const MEASURED: Self = Self(1 << 4);

    /// X-Ray has its segment, be that recorded or not.
    pub(crate) const SEGMENT: Self = Self(1 << 5);

    /// Rollbar gets its failure, if it fails.
    pub(crate) const WATCHED: Self = Self(1 << 6);

    /// Both, or this one alone.
    #[must_use]
    pub(crate) fn and(self, other: Self, is_so: bool) -> Self {
        if is_so { Self(self.0 | other.0) } else { self }
    }

    /// Whether all of `other` is noted.
    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
