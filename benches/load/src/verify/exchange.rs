use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{normal::Names, record::Record, times};
use crate::{backend::Backend, kind::Kind};

/// All records of one exchange: they have its trace's id.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) kind: &'static Kind,
    trace: String,
    span: String,
    records: BTreeMap<Backend, Value>,
}

// ===== impl Exchange =====

impl Exchange {
    pub(super) fn new(record: &Record) -> Self {
        let Record { kind, trace, span, value: _ } = record;
        Self { kind, trace: trace.clone(), span: span.clone(), records: BTreeMap::new() }
    }

    /// # Errors
    ///
    /// When the record is of another kind of request or has another span's id than those before, or is the second one.
    pub(super) fn add(&mut self, backend: Backend, record: Record) -> Result<()> {
        let Record { kind, trace, span, value } = record;
        ensure!(kind == self.kind, "{trace}: a record of {} and one of {}", kind.name, self.kind.name);
        ensure!(span == self.span, "{trace}: the span is {span} for {backend}, and {} before", self.span);
        ensure!(self.records.insert(backend, value).is_none(), "{trace}: two records for {backend}");
        Ok(())
    }

    pub(super) fn record(&self, backend: Backend) -> Option<&Value> {
        self.records.get(&backend)
    }

    /// Whether it should have a record there, and has none.
    pub(super) fn misses(&self, backend: Backend) -> bool {
        self.kind.backends.contains(&backend) && self.record(backend).is_none()
    }

    /// Whether all its records are such as should be, hold no secret, and tell the same time.
    pub(super) fn check(&self) -> Result<()> {
        for (backend, record) in &self.records {
            ensure!(self.kind.backends.contains(backend), "a {} has a record for {backend}", self.kind.name);
            ensure!(!record.to_string().contains(SECRET), "a secret, for {backend}: {record}");
        }
        times::check(|backend| self.record(backend)).with_context(|| {
            let records = self.records.iter().map(|(backend, record)| format!("{backend}: {record}"));
            records.collect::<Vec<_>>().join(
                "
",
            )
        })
    }

    /// Its records without what differs from one exchange to the next.
    pub(super) fn normalized(&self) -> Result<Vec<(Backend, &'static Kind, Value)>> {
        let names = Names::new(&self.trace, &self.span, |backend| self.record(backend))?;
        let normalized = |(backend, record): (&Backend, &Value)| {
            let record = names.normalize(*backend, record).with_context(|| format!("{backend}: {record}"))?;
            Ok((*backend, self.kind, record))
        };
        self.records.iter().map(normalized).collect()
    }
}

/// What `wrk/mixed.lua` sends as a token.
const SECRET: &str = "canary";
