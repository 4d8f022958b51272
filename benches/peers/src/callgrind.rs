//! Instructions, by valgrind.

use std::{fs, path::Path, sync::Arc};

use tokio::process::Command;

use crate::{
    process::{BoxError, Process, beside},
    sink::Sink,
    variants::{BURST, Variant},
};

/// What a process executed, outside of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instructions {
    pub first_thread: f64,
    pub all: f64,
}

/// Instructions of one exchange: the difference between a long run and a short one, so that the start and the end of a
/// process do not count.
pub async fn instructions(
    variant: &'static Variant,
    sink: &Arc<Sink>,
    folder: &Path,
) -> Result<Instructions, BoxError> {
    let few = run(variant, sink, folder, FEW).await?;
    let many = run(variant, sink, folder, MANY).await?;
    let exchanges = ((MANY - FEW) * BURST) as f64;
    let each = |many: f64, few: f64| (many - few) / exchanges;
    Ok(Instructions { first_thread: each(many.first_thread, few.first_thread), all: each(many.all, few.all) })
}

async fn run(
    variant: &'static Variant,
    sink: &Arc<Sink>,
    folder: &Path,
    bursts: usize,
) -> Result<Instructions, BoxError> {
    let folder = folder.join(format!("{}-{bursts}", variant.name));
    fs::create_dir_all(&folder)?;
    let mut process = Process::start(valgrind(&folder)?, variant, sink)?;
    for _ in 0..bursts {
        process.burst().await?;
    }
    process.end().await?;
    read(&folder)
}

fn valgrind(folder: &Path) -> Result<Command, BoxError> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--separate-threads=yes", "--fair-sched=try", "--log-file=/dev/null"]);
    command.arg(format!("--callgrind-out-file={}", folder.join("threads").display()));
    command.arg(beside("belvedere-peers")?);
    Ok(command)
}

/// One file for each thread, with its total.
fn read(folder: &Path) -> Result<Instructions, BoxError> {
    let mut read = Instructions::default();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let text = fs::read_to_string(&path)?;
        let totals = text.lines().filter_map(|line| line.strip_prefix("totals: "));
        let total = totals.filter_map(|total| total.trim().parse::<f64>().ok()).sum::<f64>();
        read.all += total;
        if path.to_string_lossy().ends_with("-01") {
            read.first_thread += total;
        }
    }
    if read.first_thread > 0.0 { Ok(read) } else { Err("callgrind wrote no totals".into()) }
}

const FEW: usize = 2;
const MANY: usize = 6;
