//! The process that serves: one variant, on its first thread, as the conductor says.

use std::io::{self, BufRead as _, Write as _};

use crate::{
    exchange::{request, traceparent},
    sinks::Sinks,
    variants::{BURST, Variant},
};

/// Serves a burst for each line of the standard input, writes what `measure` said of it, and ends with the input.
pub fn serve(variant: &Variant, measure: fn(&mut dyn FnMut()) -> u64) {
    // The peers' HTTP clients are not built without one, although nobody here speaks TLS.
    rustls::crypto::ring::default_provider().install_default().expect("no provider before it");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut running = (variant.start)(&Sinks::from_env());
    let traceparent = traceparent();
    for line in io::stdin().lock().lines() {
        line.expect("a line");
        let mut requests = Some((0..BURST).map(|_| request(&traceparent)).collect());
        let measured = measure(&mut || running.serve(&runtime, requests.take().expect("called once")));
        running.send();
        // In one piece, since loggers write to the same place.
        io::stdout().write_all(format!("{measured}\n").as_bytes()).expect("an open output");
    }
    running.shutdown();
}

/// How long it takes, in nanoseconds.
#[expect(clippy::disallowed_types, reason = "here the real clock is the point")]
pub fn time(serve: &mut dyn FnMut()) -> u64 {
    let start = std::time::Instant::now();
    serve();
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
