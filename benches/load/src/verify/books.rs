use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use anyhow::Result;
use serde_json::Value;

use super::{exchange::Exchange, record::Record};
use crate::{backend::Backend, kind::Kind};

/// All exchanges, by the ids of their traces.
#[derive(Debug, Default)]
pub(super) struct Books {
    exchanges: HashMap<String, Exchange>,
}

// ===== impl Books =====

impl Books {
    /// Adds the records of a file, one in each line.
    ///
    /// # Errors
    ///
    /// When one belongs to no request that was made, or does not fit the others of its trace.
    pub(super) fn read(&mut self, backend: Backend, path: &Path) -> Result<()> {
        for line in BufReader::new(File::open(path)?).lines() {
            let record = Record::read(backend, serde_json::from_str(&line?)?)?;
            let exchange =
                self.exchanges.entry(record.trace.clone()).or_insert_with(|| Exchange::new(&record));
            exchange.add(backend, record)?;
        }
        Ok(())
    }

    pub(super) fn exchanges(&self) -> impl ExactSizeIterator<Item = &Exchange> {
        self.exchanges.values()
    }

    /// How many records a backend has.
    pub(super) fn count(&self, backend: Backend) -> usize {
        self.exchanges().filter(|exchange| exchange.record(backend).is_some()).count()
    }

    /// How many records a backend should have, and has not.
    pub(super) fn missing(&self, backend: Backend) -> u64 {
        self.exchanges().map(|exchange| u64::from(exchange.misses(backend))).sum()
    }

    /// All records without what differs from one exchange to the next.
    pub(super) fn normalized(&self) -> Result<Vec<(Backend, &'static Kind, Value)>> {
        let all = self.exchanges().map(Exchange::normalized).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().flatten().collect())
    }
}
