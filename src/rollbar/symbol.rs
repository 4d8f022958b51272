use backtrace::Symbol as Resolved;

use super::{
    name,
    path::{self, slashed},
};

/// A function that was running, as the debug information of the program tells of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Symbol {
    /// Its plain name.
    pub(super) name: String,
    /// The file, as the compiler was given it.
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
}

// ===== impl Symbol =====

impl Symbol {
    /// None if there is not even a name.
    pub(super) fn of(symbol: &Resolved) -> Option<Self> {
        Some(Self {
            name: name::plain(&format!("{:#}", symbol.name()?)),
            file: symbol.filename().map(|file| slashed(&file.to_string_lossy()).into_owned()),
            line: symbol.lineno(),
            column: symbol.colno(),
        })
    }

    /// Whether it is of one of these crates: by its file, which is surer, or by its name. A function of C without a file is
    /// of none, and counts as if it were.
    pub(super) fn is_of(&self, packages: &[&str]) -> bool {
        match (self.file.as_deref().map(path::foreign), name::package(&self.name)) {
            (Some(Some(foreign)), _) => packages.contains(&&*foreign.package),
            // This crate may be built from its own folder.
            (Some(None), package) => package == Some(OWN) && packages.contains(&OWN),
            (None, Some(package)) => packages.contains(&package),
            (None, None) => true,
        }
    }
}

/// The name of this crate.
pub(super) const OWN: &str = "belvedere";
