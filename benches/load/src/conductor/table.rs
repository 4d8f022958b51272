use std::{cmp::Ordering, fmt};

use anyhow::{Context as _, Result};

use super::Round;
use crate::variant::Variant;

/// What came of all rounds, one row for each variant.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    variant: Variant,
    rounds: Vec<Round>,
}

/// Numbers of the same kind, one of each round.
struct Series(Vec<f64>);

// ===== impl Table =====

impl Table {
    pub(crate) fn add(&mut self, variant: Variant, round: Round) -> Result<()> {
        if !self.rows.iter().any(|row| row.variant == variant) {
            self.rows.push(Row { variant, rounds: Vec::new() });
        }
        let row = self.rows.iter_mut().find(|row| row.variant == variant);
        row.context("it was just added")?.rounds.push(round);
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bare) = self.rows.first() else { return Ok(()) };
        writeln!(f, "{HEADING}")?;
        self.rows.iter().try_for_each(|row| row.write(bare, f))?;
        let others = self.rows.iter().flat_map(|row| &row.rounds).map(Round::others);
        let others: Series = others.map(|share| share * 100.0).collect();
        writeln!(f, "\nOf the machine's processors other processes took {others:.0} % meanwhile.")
    }
}

// ===== impl Row =====

impl Row {
    fn write(&self, bare: &Self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |what: fn(&Round) -> f64| self.rounds.iter().map(what).collect::<Series>();
        let over = |what: fn(&Round) -> f64| {
            let pairs = self.rounds.iter().zip(&bare.rounds);
            pairs.map(|(round, bare)| what(round) / what(bare)).collect::<Series>()
        };
        let (rate, p50, p99) = (
            |round: &Round| round.tally.rate(),
            |round: &Round| round.tally.p50 as f64,
            |round: &Round| round.tally.p99 as f64,
        );
        writeln!(
            f,
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} | {:.0} | {:.2} | {} | {:.1} |",
            self.variant.title(),
            of(rate).median(),
            over(rate),
            over(|round| 1.0 / round.cpu()),
            of(Round::server_cpu).median(),
            of(Round::cpu).median(),
            of(p50).median(),
            of(p99).median(),
            over(p99),
            self.rounds.iter().map(Round::lost).sum::<u64>(),
            of(Round::drain).median(),
        )
    }
}

// ===== impl Series =====

impl Series {
    fn median(&self) -> f64 {
        let (middle, numbers) = (self.0.len() / 2, &self.0);
        if numbers.len() % 2 == 1 { numbers[middle] } else { (numbers[middle - 1] + numbers[middle]) / 2.0 }
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut numbers: Vec<_> = numbers.into_iter().collect();
        numbers.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        Self(numbers)
    }
}

/// The median, and the least and the most, with as many decimals as are asked for.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        let decimals = f.precision().unwrap_or(2);
        write!(f, "{:.decimals$} ({least:.decimals$} to {most:.decimals$})", self.median())
    }
}

const HEADING: &str = "\
| variant | requests/s | of bare (spread) | of bare by CPU (spread) | server's CPU, µs a request | all CPU, µs a request \
| p50, µs | p99, µs | p99 over bare's (spread) | records lost | drained in, s |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";
