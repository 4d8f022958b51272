//! The log: what is printed, and what is shipped.

use std::io::{IsTerminal as _, stderr};

use belvedere::{
    Belvedere,
    cloudwatch::{self, AccessRecord, CloudWatchLayer, Format, Subscriber},
    rollbar::Breadcrumbs,
};
use tracing_subscriber::{EnvFilter, Registry, prelude::*, reload};

/// Ships what is logged as soon as there is a way for it: the log begins before the layers do, which have something to say.
#[derive(Clone, Debug)]
pub(crate) struct Shipping(reload::Handle<Option<Subscriber>, Registry>);

/// Prints warnings only: standard output is for the one link. What a request logs goes with the report of its failure.
pub(crate) fn start() -> Shipping {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let (shipped, handle) = reload::Layer::new(None);
    tracing_subscriber::registry()
        .with(shipped)
        .with(lines.with_filter(filter))
        .with(Breadcrumbs::new())
        .init();
    Shipping(handle)
}

/// A line for each request as the course has it, and after it the trace, in the spelling by which X-Ray finds lines.
pub(crate) fn course(layer: CloudWatchLayer) -> CloudWatchLayer {
    layer.format(Format::of(line))
}

fn line(record: &AccessRecord<'_>) -> String {
    format!("{record} {}", record.xray_trace_id)
}

// ===== impl Shipping =====

impl Shipping {
    /// From now on, by the lane that the layers have, if they have one.
    pub(crate) fn begin(&self, belvedere: &Belvedere) {
        let subscriber = belvedere.log_lane().map(|lane| cloudwatch::subscriber(&lane));
        self.0.reload(subscriber).expect("the log lives as long as the process");
    }
}
