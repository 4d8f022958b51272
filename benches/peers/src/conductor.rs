//! Starts the processes, lets each serve in turn, and makes the table.

use std::{path::Path, sync::Arc};

use tokio::process::Command;

use crate::{
    callgrind::{Instructions, instructions},
    process::{BoxError, Process, beside},
    sink::Sink,
    table::{Cost, Table},
    variants::{BURST, VARIANTS, Variant},
};

/// Measures the variants whose names begin with one of `names`, or all, beside the bare service.
///
/// Without a `folder` for what callgrind writes, no instructions are counted.
pub async fn conduct(names: &[String], folder: Option<&Path>) -> Result<Table, BoxError> {
    let variants = chosen(names);
    let sink = Arc::new(Sink::start()?);
    eprintln!("time, in {ROUNDS} rounds");
    let nanos = rounds("belvedere-peers", &variants, &sink, ROUNDS).await?;
    eprintln!("allocations");
    let allocations = rounds("allocations", &variants, &sink, WARM).await?;
    let mut rows = Vec::new();
    for (variant, (nanos, allocations)) in variants.into_iter().zip(nanos.into_iter().zip(allocations)) {
        let instructions = counted(variant, &sink, folder).await?;
        rows.push((variant, Cost { nanos, instructions, allocations }));
    }
    Ok(Table(rows))
}

/// The least that each variant needs for an exchange, in alternating rounds, so that a busy machine slows all alike.
async fn rounds(
    program: &str,
    variants: &[&'static Variant],
    sink: &Arc<Sink>,
    rounds: usize,
) -> Result<Vec<f64>, BoxError> {
    let program = beside(program)?;
    let start = |variant: &&'static Variant| Process::start(Command::new(&program), variant, sink);
    let mut processes = variants.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let mut least = vec![u64::MAX; processes.len()];
    for _ in 0..rounds {
        for (process, least) in processes.iter_mut().zip(&mut least) {
            *least = process.burst().await?.min(*least);
        }
    }
    for process in processes {
        process.end().await?;
    }
    Ok(least.into_iter().map(|least| least as f64 / BURST as f64).collect())
}

async fn counted(
    variant: &'static Variant,
    sink: &Arc<Sink>,
    folder: Option<&Path>,
) -> Result<Option<Instructions>, BoxError> {
    let Some(folder) = folder else { return Ok(None) };
    eprintln!("instructions: {}", variant.name);
    instructions(variant, sink, folder).await.map(Some)
}

fn chosen(names: &[String]) -> Vec<&'static Variant> {
    let is_chosen = |variant: &Variant| names.iter().any(|name| variant.name.starts_with(name.as_str()));
    let others = VARIANTS.iter().skip(1).filter(|variant| names.is_empty() || is_chosen(variant));
    VARIANTS.iter().take(1).chain(others).collect()
}

const ROUNDS: usize = 40;
const WARM: usize = 4;
