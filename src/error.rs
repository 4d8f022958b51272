//! The one error of this crate: construction may fail, nothing after it does.
//!
//! # When it is returned
//!
//! Only while something is being built: a bad endpoint, a protocol that is not spoken, a thread that the system
//! refuses to start. Its message names the variable or the argument, the value it had, and what to do about it.
//! Past construction, whatever goes wrong becomes a count and an event and never reaches a request.

use std::{error, fmt};

/// Why something could not be built.
///
/// The type is opaque: ask it with [`is_invalid`](Self::is_invalid) or [`is_io`](Self::is_io), and print it. What
/// lies beneath it, if anything does, is its [`source`](error::Error::source).
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    /// The variable or the argument, where it is about one: the message goes on from there.
    name: String,
    message: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Invalid,
    Io,
}

// ===== impl Error =====

impl Error {
    /// `name` (a variable or an argument) has a `value` that cannot be used; `advice` says what to do.
    #[allow(dead_code, reason = "which features are on decides who builds one")]
    pub(crate) fn invalid(name: &str, value: &str, advice: impl fmt::Display) -> Self {
        let mut error = Self::of(Kind::Invalid, format!(" is {value:?}: {advice}"));
        error.inner.name = name.to_owned();
        error
    }

    /// The same about the variable that the value is from.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn named(mut self, name: &str) -> Self {
        if self.is_invalid() {
            self.inner.name = name.to_owned();
        }
        self
    }

    /// `what` could not be had from the system.
    pub(crate) fn io(
        what: impl Into<String>,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Self {
        let mut error = Self::of(Kind::Io, what.into());
        error.inner.source = Some(source.into());
        error
    }

    /// Whether a variable or an argument had a value that cannot be used.
    pub fn is_invalid(&self) -> bool {
        self.inner.kind == Kind::Invalid
    }

    /// Whether the operating system refused something: a thread, a socket, an address.
    pub fn is_io(&self) -> bool {
        self.inner.kind == Kind::Io
    }

    fn of(kind: Kind, message: String) -> Self {
        Self { inner: Box::new(Inner { kind, name: String::new(), message, source: None }) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { name, message, .. } = &*self.inner;
        write!(f, "{name}{message}")
    }
}

/// As a sentence, with its causes: a `main` that returns it shows it so.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let causes = std::iter::successors(error::Error::source(self), |cause| cause.source());
        causes.take(CAUSES).try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

/// A chain longer than this is a loop.
const CAUSES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_that_returns_it_shows_a_sentence() {
        let invalid = Error::invalid("PORT", "many", "give a number");
        assert_eq!(format!("{invalid:?}"), "PORT is \"many\": give a number");
        let io = Error::io("a thread", std::io::Error::other("none left"));
        assert_eq!(format!("{io:?}"), "a thread: none left");
    }
}
