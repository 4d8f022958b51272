use std::fmt;

use crate::{callgrind::Instructions, lock::versioned, variants::Variant};

/// What one exchange costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub nanos: f64,
    pub instructions: Option<Instructions>,
    pub allocations: f64,
}

/// Every variant beside the first.
#[derive(Debug)]
pub struct Table(pub Vec<(&'static Variant, Cost)>);

/// A number as a person reads it.
struct Number(f64);

// ===== impl Table =====

impl Table {
    fn row(f: &mut fmt::Formatter<'_>, title: &str, cost: Cost, bare: Cost) -> fmt::Result {
        let (nanos, allocations) =
            (Number(cost.nanos - bare.nanos), Number(cost.allocations - bare.allocations));
        write!(f, "| {title} | {nanos} | ")?;
        match cost.instructions.zip(bare.instructions) {
            Some((of, bare)) => {
                let (first, all) = (Number(of.first_thread - bare.first_thread), Number(of.all - bare.all));
                write!(f, "{first} ({all})")?;
            }
            None => write!(f, "–")?,
        }
        writeln!(f, " | {allocations} |")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [(_, bare), others @ ..] = &*self.0 else { return Ok(()) };
        writeln!(
            f,
            "| variant | ns over bare | instructions over bare, request thread (all) | allocations over bare |"
        )?;
        writeln!(f, "|---|--:|--:|--:|")?;
        for (variant, cost) in others {
            Self::row(f, &versioned(variant.title), *cost, *bare)?;
        }
        write!(f, "\nBare: {} ns", Number(bare.nanos))?;
        if let Some(Instructions { first_thread, all }) = bare.instructions {
            write!(f, ", {} ({}) instructions", Number(first_thread), Number(all))?;
        }
        writeln!(f, ", {} allocations.\n", Number(bare.allocations))?;
        for (variant, _) in others.iter().filter(|(variant, _)| !variant.notes.is_empty()) {
            writeln!(f, "- {}: {}", versioned(variant.title), versioned(variant.notes))?;
        }
        Ok(())
    }
}

// ===== impl Number =====

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = if self.0.abs() >= 1_000.0 { (self.0 / 10.0).round() * 10.0 } else { self.0.round() };
        let digits = format!("{:.0}", rounded.abs());
        let sign = if rounded < 0.0 { "-" } else { "" };
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
        write!(f, "{sign}{}", groups.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart_and_large_numbers_end_in_a_zero() {
        let written = [0.4, 13.0, 999.6, 1_234.0, -4_567_891.0].map(|number| Number(number).to_string());
        assert_eq!(written, ["0", "13", "1,000", "1,230", "-4,567,890"]);
    }
}
