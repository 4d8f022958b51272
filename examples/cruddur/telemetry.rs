use std::{env, time::Duration};

use axum::BoxError;
use belvedere::{Belvedere, BelvedereLayer, Setup, console::Console, rollbar::Project, xray::DaemonAddress};

use crate::{
    log::{self, Shipping},
    settings::Settings,
};

/// The layers, and the console if it runs in this process.
pub(crate) struct Telemetry {
    pub(crate) belvedere: Belvedere,
    pub(crate) console: Option<Console>,
}

/// Where telemetry goes beside what the environment says: to the console of another process.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Also {
    pub(crate) otlp: Option<String>,
    pub(crate) xray_daemon: Option<DaemonAddress>,
    pub(crate) rollbar: Option<String>,
    pub(crate) cloudwatch: Option<String>,
}

// ===== impl Telemetry =====

impl Telemetry {
    /// Sends to where the environment says; to a console of its own if it says nothing, or if it is to get `both`.
    pub(crate) fn start(
        service: &'static str,
        settings: &Settings,
        shipping: &Shipping,
    ) -> Result<Self, BoxError> {
        let setup = Setup::from_env().service_name(service);
        let wanted = settings.sends && (settings.both || !setup.names_endpoint());
        let console = wanted.then(console).flatten();
        let also = console.as_ref().map(Also::console).unwrap_or_default();
        let belvedere = also.onto(setup).start()?;
        shipping.begin(&belvedere);
        Ok(Self { belvedere, console })
    }

    /// The layers of the backend, with what Rollbar is to know of the program.
    pub(crate) fn layer(&self) -> BelvedereLayer {
        let project = Project::new(env!("CARGO_MANIFEST_DIR"));
        self.belvedere
            .layer()
            .rollbar(|layer| layer.framework("axum").project(project))
            .cloudwatch(log::course)
    }

    /// The page of the console.
    pub(crate) fn console_url(&self) -> Option<String> {
        self.console.as_ref().map(Console::url)
    }

    /// What a child process cannot find in its environment.
    pub(crate) fn also(&self) -> Also {
        self.console.as_ref().map(Also::console).unwrap_or_default()
    }
}

// ===== impl Also =====

impl Also {
    fn console(console: &Console) -> Self {
        let daemon = console.xray_daemon().map(|daemon| daemon.parse().expect("it is where it listens"));
        Self {
            otlp: Some(console.otlp_endpoint()),
            xray_daemon: daemon,
            rollbar: Some(console.rollbar_endpoint()),
            cloudwatch: Some(console.cloudwatch_endpoint()),
        }
    }

    /// For the command line of another process.
    pub(crate) fn args(&self) -> Vec<String> {
        let Self { otlp, xray_daemon, rollbar, cloudwatch } = self;
        let daemon = xray_daemon.as_ref().map(ToString::to_string);
        let args = [
            ("--otlp", otlp.clone()),
            ("--xray-daemon", daemon),
            ("--rollbar", rollbar.clone()),
            ("--cloudwatch", cloudwatch.clone()),
        ];
        args.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten().collect()
    }

    pub(crate) fn onto(self, setup: Setup) -> Setup {
        let Self { otlp, xray_daemon, rollbar, cloudwatch } = self;
        let setup = otlp.into_iter().fold(setup, Setup::otlp);
        let setup = rollbar.into_iter().fold(setup, Setup::rollbar_endpoint);
        let setup = cloudwatch.into_iter().fold(setup, Setup::cloudwatch_endpoint);
        let Some(daemon) = xray_daemon else { return setup };
        // A console takes more at once than a daemon that we do not know.
        let setup = if setup.names_daemon() { setup } else { setup.xray_pace(500, 2_000) };
        setup.xray_daemon(daemon)
    }
}

/// Sends what is left until `limit` or until somebody `insisted`, and tells what was lost, with the service's name.
pub(crate) async fn shutdown(
    service: &str,
    belvedere: Belvedere,
    limit: Duration,
    insisted: impl Future<Output = ()>,
) {
    let outbox = belvedere.outbox().clone();
    let report = tokio::select! {
        report = belvedere.shutdown(limit) => report,
        () = insisted => outbox.shutdown(Duration::ZERO).await,
    };
    if report.lost() > 0 {
        let service = env::var("OTEL_SERVICE_NAME")
            .ok()
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| service.to_owned());
        let lanes: String = report.lanes.iter().map(|lane| format!("{service}: {lane}\n")).collect();
        eprint!("{lanes}");
    }
}

/// A service starts without its console, too. Who looks at it wants to see every request that he makes.
fn console() -> Option<Console> {
    Console::builder()
        .xray_sampling(1, 1.0)
        .start()
        .inspect_err(|error| tracing::warn!("no console: {}", crate::error::chain(error)))
        .ok()
}
