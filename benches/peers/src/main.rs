//! Measures all variants and prints the table; with `serve`, serves one of them.
//!
//! `belvedere-peers [--instructions folder] [variant ..]`

use std::{env, path::PathBuf};

use belvedere_peers::{conductor::conduct, ordered, process::BoxError, served};

fn main() -> Result<(), BoxError> {
    match ordered() {
        Some(variant) => served::serve(variant, served::time),
        None => print()?,
    }
    Ok(())
}

fn print() -> Result<(), BoxError> {
    let mut arguments: Vec<_> = env::args().skip(1).collect();
    let counts =
        arguments.first().is_some_and(|argument| argument == "--instructions") && arguments.len() > 1;
    let folder = counts.then(|| arguments.drain(..2).nth(1)).flatten().map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    print!("{}", runtime.block_on(conduct(&arguments, folder.as_deref()))?);
    Ok(())
}
