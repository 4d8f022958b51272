//! What is logged, as lines.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;

/// Clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

// ===== impl Log =====

impl Log {
    pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        // A thread without a subscriber that comes to a log line first would switch it off for all others.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false).finish()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let written = self.0.lock().unwrap();
        String::from_utf8_lossy(&written).lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
