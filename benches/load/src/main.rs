//! What a real server loses of its throughput by being seen: bare, with the peers, and with Belvedere, under wrk, with sinks
//! that receive everything.
//!
//! See the `README.md` beside it; `benches/load/run` is the command.

mod account;
mod backend;
mod conductor;
mod kind;
mod process;
mod server;
mod service;
mod sink;
mod stack;
mod variant;
mod verify;

use std::env;

use anyhow::{Result, bail};

use self::{conductor::Conductor, variant::Variant};

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] | ["run"] => Conductor::from_env()?.table(),
        ["verify"] => Conductor::from_env()?.verify(),
        ["record"] => Conductor::from_env()?.record(),
        ["serve", variant, ports] => server::serve(Variant::named(variant)?, &serde_json::from_str(ports)?),
        ["sinks"] => sink::run(None),
        ["sinks", folder] => sink::run(Some(folder.as_ref())),
        _ => bail!("run, verify, record, serve VARIANT PORTS, or sinks [FOLDER]"),
    }
}
