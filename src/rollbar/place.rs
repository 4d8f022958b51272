use std::{borrow::Cow, panic::Location};

/// A line of code. Unlike a [`Stack`](super::Stack) it is known in every build.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Place {
    file: Cow<'static, str>,
    line: u32,
    column: u32,
}

// ===== impl Place =====

impl Place {
    /// Where this is called; in a function that is `#[track_caller]`, where that is called.
    #[track_caller]
    #[must_use]
    pub fn here() -> Self {
        Location::caller().into()
    }

    /// Of a location that may not last.
    pub(super) fn of(location: &Location<'_>) -> Self {
        let file = Cow::Owned(location.file().to_owned());
        Self { file, line: location.line(), column: location.column() }
    }

    /// The file, as the compiler was given it: below the workspace, or from the root.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    pub const fn line(&self) -> u32 {
        self.line
    }

    /// The column, from 1.
    pub const fn column(&self) -> u32 {
        self.column
    }
}

impl From<&'static Location<'static>> for Place {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: Cow::Borrowed(location.file()), line: location.line(), column: location.column() }
    }
}
