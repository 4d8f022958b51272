use std::fmt;

use super::{SpanId, TraceId, hex};

/// The id of something that happened in an exchange, such as an error: what Rollbar calls the `uuid` of an occurrence.
///
/// It is made of the trace, the exchange's span and a number, so that whoever knows those knows it, in whatever order the
/// backends come to it. It prints as a [UUID of version 8](https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8).
///
/// ```
/// use belvedere::trace::OccurrenceId;
///
/// let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
/// let span_id = "00f067aa0ba902b7".parse()?;
/// let first = OccurrenceId::of(trace_id, span_id, 0);
/// assert_eq!(first.to_string(), "4bf92f35-77b3-8da6-a33e-f53705a74581");
/// assert_ne!(first, OccurrenceId::of(trace_id, span_id, 1));
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct OccurrenceId(u128);

// ===== impl OccurrenceId =====

impl OccurrenceId {
    /// The `ordinal`-th occurrence of an exchange, from 0.
    pub fn of(trace_id: TraceId, span_id: SpanId, ordinal: u32) -> Self {
        let bits = trace_id.to_u128() ^ u128::from(span_id.to_u64()) ^ (u128::from(ordinal) << SPARE);
        Self((bits & !FIXED) | VERSION_8)
    }

    /// The id of something that happened in no exchange.
    pub fn generate() -> Self {
        Self::of(TraceId::generate(), SpanId::generate(), 0)
    }
}

impl fmt::Display for OccurrenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::write(self.0, &mut digits);
        let part = |from: usize, to: usize| hex::text(&digits[from..to]);
        let (time, middle, version) = (part(0, 8), part(8, 12), part(12, 16));
        write!(f, "{time}-{middle}-{version}-{}-{}", part(16, 20), part(20, 32))
    }
}

impl fmt::Debug for OccurrenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bits that say which kind of UUID it is.
const FIXED: u128 = 0x0000_0000_0000_f000_c000_0000_0000_0000;
const VERSION_8: u128 = 0x0000_0000_0000_8000_8000_0000_0000_0000;

/// Where the number goes: above the version, and below the time.
const SPARE: u32 = 80;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_occurrence_of_an_exchange_and_each_exchange_of_a_trace_has_its_own() {
        let trace_id = TraceId::generate();
        let mut seen = HashSet::new();
        for _ in 0..100 {
            let span_id = SpanId::generate();
            for ordinal in 0..100 {
                let text = OccurrenceId::of(trace_id, span_id, ordinal).to_string();
                assert_eq!(text.len(), 36);
                assert!(uuid::Uuid::parse_str(&text).unwrap().get_version_num() == 8);
                assert!(seen.insert(text));
            }
        }
    }
}
