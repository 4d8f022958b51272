use super::env::Env;
#[cfg(feature = "spool")]
use crate::outbox::Spool;
use crate::{
    Error,
    outbox::{Budget, Builder},
};

/// The way out, as the environment has it, where the program says nothing else.
///
/// # Errors
///
/// When the budget is none that there is, or is shared by a number of processes that is none.
pub(super) fn way_out(env: &Env, builder: Builder) -> Result<Builder, Error> {
    let builder = match budget(env)? {
        Some(budget) => {
            tracing::info!(target: TARGET, "budget: on, what the vendors give for nothing in a month");
            builder.or_budget(budget)
        }
        None => builder,
    };
    Ok(match env.text(SPOOL) {
        Some(path) => spool(env, builder, path),
        None => builder,
    })
}

fn budget(env: &Env) -> Result<Option<Budget>, Error> {
    let Some(text) = env.text(BUDGET) else { return Ok(None) };
    let budget = match text.to_ascii_lowercase().as_str() {
        "none" => return Ok(None),
        "free" => Budget::free_tier(),
        _ => return Err(Error::invalid(BUDGET, &text, "write free or none")),
    };
    let budget = match env.text(FOLDER) {
        Some(folder) => budget.folder(folder),
        None => budget,
    };
    let Some(text) = env.text(PROCESSES) else { return Ok(Some(budget)) };
    match text.parse() {
        Ok(processes @ 1..) => Ok(Some(budget.processes(processes))),
        _ => Err(Error::invalid(PROCESSES, &text, "write how many processes share the budget, such as 3")),
    }
}

#[cfg(feature = "spool")]
fn spool(_: &Env, builder: Builder, path: String) -> Builder {
    tracing::info!(target: TARGET, at = path, "spool: on, what is not delivered is on the disk");
    builder.or_spool(Spool::new(path))
}

#[cfg(not(feature = "spool"))]
fn spool(env: &Env, builder: Builder, path: String) -> Builder {
    env.note(format!(
        "{SPOOL} is {path:?}, which needs the feature `spool`: what is not delivered is kept in memory"
    ));
    builder
}

const TARGET: &str = "belvedere::setup";
const SPOOL: &str = "BELVEDERE_SPOOL";
const BUDGET: &str = "BELVEDERE_BUDGET";
const FOLDER: &str = "BELVEDERE_BUDGET_FOLDER";
const PROCESSES: &str = "BELVEDERE_BUDGET_PROCESSES";
