use axum::BoxError;
use belvedere::{Belvedere, Setup, console::Console};

/// The layers, and the console if it runs in this process.
pub(crate) struct Telemetry {
    pub(crate) belvedere: Belvedere,
    pub(crate) console: Option<Console>,
}

// ===== impl Telemetry =====

impl Telemetry {
    /// Sends to where the environment says; to a console of its own if it says nothing, or if it is to get `both`.
    pub(crate) fn start(service: &'static str, both: bool) -> Result<Self, BoxError> {
        let mut setup = Setup::from_env().service_name(service);
        let wanted = both || !setup.is_told();
        let console = wanted.then(console).flatten();
        if let Some(console) = &console {
            setup = setup.otlp(console.otlp_endpoint());
        }
        Ok(Self { belvedere: setup.start()?, console })
    }

    /// The page of the console.
    pub(crate) fn console_url(&self) -> Option<String> {
        self.console.as_ref().map(Console::url)
    }

    /// What a child process cannot find in its environment.
    pub(crate) fn also(&self) -> Option<String> {
        self.console.as_ref().map(Console::otlp_endpoint)
    }
}

/// A service starts without its console, too.
fn console() -> Option<Console> {
    Console::builder()
        .start()
        .inspect_err(|error| tracing::warn!("no console: {}", crate::error::chain(error)))
        .ok()
}
