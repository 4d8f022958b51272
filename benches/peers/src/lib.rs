//! The peers beside Belvedere: `benches/peers/run`, see `README.md`.
#![forbid(unsafe_code)]

pub mod callgrind;
pub mod conductor;
pub mod exchange;
pub mod lock;
pub mod process;
pub mod records;
pub mod running;
pub mod served;
pub mod sink;
pub mod sinks;
pub mod table;
pub mod variants;

use std::env;

use self::variants::{VARIANTS, Variant};

/// The variant that the command line says to serve.
pub fn ordered() -> Option<&'static Variant> {
    let mut arguments = env::args().skip(1);
    arguments.next().filter(|word| word == "serve")?;
    let name = arguments.next()?;
    VARIANTS.iter().find(|variant| variant.name == name)
}
