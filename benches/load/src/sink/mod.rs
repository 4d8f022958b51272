//! The sinks: what stands in for the backends. They take everything at the lowest cost, keep it as it is, and read it when
//! nobody is measured any more.

mod cloudwatch;
mod http;
mod otlp;
mod rollbar;
mod xray;

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde_json::Value;
use tokio::{runtime, select, task::LocalSet};

use self::{http::Http, xray::Daemon};
use crate::{
    account::{Received, cpu_micros},
    backend::{Backend, Each},
    process::{tell, terminated},
};

/// Takes what is sent until it is told to end, and tells how many records each backend got. Where there is a folder, all of
/// them are written into it, decoded.
pub(crate) fn run(folder: Option<&Path>) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let daemon = Daemon::start()?;
    let (otlp, rollbar, cloudwatch) = runtime.block_on(async {
        let otlp = Http::bind(otlp::answer).await?;
        let rollbar = Http::bind(rollbar::answer).await?;
        let cloudwatch = Http::bind(cloudwatch::answers()).await?;
        let ports = Each {
            otlp: otlp.port()?,
            xray: daemon.port(),
            rollbar: rollbar.port()?,
            cloudwatch: cloudwatch.port()?,
        };
        tell(&ports)?;
        let serving = async { tokio::join!(otlp.serve(), rollbar.serve(), cloudwatch.serve()) };
        let serve = async {
            select! {
                _ = serving => {}
                () = terminated() => {}
            }
        };
        LocalSet::new().run_until(serve).await;
        anyhow::Ok((otlp.posts(), rollbar.posts(), cloudwatch.posts()))
    })?;
    let (datagrams, cpu_micros) = (daemon.end(), cpu_micros()?);
    if let Some(folder) = folder {
        write(folder, Backend::Otlp, &otlp, otlp::records)?;
        write(folder, Backend::XRay, &datagrams, |datagram| Ok(vec![xray::record(datagram)?]))?;
        write(folder, Backend::Rollbar, &rollbar, |post| Ok(vec![rollbar::record(post)?]))?;
        write(folder, Backend::CloudWatch, &cloudwatch, cloudwatch::records)?;
    }
    let records = Each {
        otlp: sum(&otlp, otlp::count)?,
        xray: u64::try_from(datagrams.len())?,
        rollbar: u64::try_from(rollbar.len())?,
        cloudwatch: sum(&cloudwatch, cloudwatch::count)?,
    };
    tell(&Received { records, cpu_micros })
}

/// Where the decoded records of a backend are, a line of JSON each.
pub(crate) fn file(folder: &Path, backend: Backend) -> PathBuf {
    folder.join(backend.name()).with_extension("jsonl")
}

fn write<T>(
    folder: &Path,
    backend: Backend,
    received: &[T],
    decode: impl Fn(&T) -> Result<Vec<Value>>,
) -> Result<()> {
    let mut file = BufWriter::new(File::create(file(folder, backend))?);
    for what in received {
        for record in decode(what)? {
            writeln!(file, "{record}")?;
        }
    }
    Ok(file.flush()?)
}

fn sum<T>(received: &[T], count: impl Fn(&T) -> Result<usize>) -> Result<u64> {
    let counts = received.iter().map(count).collect::<Result<Vec<_>>>()?;
    Ok(u64::try_from(counts.into_iter().sum::<usize>())?)
}
