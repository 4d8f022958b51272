use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{backend::Backend, kind::Kind};

/// What each backend gets of each kind of request: one file each in `reference/`.
#[derive(Debug, Default)]
pub(super) struct Reference {
    records: BTreeMap<(Backend, &'static str), Value>,
}

// ===== impl Reference =====

impl Reference {
    /// # Errors
    ///
    /// When a file is missing.
    pub(super) fn read() -> Result<Self> {
        let mut reference = Self::default();
        for kind in &Kind::ALL {
            for backend in kind.backends {
                let path = path(*backend, kind);
                let json =
                    fs::read_to_string(&path).with_context(|| format!("no reference: {}", path.display()))?;
                reference.records.insert((*backend, kind.name), serde_json::from_str(&json)?);
            }
        }
        Ok(reference)
    }

    /// # Errors
    ///
    /// When the record is not as the reference says. The message has each place where they differ.
    pub(super) fn compare(&self, backend: Backend, kind: &Kind, record: &Value) -> Result<()> {
        let expected = self.records.get(&(backend, kind.name)).context("it was read for each kind")?;
        if expected == record {
            return Ok(());
        }
        let mut differences = Vec::new();
        differ("", expected, record, &mut differences);
        bail!("{backend}, {}: not as in the reference:\n{}", kind.name, differences.join("\n"))
    }

    /// # Errors
    ///
    /// When one before was other.
    pub(super) fn learn(&mut self, backend: Backend, kind: &'static Kind, record: Value) -> Result<()> {
        if self.records.contains_key(&(backend, kind.name)) {
            return self.compare(backend, kind, &record);
        }
        self.records.insert((backend, kind.name), record);
        Ok(())
    }

    /// # Errors
    ///
    /// When a kind has not been seen.
    pub(super) fn write(&self) -> Result<()> {
        for kind in &Kind::ALL {
            for backend in kind.backends {
                let record = self.records.get(&(*backend, kind.name));
                let record = record.with_context(|| format!("{backend} has nothing of {}", kind.name))?;
                let path = path(*backend, kind);
                path.parent().map(fs::create_dir_all).transpose()?;
                fs::write(path, serde_json::to_string_pretty(record)? + "\n")?;
            }
        }
        ensure!(
            self.records.len() == expected(),
            "there is more than there should be: {:?}",
            self.records.keys()
        );
        Ok(())
    }
}

fn path(backend: Backend, kind: &Kind) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference").join(backend.name());
    folder.join(kind.name).with_extension("json")
}

fn expected() -> usize {
    Kind::ALL.iter().map(|kind| kind.backends.len()).sum()
}

/// Notes each place where two documents differ.
fn differ(place: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(added) {
                differ(&format!("{place}/{key}"), &expected[key.as_str()], &found[key.as_str()], differences);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (expected, found)) in one.iter().zip(other).enumerate() {
                differ(&format!("{place}/{index}"), expected, found, differences);
            }
        }
        _ if expected != found => differences.push(format!("  {place}: {expected} expected, {found} found")),
        _ => {}
    }
}
