use std::{borrow::Cow, sync::Arc};

use super::{Name, pattern::Pattern};
use crate::exchange::{Host, Names};

/// How segments get their names: all the same one, or that of the host that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    fixed: Name,
    hosts: Vec<Pattern>,
    /// What strangers ask for must fill neither the memory nor the service map.
    admitted: Arc<Names>,
}

// ===== impl Naming =====

impl Naming {
    pub(super) fn new(fixed: Name) -> Self {
        Self { fixed, hosts: Vec::new(), admitted: Arc::new(Names::new(MOST)) }
    }

    /// The name where no host gives one.
    pub(super) fn fixed(&self) -> &Name {
        &self.fixed
    }

    /// Lets hosts that this matches give their names.
    pub(super) fn add(&mut self, hosts: Pattern) {
        self.hosts.push(hosts);
    }

    /// The name of a segment, by the host that was asked for. `host` is asked only where it matters.
    pub(super) fn name<'a>(&self, host: impl FnOnce() -> Option<Host<'a>>) -> Cow<'_, Name> {
        let of_host = || self.of_host(host()?.name);
        let name = if self.hosts.is_empty() { None } else { of_host() };
        name.map_or(Cow::Borrowed(&self.fixed), Cow::Owned)
    }

    fn of_host(&self, host: &str) -> Option<Name> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let mut patterns = self.hosts.iter().filter(|pattern| pattern.matches(host)).peekable();
        patterns.peek()?;
        let name = Name::from(host.to_ascii_lowercase());
        // What a name cannot hold is no host, or not the one that was asked for.
        let is_whole = name.eq_ignore_ascii_case(host);
        (is_whole && (patterns.any(Pattern::is_plain) || self.admitted.admit(&name).is_some()))
            .then_some(name)
    }
}

/// As many nodes as a person can still see in a map.
const MOST: usize = 200;
