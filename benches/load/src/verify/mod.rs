//! Whether all that a server sent has arrived, is as it was, and belongs together.

mod books;
mod exchange;
mod normal;
mod record;
mod reference;
mod times;

use std::{env, fs, path::PathBuf, process, time::Duration};

use anyhow::{Context as _, Result, ensure};

use self::{books::Books, reference::Reference};
use crate::{
    account::{Account, Received},
    backend::{Backend, Each},
    conductor::{Script, Tally},
    process::Process,
    sink,
    variant::Variant,
};

/// What came of a round in which each kind of request was made.
#[derive(Debug)]
pub(crate) struct Verdict {
    tally: Tally,
    account: Account,
    books: Books,
}

/// A folder that goes with the value.
struct Folder(PathBuf);

/// Makes all kinds of requests for a while, with everything recorded, and reads what the sinks got.
pub(crate) fn round(length: Duration) -> Result<Verdict> {
    let folder = Folder::new()?;
    let path = folder.0.to_str().context("a path that is no text")?;
    let (sinks, ports) = Process::<Received>::start::<Each<u16>>(&["sinks", path])?;
    let ports = serde_json::to_string(&ports)?;
    let (server, port) = Process::<Account>::start(&["serve", Variant::BelvedereAll.name(), &ports])?;
    let tally = Script::Mixed.run(port, length)?;
    let account = server.end()?;
    sinks.end()?;
    let mut books = Books::default();
    for backend in Backend::ALL {
        books.read(backend, &sink::file(&folder.0, backend))?;
    }
    Ok(Verdict { tally, account, books })
}

// ===== impl Verdict =====

impl Verdict {
    /// Compares all records with the reference.
    ///
    /// # Errors
    ///
    /// When a record is missing, or is other than in the reference.
    pub(crate) fn compared(self) -> Result<String> {
        let reference = Reference::read()?;
        self.check()?;
        for (backend, kind, record) in self.books.normalized()? {
            reference.compare(backend, kind, &record)?;
        }
        Ok(self.summary())
    }

    /// Writes the reference. All records of a kind must agree.
    ///
    /// # Errors
    ///
    /// When a record is missing, or is other than another one of its kind.
    pub(crate) fn recorded(self) -> Result<String> {
        self.check()?;
        let mut reference = Reference::default();
        for (backend, kind, record) in self.books.normalized()? {
            reference.learn(backend, kind, record)?;
        }
        reference.write()?;
        Ok(self.summary())
    }

    /// Every request that was made is there, with all its records, but for those that a lane has counted as lost.
    fn check(&self) -> Result<()> {
        let Self { tally, account, books } = self;
        // What wrk was still waiting for when it ended, it does not count.
        let possible = tally.requests..=tally.requests + CONNECTIONS;
        ensure!(possible.contains(&account.exchanges), "{tally:?} does not fit {account:?}");
        let exchanges = u64::try_from(books.exchanges().len())?;
        let lost = |of| account.lanes.iter().find(|lane| lane.backend == of).map_or(0, |lane| lane.lost);
        let lines = lost(Backend::CloudWatch);
        ensure!(
            exchanges + lines == account.exchanges,
            "{exchanges} have a line, {lines} are lost: {account:?}"
        );
        for backend in Backend::ALL {
            let missing = books.missing(backend);
            ensure!(missing == lost(backend), "{missing} records are missing: {backend}, {account:?}");
        }
        books.exchanges().try_for_each(|exchange| exchange.check())
    }

    fn summary(&self) -> String {
        let Self { account, books, .. } = self;
        let counts = Backend::ALL.map(|backend| format!("{} {backend}", books.count(backend)));
        let lost: u64 = account.lanes.iter().map(|lane| lane.lost).sum();
        format!(
            "{} exchanges of {} kinds verified: {} records decoded and compared, {lost} lost; one trace id and one span id each.",
            account.exchanges,
            crate::kind::Kind::ALL.len(),
            counts.join(", "),
        )
    }
}

// ===== impl Folder =====

impl Folder {
    fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("belvedere-load-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

const CONNECTIONS: u64 = 64;
