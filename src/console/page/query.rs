use crate::console::id::TraceId;
use crate::console::trace::Trace;

/// What the address of a page asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::console) struct Query {
    /// Only what went wrong.
    pub(in crate::console) errors: bool,
    /// Only what mentions this.
    pub(in crate::console) text: String,
    /// Only what arrived before this one.
    pub(in crate::console) before: Option<u64>,
    /// The id of the last event that was seen.
    pub(in crate::console) after: Option<String>,
    /// Only log lines of no trace.
    pub(in crate::console) lines: bool,
    /// Only this trace.
    pub(in crate::console) trace: Option<TraceId>,
}

// ===== impl Query =====

impl Query {
    pub(in crate::console) fn of(query: &str) -> Self {
        let mut asked = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value);
            match name {
                "errors" => asked.errors = value == "1",
                "q" => asked.text = value.trim().to_owned(),
                "before" => asked.before = value.parse().ok(),
                "after" => asked.after = Some(value),
                "lines" => asked.lines = value == "1",
                "trace" => asked.trace = TraceId::from_any_spelling(&value),
                _ => {}
            }
        }
        asked
    }

    /// The address of the list that this asks for, at `path`.
    pub(in crate::console) fn address(&self, path: &str) -> String {
        let Self { errors, text, before, after, lines: _, trace: _ } = self;
        let pairs = [
            errors.then(|| "errors=1".to_owned()),
            (!text.is_empty()).then(|| format!("q={}", encode(text))),
            before.map(|before| format!("before={before}")),
            after.as_ref().map(|after| format!("after={}", encode(after))),
        ];
        let query = pairs.into_iter().flatten().collect::<Vec<_>>().join("&");
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    pub(in crate::console) fn matches(&self, trace: &Trace) -> bool {
        (!self.errors || trace.row().is_error())
            && (self.text.is_empty() || trace.mentions(&self.text.to_lowercase()))
    }
}

/// Reads what a form wrote.
fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, escaped(after)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low, ..] = digits else { return None };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

fn encode(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let asked =
            Query { text: "a+b & c=ü%".to_owned(), errors: true, before: Some(7), ..Query::default() };
        let address = asked.address("/");
        assert_eq!(Query::of(address.trim_start_matches("/?")), asked);
        assert_eq!(Query::of("q=a+b%2").text, "a b%2");
    }
}
