use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{task::spawn_blocking, time::timeout};

use super::variables::Variables;

/// The files of the machine that the process sees, and its name.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) root: PathBuf,
    named: Option<String>,
}

// ===== impl Machine =====

impl Machine {
    pub(crate) fn new(variables: Variables<'_>) -> Self {
        Self { root: "/".into(), named: variables.text("HOSTNAME") }
    }

    /// What a file holds, by its path below the root, unless it holds more than it should.
    pub(crate) async fn read(&self, path: &str) -> Option<Vec<u8>> {
        let path = self.root.join(path);
        let read = spawn_blocking(move || read(&path));
        let bytes = timeout(LIMIT, read).await.ok()?.ok()?.ok()?;
        (bytes.len() as u64 <= MOST).then_some(bytes)
    }

    /// The same for a text, without the spaces around it.
    pub(crate) async fn text(&self, path: &str) -> Option<String> {
        let text = String::from_utf8(self.read(path).await?).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The host's name, which is that of the container or of the pod where there is one.
    pub(crate) async fn name(&self) -> Option<String> {
        let text = self.text("proc/sys/kernel/hostname").await;
        text.or_else(|| self.named.clone())
    }

    /// Which control groups the process is in; empty where there are none.
    #[cfg(feature = "xray")]
    pub(crate) async fn cgroup(&self) -> String {
        self.text("proc/self/cgroup").await.unwrap_or_default()
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would make the opening wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const MOST: u64 = 64 * 1024;
const LIMIT: Duration = Duration::from_secs(2);
