use super::env::Env;
use crate::outbox::Builder;
#[cfg(feature = "spool")]
use crate::outbox::Spool;

/// The way out, as the environment has it, where the program says nothing else.
pub(super) fn way_out(env: &Env, builder: Builder) -> Builder {
    match env.text(SPOOL) {
        Some(path) => spool(env, builder, path),
        None => builder,
    }
}

#[cfg(feature = "spool")]
fn spool(_: &Env, builder: Builder, path: String) -> Builder {
    builder.or_spool(Spool::new(path))
}

#[cfg(not(feature = "spool"))]
fn spool(env: &Env, builder: Builder, path: String) -> Builder {
    env.note(format!(
        "{SPOOL} is {path:?}, which needs the feature `spool`: what is not delivered is kept in memory"
    ));
    builder
}

const SPOOL: &str = "BELVEDERE_SPOOL";
