//! Who starts the processes, in what order, and makes a table of what they tell.

mod machine;
mod round;
mod table;
mod wrk;

use std::{env, str::FromStr, time::Duration};

use anyhow::{Context as _, Result};

use self::{round::Round, table::Table};
use crate::{
    variant::Variant,
    verify::{self, Verdict},
};

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Conductor {
    rounds: u32,
    length: Duration,
    warm_up: Duration,
    verified: Duration,
}

// ===== impl Conductor =====

impl Conductor {
    /// As the environment says; the `README.md` has the variables.
    ///
    /// # Errors
    ///
    /// When one is no number.
    pub(crate) fn from_env() -> Result<Self> {
        let seconds = |name, default| Ok::<_, anyhow::Error>(Duration::from_secs(number(name, default)?));
        Ok(Self {
            rounds: number("LOAD_ROUNDS", 5)?,
            length: seconds("LOAD_SECONDS", 4)?,
            warm_up: seconds("LOAD_WARM_UP", 1)?,
            verified: seconds("LOAD_VERIFIED", 3)?,
        })
    }

    /// Measures all variants, verifies what the sinks received, and prints the table.
    pub(crate) fn table(&self) -> Result<()> {
        let mut table = Table::default();
        // Interleaved, so that a busy machine slows all alike.
        for round in 1..=self.rounds {
            for variant in Variant::ALL {
                eprintln!("round {round} of {}: {}", self.rounds, variant.name());
                table.add(variant, Round::run(variant, self.warm_up, self.length)?)?;
            }
        }
        println!("{table}");
        self.verify()
    }

    /// Compares what comes of each kind of request with the reference.
    ///
    /// # Errors
    ///
    /// When anything is lost, or is other than it was.
    pub(crate) fn verify(&self) -> Result<()> {
        println!("{}", self.mixed()?.compared()?);
        Ok(())
    }

    /// Makes the reference of what the code does now.
    pub(crate) fn record(&self) -> Result<()> {
        println!("{}", self.mixed()?.recorded()?);
        Ok(())
    }

    fn mixed(&self) -> Result<Verdict> {
        eprintln!("verifying round");
        verify::round(self.verified)
    }
}

fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(name: &str, default: T) -> Result<T> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number: {text:?}")),
        Err(_) => Ok(default),
    }
}

pub(crate) use self::wrk::{Script, Tally};
